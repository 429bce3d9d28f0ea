// float16 enters the runtime from JSON, through safetensors in both directions, and as random numbers. Bundles support it too.
// RUN: echo '{"x": [1, 2.5, -65504, 0.1]}' > %t.json
// RUN: nibble-run %s --entry=main --inputs %t.json | FileCheck %s
// RUN: nibble-run %s --entry=main --inputs %t.json --out %t.safetensors
// RUN: nibble-run %s --entry=again --inputs %t.safetensors | FileCheck %s --check-prefix=AGAIN
// RUN: nibble compile %s --program=none -o %t.nbl && nibble-run %t.nbl --entry=main --inputs %t.json | FileCheck %s
// RUN: nibble-run %s --entry=main --random 3 | FileCheck %s --check-prefix=RANDOM
// The sum overflows to infinity, and 0.1 is rounded to nearest.
// CHECK: y F16 [4]: 2 5 -inf 0.199951172
// AGAIN: result0 F16 [4]: 2 5 -inf 0.199951172
// RANDOM: y F16 [4]: {{[-0-9.]+}} {{[-0-9.]+}} {{[-0-9.]+}} {{[-0-9.]+}}
func.func @main(%x: tensor<4xf16> {nn.input = "x"}) -> (tensor<4xf16> {nn.output = "y"}) {
  %y = arith.addf %x, %x : tensor<4xf16>
  return %y : tensor<4xf16>
}
func.func @again(%y: tensor<4xf16> {nn.input = "y"}) -> tensor<4xf16> {
  return %y : tensor<4xf16>
}

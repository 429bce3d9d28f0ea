// Arguments come by name from JSON and safetensors files; later files override earlier ones. Weights are random with a seed.
// RUN: echo '{"x": [1, 2.5, -3], "n": 4, "s": {"zeros": [2, 2]}}' > %t.json
// RUN: echo '{"n": 5}' > %t.more.json
// RUN: nibble-run %s --entry=f --inputs %t.json --inputs %t.more.json | FileCheck %s --check-prefix=JSON
// RUN: nibble-run %s --entry=f --inputs %t.json --out %t.safetensors
// RUN: echo '{"n": 7}' > %t.seven.json
// RUN: nibble-run %s --entry=f --inputs %t.safetensors --inputs %t.json --inputs %t.seven.json | FileCheck %s --check-prefix=AGAIN
// RUN: nibble-run %s --entry=weigh --random 3 > %t.a && nibble-run %s --entry=weigh --random 3 > %t.b && nibble-run %s --entry=weigh --random 4 > %t.c
// RUN: diff %t.a %t.b && not diff %t.a %t.c
// RUN: FileCheck %s --check-prefix=WEIGH < %t.a
// RUN: nibble-run %s --entry=mix --random 3 | FileCheck %s --check-prefix=MIX
// RUN: %refuses 3 "'ids'" -- nibble-run %s --entry=look --random 3

// RUN: %refuses 3 "'x'" "argument of 'f'" -- nibble-run %s --entry=f
// RUN: %refuses 3 "'w'" --random -- nibble-run %s --entry=weigh
// RUN: %refuses 2 "'g'" f weigh -- nibble-run %s --entry=g
// RUN: echo '{"x": [1, [2]], "n": 4}' > %t.ragged.json && echo '{"x": [1], "n": 4.5}' > %t.fraction.json && echo '[1]' > %t.list.json
// RUN: %refuses 3 ragged.json "'x'" -- nibble-run %s --entry=f --inputs %t.ragged.json
// RUN: %refuses 3 fraction.json "'n'" I32 -- nibble-run %s --entry=f --inputs %t.fraction.json
// RUN: %refuses 3 list.json -- nibble-run %s --entry=f --inputs %t.list.json
// RUN: echo '{"x": [[1]], "n": 1, "s": [[1]]}' > %t.rank.json
// RUN: %refuses 2 "'x'" "[1, 1]" -- nibble-run %s --entry=f --inputs %t.rank.json
// RUN: echo '{"x": [1], "n": 1, "s": {"zeros": [-1]}}' > %t.zeros.json
// RUN: %refuses 3 zeros.json "'s'" -- nibble-run %s --entry=f --inputs %t.zeros.json
// RUN: %refuses 3 absent.json -- nibble-run %s --entry=f --inputs %t.absent.json
// RUN: %refuses 4 "out/x" --absent %t.json/out -- nibble-run %s --entry=f --inputs %t.json --out %t.json/out/x
// RUN: %refuses 3 "inputs.test.mlir" -- nibble-run %t.inputs.test.mlir --entry=f
// RUN: %refuses 2 "--nonsense" -- nibble-run %s --entry=f --nonsense
// RUN: %refuses 2 "nibble-nonsense" -- nibble-run %s --entry=f --pipeline=nibble-nonsense
// RUN: %refuses 2 "nibble-nonsense" -- nibble-run %s --entry=f "--pipeline=builtin.module(nibble-nonsense)"
// RUN: %refuses 2 "no function 'f'" weigh -- nibble-run %s --entry=f "--pipeline=builtin.module(symbol-privatize{exclude=weigh},symbol-dce)"
// RUN: %refuses 2 "no function 'f'" weigh -- nibble-run %s --entry=f "--pipeline=symbol-privatize{exclude=weigh},symbol-dce"

// JSON: y F32 [3]: 6 7.5 2
// JSON-NEXT: s F32 [2, 2]: 5 5 5 5
// AGAIN: y F32 [3]: 8 9.5 4
// AGAIN-NEXT: s F32 [2, 2]: 7 7 7 7
// WEIGH: y BF16 [16, 32]: {{[-0-9.e]+}} {{[-0-9.e]+}} {{[-0-9.e]+}} {{[-0-9.e]+}} ...

// MIX: y F32 [2, 2]: {{[-0-9.e]+}} {{[-0-9.e]+}} {{[-0-9.e]+}} {{[-0-9.e]+}}

// y = x + n; s + n.
func.func @f(%x: tensor<?xf32> {nn.input = "x"}, %n: tensor<i32> {nn.input = "n"}, %s: tensor<?x?xf32> {nn.input = "s"})
    -> (tensor<?xf32> {nn.output = "y"}, tensor<?x?xf32> {nn.output = "s"}) {
  %i = tensor.extract %n[] : tensor<i32>
  %a = arith.sitofp %i : i32 to f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %dx = tensor.dim %x, %c0 : tensor<?xf32>
  %d0 = tensor.dim %s, %c0 : tensor<?x?xf32>
  %d1 = tensor.dim %s, %c1 : tensor<?x?xf32>
  %ax = tensor.splat %a[%dx] : tensor<?xf32>
  %as = tensor.splat %a[%d0, %d1] : tensor<?x?xf32>
  %y = arith.addf %x, %ax : tensor<?xf32>
  %t = arith.addf %s, %as : tensor<?x?xf32>
  return %y, %t : tensor<?xf32>, tensor<?x?xf32>
}

func.func @weigh(%w: tensor<16x32xbf16> {nn.parameter = "w"}) -> (tensor<16x32xbf16> {nn.output = "y"}) {
  %y = arith.addf %w, %w : tensor<16x32xbf16>
  return %y : tensor<16x32xbf16>
}

// Float inputs may be random too, but not integers, since nobody knows which values are meaningful.
func.func @mix(%x: tensor<2x2xf32> {nn.input = "x"}, %w: tensor<2x2xbf16> {nn.parameter = "w"}) -> (tensor<2x2xf32> {nn.output = "y"}) {
  %f = arith.extf %w : tensor<2x2xbf16> to tensor<2x2xf32>
  %y = arith.addf %x, %f : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
func.func @look(%ids: tensor<2xi64> {nn.input = "ids"}, %w: tensor<2x2xbf16> {nn.parameter = "w"}) -> (tensor<2xi64> {nn.output = "y"}) {
  %y = arith.addi %ids, %ids : tensor<2xi64>
  return %y : tensor<2xi64>
}

// JSON gives booleans as true and false, or as 1 and 0. Other numbers are refused.
// RUN: echo '{"c": [true, false], "x": [1, 2], "y": [3, 4]}' > %t.words.json && echo '{"c": [1, 0], "x": [1, 2], "y": [3, 4]}' > %t.numbers.json
// RUN: nibble-run %s --entry=main --inputs %t.words.json | FileCheck %s
// RUN: nibble-run %s --entry=main --inputs %t.numbers.json | FileCheck %s
// RUN: echo '{"c": [2, 0], "x": [1, 2], "y": [3, 4]}' > %t.two.json && echo '{"c": [1, 0], "x": [true, 2], "y": [3, 4]}' > %t.float.json
// RUN: %refuses 3 two.json "'c' is not BOOL [2]" "true or false" -- nibble-run %s --entry=main --inputs %t.two.json
// RUN: %refuses 3 float.json "'x' is not F32 [2]" -- nibble-run %s --entry=main --inputs %t.float.json
// CHECK: result0 F32 [2]: 1 4
// CHECK-NEXT: result1 BOOL [2]: 1 0
func.func @main(%c: tensor<2xi1> {nn.input = "c"}, %x: tensor<2xf32> {nn.input = "x"}, %y: tensor<2xf32> {nn.input = "y"})
    -> (tensor<2xf32>, tensor<2xi1>) {
  %r = arith.select %c, %x, %y : tensor<2xi1>, tensor<2xf32>
  return %r, %c : tensor<2xf32>, tensor<2xi1>
}

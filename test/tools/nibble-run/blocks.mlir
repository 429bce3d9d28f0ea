// A function of several blocks runs like one with structured control flow, including a returned argument.
// RUN: nibble-run %s --entry=branch --random 1 | FileCheck %s --check-prefix=BRANCH
// RUN: echo '{"x": [1, 2], "c": true}' > %t.true.json && echo '{"x": [1, 2], "c": false}' > %t.false.json
// RUN: nibble-run %s --entry=choose --inputs %t.true.json | FileCheck %s --check-prefix=TRUE
// RUN: nibble-run %s --entry=choose --inputs %t.false.json | FileCheck %s --check-prefix=FALSE
// RUN: nibble compile %s --program=none -o %t.nbl && nibble-run %t.nbl --entry=choose --inputs %t.false.json | FileCheck %s --check-prefix=FALSE
// RUN: not nibble-opt %s --nibble-bufferize 2>&1 | FileCheck %s --check-prefix=BLOCKS
// BRANCH: result0 F32 [2]: {{[-0-9.]+}} {{[-0-9.]+}}
// TRUE: result0 F32 [2]: 1 2
// TRUE-NEXT: result1 F32 []: 7
// FALSE: result0 F32 [2]: 2 4
// FALSE-NEXT: result1 F32 []: 7
// BLOCKS: error: has several blocks; run lift-cf-to-scf first

func.func @branch(%x: tensor<2xf32>) -> tensor<2xf32> {
  cf.br ^a(%x : tensor<2xf32>)
^a(%y: tensor<2xf32>):
  return %y : tensor<2xf32>
}
func.func @choose(%x: tensor<2xf32> {nn.input = "x"}, %c: tensor<i1> {nn.input = "c"}) -> (tensor<2xf32>, tensor<f32>) {
  %o = arith.constant dense<7.0> : tensor<f32>
  %k = tensor.extract %c[] : tensor<i1>
  %z = arith.addf %x, %x : tensor<2xf32>
  cf.cond_br %k, ^a(%x : tensor<2xf32>), ^a(%z : tensor<2xf32>)
^a(%y: tensor<2xf32>):
  return %y, %o : tensor<2xf32>, tensor<f32>
}

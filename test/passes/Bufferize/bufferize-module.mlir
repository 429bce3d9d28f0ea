// RUN: nibble-opt %s --nibble-bufferize-module --split-input-file | FileCheck %s

// One kernel for each op. The state is updated in its argument and no longer returned.
// CHECK-LABEL: func.func @norm(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<?x64xbf16> {nn.input = "x"}
// CHECK-SAME: %[[G:[a-z0-9]+]]: memref<64xf32> {nn.state = "gradient:b"}) -> (memref<?x64xbf16> {nn.output = "y"})
// CHECK: %[[Y:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x64xbf16>
// CHECK-NEXT: kernel.compute "nn.rms_norm" ins(%[[X]], %{{.*}} : memref<?x64xbf16>, memref<64xbf16>) outs(%[[Y]] : memref<?x64xbf16>)
// CHECK-SAME: parameters = {epsilon = 9.99999997E-7 : f32}
// CHECK-NEXT: kernel.compute "nn.sum_tokens" ins(%[[Y]] : memref<?x64xbf16>) outs(%[[G]] : memref<64xf32>)
// CHECK-NEXT: return %[[Y]]
func.func @norm(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<64xbf16> {nn.parameter = "w"}, %g: tensor<64xf32> {nn.state = "gradient:b"})
    -> (tensor<?x64xbf16> {nn.output = "y"}, tensor<64xf32> {nn.output = "gradient:b"}) {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  %s = nn.sum_tokens %y, %g : tensor<?x64xbf16>, tensor<64xf32>
  return %y, %s : tensor<?x64xbf16>, tensor<64xf32>
}

// -----

// A packed weight becomes bytes that keep their type. A caller before its callee loses the state result as well.
// CHECK-LABEL: func.func @outer(
// CHECK-SAME: memref<4352xi8> {nn.packed = !qat.packed<64x64, <int4, group_size = 32>, host>
// CHECK-SAME: memref<64xf32> {nn.state = "gradient:b"}) -> memref<?x64xf32>
// CHECK-LABEL: func.func private @inner(
// CHECK: kernel.compute "qat.linear"
func.func @outer(%x: tensor<?x64xf32> {nn.input = "x"}, %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
                 %g: tensor<64xf32> {nn.state = "gradient:b"}) -> (tensor<?x64xf32>, tensor<64xf32> {nn.output = "gradient:b"}) {
  %y, %s = call @inner(%x, %p, %g) : (tensor<?x64xf32>, !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host>, tensor<64xf32>)
      -> (tensor<?x64xf32>, tensor<64xf32>)
  return %y, %s : tensor<?x64xf32>, tensor<64xf32>
}
func.func private @inner(%x: tensor<?x64xf32>, %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host>, %g: tensor<64xf32>)
    -> (tensor<?x64xf32>, tensor<64xf32>) {
  %y = qat.linear %x, %p : tensor<?x64xf32>, !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x64xf32>
  %s = nn.sum_tokens %y, %g : tensor<?x64xf32>, tensor<64xf32>
  return %y, %s : tensor<?x64xf32>, tensor<64xf32>
}

// -----

// The old state is read after the new one is computed. The new state therefore has its own buffer and is copied at the end.
// CHECK-LABEL: func.func @old_and_new(
// CHECK-SAME: %[[G:[a-z0-9]+]]: memref<64xf32> {nn.state = "gradient:b"}) -> (memref<f32> {nn.output = "old"})
// CHECK: %[[NEW:.*]] = memref.alloc() {alignment = 64 : i64} : memref<64xf32>
// CHECK: kernel.compute "nn.sum_tokens" ins(%{{.*}}) outs(%[[NEW]] : memref<64xf32>)
// CHECK: kernel.compute "nn.sum" ins(%[[G]] : memref<64xf32>)
// CHECK: memref.copy %[[NEW]], %[[G]]
// CHECK-NEXT: return
func.func @old_and_new(%x: tensor<?x64xf32> {nn.input = "x"}, %g: tensor<64xf32> {nn.state = "gradient:b"})
    -> (tensor<64xf32> {nn.output = "gradient:b"}, tensor<f32> {nn.output = "old"}) {
  %s = nn.sum_tokens %x, %g : tensor<?x64xf32>, tensor<64xf32>
  %old = nn.sum %g : tensor<64xf32> -> tensor<f32>
  return %s, %old : tensor<64xf32>, tensor<f32>
}

// -----

// Two states are exchanged: both are saved before either is overwritten.
// CHECK-LABEL: func.func @exchange(
// CHECK-SAME: %[[A:[a-z0-9]+]]: memref<64xf32> {nn.state = "a"}, %[[B:[a-z0-9]+]]: memref<64xf32> {nn.state = "b"}) {
// CHECK: memref.copy %[[B]], %[[SAVED_B:.*]] :
// CHECK: memref.copy %[[A]], %[[SAVED_A:.*]] :
// CHECK: memref.copy %[[SAVED_B]], %[[A]]
// CHECK: memref.copy %[[SAVED_A]], %[[B]]
// CHECK-NEXT: return
func.func @exchange(%a: tensor<64xf32> {nn.state = "a"}, %b: tensor<64xf32> {nn.state = "b"})
    -> (tensor<64xf32> {nn.output = "a"}, tensor<64xf32> {nn.output = "b"}) {
  return %b, %a : tensor<64xf32>, tensor<64xf32>
}

// -----

// A result that is no state is returned even when it is an argument.
// CHECK-LABEL: func.func @same(
// CHECK-SAME: -> (memref<64xf32> {nn.output = "y"})
// CHECK: memref.copy
// CHECK: return
func.func @same(%x: tensor<64xf32> {nn.input = "x"}) -> (tensor<64xf32> {nn.output = "y"}) {
  return %x : tensor<64xf32>
}

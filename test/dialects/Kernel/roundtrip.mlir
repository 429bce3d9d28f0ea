// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// RUN: nibble-opt %s --mlir-print-op-generic | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @compute
// CHECK: kernel.compute "nn.rms_norm" ins(%{{.*}}, %{{.*}} : memref<?x64xbf16>, memref<64xbf16>) outs(%{{.*}} : memref<?x64xbf16>)
// CHECK-SAME: {input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>], parameters = {epsilon = {{.*}} : f32}}
// CHECK: kernel.compute "nn.none" ins() outs() {input_types = [], output_types = [], parameters = {}}
func.func @compute(%x: memref<?x64xbf16>, %w: memref<64xbf16>, %y: memref<?x64xbf16>) {
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
      {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
  kernel.compute "nn.none" ins() outs() {parameters = {}, input_types = [], output_types = []}
  return
}

// CHECK-LABEL: func.func @state
// CHECK: kernel.write_state %{{.*}}, %{{.*}} : tensor<64x64xbf16>
// CHECK: kernel.write_state %{{.*}}, %{{.*}} : !qat.packed<64x64, <int4, group_size = 32>, host>
func.func @state(%w: tensor<64x64xbf16>, %p: !qat.packed<64x64, <int4, group_size = 32>, host>)
    -> (tensor<64x64xbf16>, !qat.packed<64x64, <int4, group_size = 32>, host>) {
  %0 = kernel.write_state %w, %w : tensor<64x64xbf16>
  %1 = kernel.write_state %p, %p : !qat.packed<64x64, <int4, group_size = 32>, host>
  return %0, %1 : tensor<64x64xbf16>, !qat.packed<64x64, <int4, group_size = 32>, host>
}

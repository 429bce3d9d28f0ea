// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v4 --nibble-emit-host-kernels | FileCheck %s

// Two equal kernels are one function. A different parameter makes another function.
// CHECK-LABEL: func.func @f(
// CHECK-NEXT: call @[[A:nn_rms_norm[_0-9]*]](
// CHECK-NEXT: call @[[A]](
// CHECK-NEXT: call @[[B:nn_rms_norm[_0-9]*]](
// CHECK: func.func private @[[A]](
// CHECK: scf.parallel
// N13: sixteen lanes, one fused multiply-add each, then the tree 8, 4, 2, 1.
// CHECK: math.fma %{{.*}} : vector<16xf32>
// CHECK: vector.extract_strided_slice %{{.*}} {offsets = [8], sizes = [8], strides = [1]}
// CHECK: func.func private @[[B]](
func.func @f(%x: memref<?x64xf32>, %w: memref<64xf32>, %y: memref<?x64xf32>) {
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xf32>, memref<64xf32>) outs(%y : memref<?x64xf32>)
      {input_types = [tensor<?x64xf32>, tensor<64xf32>], output_types = [tensor<?x64xf32>], parameters = {epsilon = 1.0e-6 : f32}}
  kernel.compute "nn.rms_norm" ins(%y, %w : memref<?x64xf32>, memref<64xf32>) outs(%x : memref<?x64xf32>)
      {input_types = [tensor<?x64xf32>, tensor<64xf32>], output_types = [tensor<?x64xf32>], parameters = {epsilon = 1.0e-6 : f32}}
  kernel.compute "nn.rms_norm" ins(%y, %w : memref<?x64xf32>, memref<64xf32>) outs(%x : memref<?x64xf32>)
      {input_types = [tensor<?x64xf32>, tensor<64xf32>], output_types = [tensor<?x64xf32>], parameters = {epsilon = 1.0e-5 : f32}}
  return
}

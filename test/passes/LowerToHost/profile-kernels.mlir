// Kernels and linalg ops over buffers are timed at their calls, each under a label of its own.
// RUN: nibble-opt %s --nibble-profile-kernels | FileCheck %s

// CHECK-DAG: memref.global "private" constant @profile_label_0 : memref<{{[0-9]+}}xi8>
// CHECK-DAG: memref.global "private" constant @profile_label_1 : memref<{{[0-9]+}}xi8>

// CHECK-LABEL: func.func @kernels
// CHECK: %[[FIRST:.*]] = call @nibble_profile_begin() : () -> i64
// CHECK: kernel.compute "nn.rms_norm"
// CHECK: memref.get_global @profile_label_0
// CHECK: call @nibble_profile_end(%{{.*}}, %[[FIRST]]) : (i64, i64) -> ()
// CHECK: %[[SECOND:.*]] = call @nibble_profile_begin()
// CHECK: linalg.fill
// CHECK: call @nibble_profile_end(%{{.*}}, %[[SECOND]])
// CHECK: func.func private @nibble_profile_begin() -> i64
// CHECK: func.func private @nibble_profile_end(i64, i64)
func.func @kernels(%x: memref<?x64xbf16>, %w: memref<64xbf16>, %y: memref<?x64xbf16>) {
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
      {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
  %zero = arith.constant 0.0 : bf16
  linalg.fill ins(%zero : bf16) outs(%y : memref<?x64xbf16>)
  return
}

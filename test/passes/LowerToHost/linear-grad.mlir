// RUN: nibble-opt %s --nibble-host-loops | FileCheck %s

// A row of 256 columns is decoded once for all tokens of a chunk; the next rows' dy is asked for while this one is
// widened; then tiles of six tokens by one vector run over each quad of 64 columns. Chunks are dealt out by the number
// of threads.
// CHECK-LABEL: func.func private @qat_linear_input_grad_0
// CHECK: call @omp_get_max_threads()
// CHECK: scf.parallel
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<4x96x64xf32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<192x96xf32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<4x192x64xf32>
// CHECK-COUNT-16: host.lane_lookup
// CHECK-NOT: host.lane_lookup
// CHECK: memref.prefetch %arg0[{{.*}}], read, locality<3>, data : memref<?x512xbf16>
// CHECK: scf.for {{.*}} iter_args(
// CHECK-COUNT-6: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
#int4 = #qat.scheme<int4, group_size = 32>
func.func @input_grad(%dy: tensor<?x512xbf16>, %w: !qat.packed<512x512, #int4, host>) -> tensor<?x512xbf16> {
  %dx = qat.linear_input_grad %dy, %w : tensor<?x512xbf16>, !qat.packed<512x512, #int4, host> -> tensor<?x512xbf16>
  return %dx : tensor<?x512xbf16>
}

// A block of 96 tokens is widened once for 256 columns, x in quads and dy; the rows of dw that the next tile continues
// are asked for before this one's tokens are walked.
// CHECK-LABEL: func.func private @nn_linear_weight_grad_0
// CHECK-SAME: %[[DW:[a-z0-9]+]]: memref<144x512xf32>)
// CHECK: scf.parallel
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<4x96x64xf32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<96x132xf32>
// CHECK-COUNT-16: arith.extf
// CHECK: memref.prefetch %{{.*}}, read, locality<3>, data : memref<?x144xbf16>
// CHECK-COUNT-6: memref.prefetch %[[DW]]
// CHECK: scf.for {{.*}} iter_args(
// CHECK-COUNT-6: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
func.func @weight_grad(%dy: tensor<?x144xbf16>, %x: tensor<?x512xbf16>,
                       %init: tensor<144x512xf32> {nn.state = "gradient"}) -> tensor<144x512xf32> {
  %dw = nn.linear_weight_grad %dy, %x, %init : tensor<?x144xbf16>, tensor<?x512xbf16>, tensor<144x512xf32>
  return %dw : tensor<144x512xf32>
}

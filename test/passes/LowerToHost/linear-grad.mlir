// RUN: nibble-opt %s --nibble-host-loops | FileCheck %s

// A row of 256 columns is decoded once for all tokens of a chunk. While its dy is widened, the next rows' dy is prefetched. Tiles of six
// tokens by one vector then run over each quad of 64 columns. The number of threads determines the chunks.
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

// A block of 96 tokens is widened once for 256 columns, x in quads and dy. Before the loop over its tokens, the rows of dw for the next
// tile are prefetched.
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

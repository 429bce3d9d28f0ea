// RUN: nibble-opt %s --nibble-host-loops --split-input-file | FileCheck %s

// With few tokens and ordinary scales, codes go through registers into the sums. With sixteen vector registers a tile is four tokens by one
// row, and each table serves twice (groups of 32). Otherwise four rows are decoded into a panel of the thread, with a table for each group.
// Tiles of three tokens run over the panel, eight lanes at a time.
// CHECK-LABEL: func.func private @qat_linear_0
// CHECK: scf.parallel
// CHECK: scf.parallel
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<16x4x16xf32>
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<4x8x16xf32>
// CHECK: vector.reduction <maxui>
// CHECK: scf.if
// CHECK: scf.for {{.*}} iter_args(
// CHECK: memref.prefetch %arg1
// CHECK: vector.load %arg1[{{.*}}] : memref<{{.*}}xi8>, vector<64xi8>
// CHECK-COUNT-8: host.lane_lookup
// CHECK-NOT: host.lane_lookup
// CHECK: scf.yield
// CHECK: } else {
// CHECK: scf.for
// CHECK: vector.load %arg1[{{.*}}] : memref<{{.*}}xi8>, vector<64xi8>
// CHECK-COUNT-8: host.lane_lookup
// CHECK-NOT: host.lane_lookup
// CHECK: scf.for {{.*}} iter_args(
// CHECK-COUNT-12: math.fma {{.*}} : vector<8xf32>
// CHECK-NOT: math.fma
// CHECK: scf.yield
#int4 = #qat.scheme<int4, group_size = 32>
func.func @packed(%x: tensor<?x256xbf16>, %w: !qat.packed<64x256, #int4, host>) -> tensor<?x64xbf16> {
  %y = qat.linear %x, %w : tensor<?x256xbf16>, !qat.packed<64x256, #int4, host> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

// The weight's gradient continues in its incoming accumulator: six rows by one vector.
// CHECK-LABEL: func.func private @nn_linear_weight_grad_0
// CHECK-SAME: %[[DW:[a-z0-9]+]]: memref<48x64xf32>)
// CHECK-COUNT-6: vector.load %[[DW]]
// CHECK: scf.for {{.*}} iter_args(
// CHECK-COUNT-6: math.fma
// CHECK-NOT: math.fma
// CHECK-COUNT-6: vector.store %{{.*}}, %[[DW]]
func.func @weight_grad(%dy: tensor<?x48xbf16>, %x: tensor<?x64xbf16>,
                       %init: tensor<48x64xf32> {nn.state = "gradient"}) -> tensor<48x64xf32> {
  %dw = nn.linear_weight_grad %dy, %x, %init : tensor<?x48xbf16>, tensor<?x64xbf16>, tensor<48x64xf32>
  return %dw : tensor<48x64xf32>
}

// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// RUN: nibble-opt %s --mlir-print-op-generic | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @launches
func.func @launches(%x: memref<?x64xbf16>, %rows: index) {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  // CHECK: hopper.launch @kernels::@nothing grid(%[[ROWS:.*]], %[[ONE:.*]], %[[ONE]]) args()
  hopper.launch @kernels::@nothing grid(%rows, %c1, %c1) args()
  // CHECK: hopper.launch @kernels::@copy grid(%[[ROWS]], %[[ONE]], %[[ONE]]) args(%[[X:.*]], %[[ROWS]] : memref<?x64xbf16>, index) operations(%[[ROWS]])
  hopper.launch @kernels::@copy grid(%rows, %c1, %c1) args(%x, %rows : memref<?x64xbf16>, index) operations(%rows)
  // CHECK: hopper.launch @kernels::@copy grid({{.*}}) args(%[[X]], %[[ROWS]] : memref<?x64xbf16>, index) touches(%[[ROWS]]) {consumed = array<i32: 0>, partly = array<i32: 0>}
  hopper.launch @kernels::@copy grid(%rows, %c1, %c1) args(%x, %rows : memref<?x64xbf16>, index) touches(%rows) {consumed = array<i32: 0>, partly = array<i32: 0>}
  // CHECK: %[[MAP:.*]] = hopper.tensor_map %[[X]] extents(%{{.*}}, %[[ROWS]]) strides(%{{.*}}) box [64, 128] swizzle 128 : memref<?x64xbf16>
  %map = hopper.tensor_map %x extents(%c64, %rows) strides(%c128) box [64, 128] swizzle 128 : memref<?x64xbf16>
  // CHECK: hopper.tensor_map %[[X]] extents(%{{.*}}) strides() box [256] swizzle 0 : memref<?x64xbf16>
  %row = hopper.tensor_map %x extents(%c64) strides() box [256] swizzle 0 : memref<?x64xbf16>
  // CHECK: hopper.launch @kernels::@mapped grid({{.*}}) args(%[[MAP]] : !hopper.tensor_map)
  hopper.launch @kernels::@mapped grid(%rows, %c1, %c1) args(%map : !hopper.tensor_map)
  // CHECK: hopper.launch @kernels::@tabled grid({{.*}}) args(%[[ROWS]], %[[X]], %[[X]], %[[ROWS]] : index, memref<?x64xbf16>, memref<?x64xbf16>, index)
  hopper.launch @kernels::@tabled grid(%rows, %c1, %c1) args(%rows, %x, %x, %rows : index, memref<?x64xbf16>, memref<?x64xbf16>, index)
  return
}

gpu.module @kernels {
  gpu.func @nothing() kernel {
    gpu.return
  }
  gpu.func @copy(%x: !llvm.ptr<1>, %rows: i64) kernel {
    gpu.return
  }
  gpu.func @mapped(%map: !llvm.ptr {hopper.tensor_map}) kernel {
    gpu.return
  }
  gpu.func @tabled(%rows: i64, %table: !llvm.ptr) kernel attributes {hopper.table = 3 : i64} {
    gpu.return
  }

  // CHECK-LABEL: gpu.func @rings
  gpu.func @rings(%weights: !llvm.ptr<1>, %map: !llvm.ptr {hopper.tensor_map}, %i: i32, %bytes: i32) {
    // CHECK: hopper.shared_memory 16384
    %tile = hopper.shared_memory 16384
    // CHECK: %[[RING:.*]] = hopper.ring 0 : <4 x 20480, consumers = 2>
    %ring = hopper.ring 0 : <4 x 20480, consumers = 2>
    // CHECK: hopper.ring_init %[[RING]] : <4 x 20480, consumers = 2>
    hopper.ring_init %ring : <4 x 20480, consumers = 2>
    // CHECK: hopper.roles registers 40, 232 producer {
    hopper.roles registers 40, 232 producer {
      // CHECK: %[[SLOT:.*]] = hopper.ring_acquire %[[RING]][%[[I:.*]]] expect %[[BYTES:.*]] : <4 x 20480, consumers = 2>
      %slot = hopper.ring_acquire %ring[%i] expect %bytes : <4 x 20480, consumers = 2>
      // CHECK: hopper.bulk_copy %{{.*}} to %[[SLOT]], %[[BYTES]] on %[[RING]][%[[I]]] once : <4 x 20480, consumers = 2>
      hopper.bulk_copy %weights to %slot, %bytes on %ring[%i] once : <4 x 20480, consumers = 2>
      // CHECK: hopper.bulk_copy %{{.*}} to %[[SLOT]], %[[BYTES]] on %[[RING]][%[[I]]] : <4 x 20480, consumers = 2>
      hopper.bulk_copy %weights to %slot, %bytes on %ring[%i] : <4 x 20480, consumers = 2>
      // CHECK: hopper.tensor_copy %{{.*}}[%[[I]], %[[I]]] to %[[SLOT]] on %[[RING]][%[[I]]] : !llvm.ptr, <4 x 20480, consumers = 2>
      hopper.tensor_copy %map[%i, %i] to %slot on %ring[%i] : !llvm.ptr, <4 x 20480, consumers = 2>
    // CHECK: } consumers {
    } consumers {
      // CHECK: hopper.ring_wait %[[RING]][%[[I]]] : <4 x 20480, consumers = 2>
      %slot = hopper.ring_wait %ring[%i] : <4 x 20480, consumers = 2>
      // CHECK: hopper.ring_release %[[RING]][%[[I]]] : <4 x 20480, consumers = 2>
      hopper.ring_release %ring[%i] : <4 x 20480, consumers = 2>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @matrices
  gpu.func @matrices(%tile: !llvm.ptr<3>, %codes: i32, %scale: i32, %d: vector<64xf32>, %e: vector<4xf32>) {
    // CHECK: %[[A:.*]] = hopper.descriptor %{{.*}} leading 16 stride 1024 swizzle 128
    %a = hopper.descriptor %tile leading 16 stride 1024 swizzle 128
    // CHECK: %[[FRAGMENT:.*]] = hopper.dequantize %{{.*}}, %[[SCALE:.*]], %[[SCALE]] : vector<4xi32>
    %fragment = hopper.dequantize %codes, %scale, %scale : vector<4xi32>
    // CHECK: hopper.dequantize_small %{{.*}}, %[[SCALE]], %[[SCALE]], %[[SCALE]], %[[SCALE]] : vector<4xi32>
    %small = hopper.dequantize_small %codes, %scale, %scale, %scale, %scale : vector<4xi32>
    // CHECK: %[[F:.*]]:2 = hopper.wgmma_fence %{{.*}}, %{{.*}} : vector<64xf32>, vector<4xf32>
    %f:2 = hopper.wgmma_fence %d, %e : vector<64xf32>, vector<4xf32>
    // CHECK: %[[G:.*]] = hopper.wgmma %[[FRAGMENT]], %[[A]], %[[F]]#0 : vector<4xi32>, vector<64xf32>
    %g = hopper.wgmma %fragment, %a, %f#0 : vector<4xi32>, vector<64xf32>
    // CHECK: %[[H:.*]] = hopper.wgmma %[[A]], %[[A]], %[[F]]#1 a_transposed b_transposed : i64, vector<4xf32>
    %h = hopper.wgmma %a, %a, %f#1 a_transposed b_transposed : i64, vector<4xf32>
    // CHECK: hopper.wgmma_wait 1 %[[G]] : vector<64xf32>
    %w = hopper.wgmma_wait 1 %g : vector<64xf32>
    // CHECK: hopper.wgmma_wait 0 %{{.*}}, %[[H]] : vector<64xf32>, vector<4xf32>
    %v:2 = hopper.wgmma_wait 0 %w, %h : vector<64xf32>, vector<4xf32>
    gpu.return
  }
}

// CHECK: module attributes {kernel.target = #hopper.target<"h200">}
module attributes {kernel.target = #hopper.target<"h200">} {}
// CHECK: module attributes {kernel.target = #hopper.target<"h200", sms = 60>}
module attributes {kernel.target = #hopper.target<"h200", sms = 60>} {}

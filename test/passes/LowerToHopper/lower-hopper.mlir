// RUN: nibble-opt %s --pass-pipeline='builtin.module(gpu.module(nibble-lower-hopper))' --split-input-file | FileCheck %s

// A kernel becomes an LLVM function with its block size. A tensor map is passed by value.
// CHECK-LABEL: gpu.module @kernels
// CHECK: llvm.mlir.global external @nibble_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK: llvm.func @kernel(%{{.*}}: !llvm.ptr<1> {llvm.align = 16 : i64}, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.*}}: i64)
// CHECK-SAME: nvvm.cluster_dim = array<i32: 4, 1, 1>
// CHECK-SAME: nvvm.kernel
// CHECK-SAME: nvvm.minctasm = 1 : i32
// CHECK-SAME: nvvm.reqntid = array<i32: 384>
// CHECK-NOT: gpu.func
// CHECK: llvm.return
gpu.module @kernels {
  gpu.func @kernel(%x: !llvm.ptr<1>, %map: !llvm.ptr {hopper.tensor_map}, %rows: i64) kernel
      attributes {hopper.threads = 384 : i64, hopper.cluster = 4 : i64, hopper.shared_bytes = 0 : i64} {
    gpu.return
  }
}

// -----

// A ring of 3 stages of 2048 bytes at byte 1024: slots, then three full and three empty barriers. Use i is stage i mod 3 in phase (i / 3)
// mod 2.
// CHECK-LABEL: gpu.module @rings
// CHECK-COUNT-6: mbarrier.init.shared::cta.b64 [$0], $1;
// CHECK-NOT: mbarrier.init
// CHECK: fence.mbarrier_init.release.cluster;
// Roles: the first warpgroup releases registers and continues with one thread. The others acquire them.
// CHECK: scf.if
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: scf.if
// The producer waits for the opposite parity of the consumers, since the first round is free.
// CHECK: %[[STAGES:.*]] = arith.constant 3 : i32
// CHECK-NEXT: arith.remui %{{.*}}, %[[STAGES]]
// CHECK: arith.divui
// CHECK: arith.xori
// CHECK: mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1;
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 state, [$0], $1;
// CHECK: createpolicy.fractional.L2::evict_first.b64
// CHECK-SAME: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [$0], [$1], $2, [$3], policy;
// CHECK: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1], $2, [$3];
// CHECK: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3}], [$4];
// CHECK: } else {
// CHECK: nvvm.setmaxregister increase 232
// CHECK-NOT: arith.xori
// CHECK: mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1;
// CHECK: mbarrier.arrive.shared::cta.b64 state, [$0];
// CHECK-NOT: hopper.ring
gpu.module @rings {
  gpu.func @kernel(%x: !llvm.ptr<1>, %map: !llvm.ptr {hopper.tensor_map}, %i: i32, %bytes: i32) kernel
      attributes {hopper.threads = 384 : i64, hopper.cluster = 1 : i64, hopper.shared_bytes = 8192 : i64} {
    %ring = hopper.ring 1024 : <3 x 2048, consumers = 2>
    hopper.ring_init %ring : <3 x 2048, consumers = 2>
    hopper.roles registers 40, 232 producer {
      %slot = hopper.ring_acquire %ring[%i] expect %bytes : <3 x 2048, consumers = 2>
      hopper.bulk_copy %x to %slot, %bytes on %ring[%i] once : <3 x 2048, consumers = 2>
      hopper.bulk_copy %x to %slot, %bytes on %ring[%i] : <3 x 2048, consumers = 2>
      hopper.tensor_copy %map[%i, %i] to %slot on %ring[%i] : !llvm.ptr, <3 x 2048, consumers = 2>
    } consumers {
      %slot = hopper.ring_wait %ring[%i] : <3 x 2048, consumers = 2>
      hopper.ring_release %ring[%i] : <3 x 2048, consumers = 2>
    }
    gpu.return
  }
}

// -----

// Matrix instructions with A from registers or from shared memory, either one transposed. Each adds to its accumulator.
// CHECK-LABEL: gpu.module @matrices
// A descriptor: swizzle 128 in bits 62 and 63, stride 1024 / 16 from bit 32, leading 16 / 16 from bit 16.
// CHECK-DAG: arith.constant 4611686293305360384 : i64
// CHECK: wgmma.fence.sync.aligned;
// CHECK-SAME: "=f,=f,=f,=f,0,1,2,3,~{memory}"
// CHECK: setp.eq.u32 accumulate, 0, 0;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, {$4, $5, $6, $7}, $8, accumulate, 1, 1, 0;
// CHECK-SAME: "=f,=f,=f,=f,r,r,r,r,l,0,1,2,3,~{memory}"
// CHECK: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $4, $5, accumulate, 1, 1, 1, 1;
// CHECK-SAME: "=f,=f,=f,=f,l,l,0,1,2,3,~{memory}"
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK-NOT: hopper.wgmma
gpu.module @matrices {
  gpu.func @kernel(%x: !llvm.ptr<1>, %a: vector<4xi32>, %d: vector<4xf32>) kernel
      attributes {hopper.threads = 128 : i64, hopper.cluster = 1 : i64, hopper.shared_bytes = 8192 : i64} {
    %tile = hopper.shared_memory 2048
    %b = hopper.descriptor %tile leading 16 stride 1024 swizzle 128
    %0 = hopper.wgmma_fence %d : vector<4xf32>
    %1 = hopper.wgmma %a, %b, %0 : vector<4xi32>, vector<4xf32>
    %2 = hopper.wgmma %b, %b, %1 a_transposed b_transposed : i64, vector<4xf32>
    %3 = hopper.wgmma_wait 0 %2 : vector<4xf32>
    llvm.store %3, %x : vector<4xf32>, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// N5: 128 + u by a mask and an or in one instruction, 136 subtracted, one product rounded; for four pairs of codes, the scales in turn.
// CHECK-LABEL: gpu.module @codes
// CHECK: llvm.func @kernel(%[[X:.*]]: !llvm.ptr<1> {{.*}}, %[[CODES:.*]]: i32, %[[LOW:.*]]: i32, %[[HIGH:.*]]: i32)
// CHECK-DAG: %[[MASK:.*]] = arith.constant 983055 : i32
// CHECK-DAG: %[[BIAS:.*]] = arith.constant 1124090624 : i32
// CHECK: llvm.inline_asm {{.*}} "lop3.b32 $0, $1, $2, $3, 0xEA;", "=r,r,r,r" %[[CODES]], %[[MASK]], %[[BIAS]]
// CHECK: llvm.inline_asm {{.*}} "sub.rn.bf16x2 $0, $1, $2;"
// CHECK: llvm.inline_asm {{.*}} "mul.rn.bf16x2 $0, $1, $2;", "=r,r,r" %{{.*}}, %[[LOW]]
// CHECK: arith.shrui %[[CODES]]
// CHECK: llvm.inline_asm {{.*}} "sub.rn.bf16x2 $0, $1, $2;"
// CHECK: llvm.inline_asm {{.*}} "mul.rn.bf16x2 $0, $1, $2;", "=r,r,r" %{{.*}}, %[[HIGH]]
// CHECK: "mul.rn.bf16x2 $0, $1, $2;", "=r,r,r" %{{.*}}, %[[LOW]]
// CHECK: "mul.rn.bf16x2 $0, $1, $2;", "=r,r,r" %{{.*}}, %[[HIGH]]
// CHECK-NOT: hopper.dequantize
gpu.module @codes {
  gpu.func @kernel(%x: !llvm.ptr<1>, %codes: i32, %low: i32, %high: i32) kernel
      attributes {hopper.threads = 128 : i64, hopper.cluster = 1 : i64, hopper.shared_bytes = 0 : i64} {
    %a = hopper.dequantize %codes, %low, %high : vector<4xi32>
    llvm.store %a, %x : vector<4xi32>, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// The same for small scales. Two pairs of codes are subnormal numbers in place, the others after one shift.
// CHECK-LABEL: gpu.module @small
// CHECK: llvm.func @kernel(%[[X:.*]]: !llvm.ptr<1> {{.*}}, %[[CODES:.*]]: i32, %[[LOW:.*]]: i32, %[[ML:.*]]: i32, %[[HIGH:.*]]: i32, %[[MH:.*]]: i32)
// CHECK: %[[SHIFTED:.*]] = arith.shrui %[[CODES]]
// CHECK: %[[FIRST:.*]] = arith.constant 983055 : i32
// CHECK: %[[PAIR:.*]] = arith.andi %[[CODES]], %[[FIRST]]
// CHECK: llvm.inline_asm {{.*}}"fma.rn.bf16x2 $0, $1, $2, $3;", "=r,r,r,r" %[[PAIR]], %[[LOW]], %[[ML]]
// CHECK: %[[SECOND:.*]] = arith.constant 15728880 : i32
// CHECK: %[[PAIR:.*]] = arith.andi %[[CODES]], %[[SECOND]]
// CHECK: llvm.inline_asm {{.*}}"fma.rn.bf16x2 $0, $1, $2, $3;", "=r,r,r,r" %[[PAIR]], %[[HIGH]], %[[MH]]
// CHECK: arith.andi %[[SHIFTED]]
// CHECK: arith.andi %[[SHIFTED]]
gpu.module @small {
  gpu.func @kernel(%x: !llvm.ptr<1>, %codes: i32, %low: i32, %minusLow: i32, %high: i32, %minusHigh: i32) kernel
      attributes {hopper.threads = 128 : i64, hopper.cluster = 1 : i64, hopper.shared_bytes = 0 : i64} {
    %a = hopper.dequantize_small %codes, %low, %minusLow, %high, %minusHigh : vector<4xi32>
    llvm.store %a, %x : vector<4xi32>, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// A table is a parameter by value, with eight bytes for each value.
// CHECK-LABEL: gpu.module @table
// CHECK: llvm.func @kernel(%{{.*}}: !llvm.ptr<1> {llvm.align = 16 : i64}, %{{.*}}: !llvm.ptr {llvm.align = 8 : i64, llvm.byval = !llvm.array<48 x i8>, nvvm.grid_constant})
gpu.module @table {
  gpu.func @kernel(%x: !llvm.ptr<1>, %table: !llvm.ptr) kernel
      attributes {hopper.threads = 128 : i64, hopper.cluster = 1 : i64, hopper.shared_bytes = 0 : i64, hopper.table = 6 : i64} {
    gpu.return
  }
}

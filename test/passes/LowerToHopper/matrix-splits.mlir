// RUN: nibble-opt %s --nibble-hopper-kernels --split-input-file | FileCheck %s

// A split of K has at least 512 columns, so 1016 columns are one split.
// CHECK-LABEL: func.func @one
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_bf16_
// CHECK-NOT: splits
// CHECK: gpu.func @matrix_rows_rows_8_bf16_{{.*}}hopper.cluster = 1 : i64
// CHECK-SAME: hopper.threads = 384 : i64
// CHECK-NOT: st.async
func.func @one(%x: tensor<?x1016xbf16> {nn.input = "x"}, %w: tensor<128x1016xbf16> {nn.parameter = "w"}) -> (tensor<?x128xbf16> {nn.output = "y"}) {
  %y = nn.linear %x, %w : tensor<?x1016xbf16>, tensor<128x1016xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

// Two splits. With few columns one block does both. It needs no cluster and no st.async, which an H200 refuses without a cluster. With many
// columns the splits run one after the other.
// CHECK-LABEL: func.func @two
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits2_bf16_
// CHECK: hopper.launch @kernels::@matrix_rows_rows_128_splits2_bf16_
// CHECK: hopper.launch @kernels::@matrix_rows_rows_256_splits2_bf16_
// CHECK: gpu.func @matrix_rows_rows_8_splits2_bf16_{{.*}}hopper.cluster = 1 : i64
// CHECK-SAME: hopper.threads = 640 : i64
// CHECK-NOT: st.async
// CHECK: gpu.func @matrix_rows_rows_64_splits2_bf16_{{.*}}hopper.cluster = 1 : i64
// CHECK-SAME: hopper.threads = 384 : i64
// CHECK: gpu.func @matrix_rows_rows_128_splits2_bf16_
// CHECK: arith.addf %{{.*}} : vector<64xf32>
// With 256 columns, registers hold half of the totals and shared memory holds the others.
// CHECK: gpu.func @matrix_rows_rows_256_splits2_bf16_
// CHECK: scf.for
// CHECK: hopper.wgmma_wait 0
// CHECK-COUNT-64: arith.addf
// CHECK: llvm.load {{.*}} -> vector<4xf32>
// CHECK-COUNT-4: arith.addf
// CHECK: llvm.store {{.*}} vector<4xf32>
func.func @two(%x: tensor<?x1024xbf16> {nn.input = "x"}, %w: tensor<128x1024xbf16> {nn.parameter = "w"}) -> (tensor<?x128xbf16> {nn.output = "y"}) {
  %y = nn.linear %x, %w : tensor<?x1024xbf16>, tensor<128x1024xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

// Four splits: a cluster has two blocks with two splits each. A block waits for the other's barrier, then sends it the sums of its rows. It
// waits for the bytes of its own rows and adds the splits in order, starting from 0. Tiles of more than 32 columns have neither cluster nor
// exchange.
// CHECK-LABEL: func.func @four
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits4_bf16_{{[0-9]+}} grid(%c2, %{{.*}}, %c1)
// CHECK: hopper.launch @kernels::@matrix_rows_rows_64_splits4_bf16_{{[0-9]+}} grid(%c1, %{{.*}}, %c1)
// CHECK: gpu.func @matrix_rows_rows_8_splits4_bf16_{{.*}}hopper.cluster = 2 : i64
// CHECK-SAME: hopper.threads = 640 : i64
// CHECK: mbarrier.arrive.expect_tx
// CHECK: nvvm.cluster.arrive.relaxed
// CHECK: nvvm.cluster.wait
// CHECK: mapa.shared::cluster
// CHECK: st.async.shared::cluster
// CHECK: arith.addf %{{.*}}, %cst
// CHECK-COUNT-3: arith.addf
// CHECK: gpu.func @matrix_rows_rows_64_splits4_bf16_{{.*}}hopper.cluster = 1 : i64
// CHECK-SAME: hopper.threads = 384 : i64
// CHECK-NOT: st.async
func.func @four(%x: tensor<?x2048xbf16> {nn.input = "x"}, %w: tensor<128x2048xbf16> {nn.parameter = "w"}) -> (tensor<?x128xbf16> {nn.output = "y"}) {
  %y = nn.linear %x, %w : tensor<?x2048xbf16>, tensor<128x2048xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

// Eight splits, when a cluster of four leaves no SM idle. With too many rows for that there are fewer.
// CHECK-LABEL: func.func @eight
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits8_bf16_
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits4_bf16_{{[0-9]+}} grid(%c68, %{{.*}}, %c1)
// CHECK: gpu.func @matrix_rows_rows_8_splits8_bf16_{{.*}}hopper.cluster = 4 : i64
func.func @eight(%x: tensor<?x4096xbf16> {nn.input = "x"}, %w: tensor<128x4096xbf16> {nn.parameter = "w"}, %v: tensor<4352x4096xbf16> {nn.parameter = "v"})
    -> (tensor<?x128xbf16> {nn.output = "y"}, tensor<?x4352xbf16> {nn.output = "z"}) {
  %y = nn.linear %x, %w : tensor<?x4096xbf16>, tensor<128x4096xbf16> -> tensor<?x128xbf16>
  %z = nn.linear %x, %v : tensor<?x4096xbf16>, tensor<4352x4096xbf16> -> tensor<?x4352xbf16>
  return %y, %z : tensor<?x128xbf16>, tensor<?x4352xbf16>
}

// -----

// Up to 64 tokens, four splits of packed weights with many columns run in parallel. With more tokens they run one after the other.
// CHECK-LABEL: func.func @deep
// CHECK: hopper.launch @kernels::@matrix_packed_rows_32_s1_splits4_bf16_
// CHECK: hopper.launch @kernels::@matrix_packed_rows_64_s1_beside_splits4_bf16_
// CHECK: hopper.launch @kernels::@matrix_packed_rows_64_s1_splits4_bf16_
// CHECK: gpu.func @matrix_packed_rows_64_s1_beside_splits4_bf16_{{.*}}hopper.cluster = 2 : i64
// CHECK-SAME: hopper.threads = 640 : i64
// CHECK: st.async.shared::cluster
func.func @deep(%x: tensor<?x10240xbf16> {nn.input = "x"}, %w: !qat.packed<7168x10240, <int4, group_size = 128>, hopper>) -> (tensor<?x7168xbf16> {nn.output = "y"}) {
  %y = qat.linear %x, %w : tensor<?x10240xbf16>, !qat.packed<7168x10240, <int4, group_size = 128>, hopper> -> tensor<?x7168xbf16>
  return %y : tensor<?x7168xbf16>
}

// -----

// Fewer columns are not split this way.
// CHECK-LABEL: func.func @shallow
// CHECK-NOT: beside
// CHECK: gpu.func
func.func @shallow(%x: tensor<?x8192xbf16> {nn.input = "x"}, %w: !qat.packed<7168x8192, <int4, group_size = 128>, hopper>) -> (tensor<?x7168xbf16> {nn.output = "y"}) {
  %y = qat.linear %x, %w : tensor<?x8192xbf16>, !qat.packed<7168x8192, <int4, group_size = 128>, hopper> -> tensor<?x7168xbf16>
  return %y : tensor<?x7168xbf16>
}

// -----

// An attribute overrides the choice.
// CHECK-LABEL: func.func @given
// CHECK: hopper.launch @kernels::@matrix_rows_rows_16_splits2_bf16_
// CHECK-NOT: hopper.launch
// CHECK: gpu.func
func.func @given(%x: tensor<?x4096xbf16> {nn.input = "x"}, %w: tensor<128x4096xbf16> {nn.parameter = "w"}) -> (tensor<?x128xbf16> {nn.output = "y"}) {
  %y = nn.linear %x, %w {hopper.splits = 2 : i64, hopper.tile = 16 : i64} : tensor<?x4096xbf16>, tensor<128x4096xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

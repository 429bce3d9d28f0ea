// RUN: nibble-opt %s --nibble-hopper-kernels --split-input-file | FileCheck %s

// The launches: largest logits and masses of parts of 8192, a block for each row with filters, parts of those rows again, and a block for
// each row.
// CHECK-LABEL: func.func @sample(
// CHECK: hopper.launch @kernels::@sample_maxima_20000_
// CHECK: hopper.launch @kernels::@sample_masses_20000_
// CHECK: hopper.launch @kernels::@sample_pivot_20000_
// CHECK: hopper.launch @kernels::@sample_kept_20000_
// CHECK: hopper.launch @kernels::@sample_choose_20000_

// Masses are integers: exp in double, one rounding per operation, then sums of i64.
// CHECK: gpu.func @sample_masses_20000_
// CHECK: scf.for
// CHECK: arith.divf {{.*}} : f32
// CHECK: arith.mulf {{.*}} : f64
// CHECK-NOT: fma
// CHECK: arith.addi {{.*}} : i64
// Integer atomics compute counts and masses of buckets.
// CHECK: gpu.func @sample_pivot_20000_
// CHECK: llvm.atomicrmw add {{.*}} monotonic {{.*}}, i32
// CHECK: llvm.atomicrmw add {{.*}} monotonic {{.*}}, i64
// CHECK-NOT: atomicrmw fadd
func.func @sample(%logits: tensor<?x20000xf32>, %temperature: tensor<?xf32>, %bits: tensor<?xi64>, %filtered: tensor<?xi32>,
                  %top_k: tensor<?xi32>, %top_p: tensor<?xf64>, %min_p: tensor<?xf64>) -> (tensor<?xi32>, tensor<?xf32>, tensor<?xi32>) {
  %token, %kept, %status = nn.sample %logits, %temperature, %bits, %filtered, %top_k, %top_p, %min_p
      : tensor<?x20000xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return %token, %kept, %status : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
}

// RUN: nibble-opt %s | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @sample(
// CHECK: %[[TOKEN:[a-z0-9]+]], %{{.*}}, %{{.*}} = nn.sample %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %arg6
// CHECK-SAME: : tensor<?x100xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
// CHECK: return %[[TOKEN]], %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
func.func @sample(%logits: tensor<?x100xf32>, %temperature: tensor<?xf32>, %bits: tensor<?xi64>, %filtered: tensor<?xi32>,
                  %top_k: tensor<?xi32>, %top_p: tensor<?xf64>, %min_p: tensor<?xf64>) -> (tensor<?xi32>, tensor<?xf32>, tensor<?xi32>) {
  %token, %kept, %status = nn.sample %logits, %temperature, %bits, %filtered, %top_k, %top_p, %min_p
      : tensor<?x100xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return %token, %kept, %status : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
}

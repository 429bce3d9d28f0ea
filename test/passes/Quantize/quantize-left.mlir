// A weight that a recipe names but that stays in full precision gives a warning at the op that reads it. With strict it is an error.
// RUN: nibble-opt %s -split-input-file --nibble-quantize --verify-diagnostics -o /dev/null
// RUN: not nibble-opt %s -split-input-file --nibble-quantize=strict 2>&1 | FileCheck %s
// RUN: not nibble-opt %s -split-input-file --nibble-quantize="strict exclude=^b$" 2>&1 | FileCheck %s --check-prefix=PATTERN
// CHECK-COUNT-7: error: nibble-quantize: parameter '{{[a-z.]+}}' is named by the recipe and stays in full precision
// PATTERN: error: nibble-quantize: exclude '^b$' matches only what is never packed: b is not the weight of a linear

// A product that is no nn.linear, after a transpose. A vector is never quantized, and excluded weights give no warning.
func.func @f(%x: tensor<4x64xf32>, %w: tensor<96x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
             %b: tensor<96xf32> {nn.parameter = "b"}, %e: tensor<96x64xf32> {nn.parameter = "embed_tokens"}) -> (tensor<4x96xf32>, tensor<4x64xf32>, tensor<96xf32>, tensor<96x64xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %e0 = tensor.empty() : tensor<64x64xf32>
  %t = linalg.transpose ins(%v : tensor<64x64xf32>) outs(%e0 : tensor<64x64xf32>) permutation = [1, 0]
  // expected-warning @below {{parameter 'v' is named by the recipe and stays in full precision: 'linalg.matmul' reads it, and only weights of 'nn.linear' are quantized}}
  %m = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  %y = nn.linear %m, %w : tensor<4x64xf32>, tensor<96x64xf32> -> tensor<4x96xf32>
  %n = arith.negf %b : tensor<96xf32>
  %o = arith.negf %e : tensor<96x64xf32>
  return %y, %m, %n, %o : tensor<4x96xf32>, tensor<4x64xf32>, tensor<96xf32>, tensor<96x64xf32>
}

// -----

// Quantized in one place but not in another. An embedding beside a linear keeps its values without a warning.
func.func @f(%x: tensor<4x64xf32>, %i: tensor<4xi32>, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %h = nn.embedding %i, %w : tensor<4xi32>, tensor<64x64xf32> -> tensor<4x64xf32>
  %y = nn.linear %h, %w : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
  // expected-warning @below {{parameter 'w' is named by the recipe and stays in full precision here: 'linalg.matmul' reads it}}
  %m = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y, %m : tensor<4x64xf32>, tensor<4x64xf32>
}

// -----

// Transposed at every call, and in a function that is called.
func.func private @g(%x: tensor<4x64xf32>, %w: tensor<64x96xf32>) -> tensor<4x96xf32> {
  %e = tensor.empty() : tensor<96x64xf32>
  %t = linalg.transpose ins(%w : tensor<64x96xf32>) outs(%e : tensor<96x64xf32>) permutation = [1, 0]
  // expected-warning @below {{parameter 'w' is named by the recipe and stays in full precision: 'nn.linear' reads it through 'linalg.transpose', not as it is}}
  %y = nn.linear %x, %t : tensor<4x64xf32>, tensor<96x64xf32> -> tensor<4x96xf32>
  return %y : tensor<4x96xf32>
}
func.func @f(%x: tensor<4x64xf32>, %w: tensor<64x96xf32> {nn.parameter = "w"}, %v: tensor<64x96xf32> {nn.parameter = "v"}) -> tensor<4x64xf32> {
  %y = call @g(%x, %w) : (tensor<4x64xf32>, tensor<64x96xf32>) -> tensor<4x96xf32>
  %z = nn.linear %y, %v : tensor<4x96xf32>, tensor<64x96xf32> -> tensor<4x64xf32>
  return %z : tensor<4x64xf32>
}

// -----

// Wrong shape, wrong element type, no product, no use.
// expected-warning @below {{parameter 'conv' is named by the recipe and stays in full precision: it is of type 'tensor<4x3x3x3xf32>', and what is quantized are matrices [N, K] of bf16 or f32}}
// expected-warning @below {{parameter 'half' is named by the recipe and stays in full precision: it is of type 'tensor<64x64xf16>', and}}
// expected-warning @below {{parameter 'unused' is named by the recipe and stays in full precision: nothing reads it}}
func.func @f(%x: tensor<4x64xf32>, %c: tensor<4x3x3x3xf32> {nn.parameter = "conv"}, %h: tensor<64x64xf16> {nn.parameter = "half"},
             %u: tensor<64x64xf32> {nn.parameter = "unused"}, %t: tensor<64x64xf32> {nn.parameter = "table"}, %i: tensor<4xi32>,
             %w: tensor<64x64xf32> {nn.parameter = "w"}) -> (tensor<4x64xf32>, tensor<4x3x3x3xf32>, tensor<64x64xf16>) {
  // expected-warning @below {{parameter 'table' is named by the recipe and stays in full precision: no 'nn.linear' reads it, but 'nn.embedding' does}}
  %e = nn.embedding %i, %t : tensor<4xi32>, tensor<64x64xf32> -> tensor<4x64xf32>
  %y = nn.linear %e, %w : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
  return %y, %c, %h : tensor<4x64xf32>, tensor<4x3x3x3xf32>, tensor<64x64xf16>
}

// -----

// A function has a parameter but does not multiply with it. It gets no warning when another function reads the parameter quantized.
func.func @body(%i: tensor<4xi32>, %e: tensor<64x64xf32> {nn.parameter = "tied"}, %h: tensor<64x64xf32> {nn.parameter = "head"}) -> tensor<4x64xf32> {
  %x = nn.embedding %i, %e : tensor<4xi32>, tensor<64x64xf32> -> tensor<4x64xf32>
  return %x : tensor<4x64xf32>
}
func.func @whole(%i: tensor<4xi32>, %e: tensor<64x64xf32> {nn.parameter = "tied"}, %h: tensor<64x64xf32> {nn.parameter = "head"}) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %x = call @body(%i, %e, %h) : (tensor<4xi32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<4x64xf32>
  %y = nn.linear %x, %e : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
  %z = nn.linear %x, %h : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
  return %y, %z : tensor<4x64xf32>, tensor<4x64xf32>
}

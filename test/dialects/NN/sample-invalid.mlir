// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @open(%logits: tensor<?x?xf32>, %t: tensor<?xf32>, %bits: tensor<?xi64>, %f: tensor<?xi32>, %p: tensor<?xf64>) {
  // expected-error @+1 {{'nn.sample' op logits 'tensor<?x?xf32>' must have a known extent in dimension 1}}
  %token, %kept, %status = nn.sample %logits, %t, %bits, %f, %f, %p, %p
      : tensor<?x?xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return
}

// -----

func.func @large(%logits: tensor<?x524289xf32>, %t: tensor<?xf32>, %bits: tensor<?xi64>, %f: tensor<?xi32>, %p: tensor<?xf64>) {
  // expected-error @+1 {{'nn.sample' op N16: logits of 524289 tokens; masses add up exactly for 1 to 524288}}
  %token, %kept, %status = nn.sample %logits, %t, %bits, %f, %f, %p, %p
      : tensor<?x524289xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return
}

// -----

func.func @bits(%logits: tensor<4x100xf32>, %t: tensor<4xf32>, %bits: tensor<3xi64>, %f: tensor<?xi32>, %p: tensor<?xf64>) {
  // expected-error @+1 {{'nn.sample' op bits 'tensor<3xi64>' needs extent 4 in dimension 0}}
  %token, %kept, %status = nn.sample %logits, %t, %bits, %f, %f, %p, %p
      : tensor<4x100xf32>, tensor<4xf32>, tensor<3xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<4xi32>
  return
}

// -----

func.func @filters(%logits: tensor<4x100xf32>, %t: tensor<4xf32>, %bits: tensor<4xi64>, %f: tensor<2xi32>, %p: tensor<3xf64>) {
  // expected-error @+1 {{'nn.sample' op top_p 'tensor<3xf64>' needs extent 2 in dimension 0}}
  %token, %kept, %status = nn.sample %logits, %t, %bits, %f, %f, %p, %p
      : tensor<4x100xf32>, tensor<4xf32>, tensor<4xi64>, tensor<2xi32>, tensor<3xf64> -> tensor<4xi32>
  return
}

// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @targets(%logits: tensor<3x96xf32>, %targets: tensor<4xi32>, %t: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{'nn.log_probability' op targets 'tensor<4xi32>' needs extent 3 in dimension 0}}
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %t : tensor<3x96xf32>, tensor<4xi32>, tensor<3xf32>
  return %logp : tensor<3xf32>
}

// -----

func.func @vocabulary(%logits: tensor<?x?xf32>, %targets: tensor<?xi32>, %t: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'nn.log_probability' op logits 'tensor<?x?xf32>' must have a known extent in dimension 1}}
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %t : tensor<?x?xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp : tensor<?xf32>
}

// -----

func.func @temperature(%logits: tensor<3x96xf32>, %targets: tensor<3xi32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'nn.log_probability' op temperature 'tensor<4xf32>' needs extent 3 in dimension 0}}
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %t : tensor<3x96xf32>, tensor<3xi32>, tensor<4xf32>
  return %logp : tensor<4xf32>
}

// -----

func.func @gradient_targets(%logits: tensor<3x96xf32>, %targets: tensor<4xi32>, %t: tensor<3xf32>) -> tensor<3x96xf32> {
  // expected-error @+1 {{'nn.log_probability_grad' op targets 'tensor<4xi32>' needs extent 3 in dimension 0}}
  %d = nn.log_probability_grad %t, %t, %logits, %targets, %t, %t, %t : tensor<3x96xf32>, tensor<4xi32>, tensor<3xf32>
  return %d : tensor<3x96xf32>
}

// -----

func.func @sum(%x: tensor<?xbf16>) -> tensor<f32> {
  // expected-error @+1 {{'nn.sum' op operand #0 must be 1D tensor of 32-bit float values, but got 'tensor<?xbf16>'}}
  %s = nn.sum %x : tensor<?xbf16> -> tensor<f32>
  return %s : tensor<f32>
}

// -----

func.func @broadcast(%x: tensor<1xf32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'nn.broadcast' op operand #0 must be 0D tensor of 32-bit float values, but got 'tensor<1xf32>'}}
  %y = nn.broadcast %x, %like : tensor<1xf32>, tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

func.func @square_sum(%init: tensor<f32>, %x: tensor<4xbf16>) -> tensor<f32> {
  // expected-error @+1 {{'nn.square_sum' op operand #1 must be variadic of ranked tensor of 32-bit float values, but got 'tensor<4xbf16>'}}
  %s = nn.square_sum %init, %x : tensor<f32>, tensor<4xbf16>
  return %s : tensor<f32>
}

// -----

func.func @adamw_weight(%p: tensor<64x32xf32>, %h: tensor<8xf32>) -> tensor<32x64xbf16> {
  // expected-error @+1 {{'nn.adamw' op weight 'tensor<32x64xbf16>' and master 'tensor<64x32xf32>' differ in shape}}
  %p1, %m1, %v1, %w = nn.adamw %p, %p, %p, %p, %h : tensor<64x32xf32>, tensor<8xf32> -> tensor<32x64xbf16>
  return %w : tensor<32x64xbf16>
}

// -----

func.func @adamw_hyper(%p: tensor<64x32xf32>, %h: tensor<7xf32>) -> tensor<64x32xbf16> {
  // expected-error @+1 {{'nn.adamw' op hyper 'tensor<7xf32>' needs extent 8 in dimension 0}}
  %p1, %m1, %v1, %w = nn.adamw %p, %p, %p, %p, %h : tensor<64x32xf32>, tensor<7xf32> -> tensor<64x32xbf16>
  return %w : tensor<64x32xbf16>
}

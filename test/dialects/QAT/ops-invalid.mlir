// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @fake_quant_open(%w: tensor<64x?xbf16>) -> tensor<64x?xbf16> {
  // expected-error @+1 {{'qat.fake_quant' op N2: K must be known, to be cut into groups}}
  %q = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x?xbf16>
  return %q : tensor<64x?xbf16>
}

// -----

func.func @fake_quant_groups(%w: tensor<64x48xbf16>) -> tensor<64x48xbf16> {
  // expected-error @+1 {{'qat.fake_quant' op N2: K = 48 does not divide by group_size = 32}}
  %q = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x48xbf16>
  return %q : tensor<64x48xbf16>
}

// -----

func.func @body_argument(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error @+1 {{'qat.straight_through' op the body takes one argument of type 'tensor<8x32xf32>'}}
  %y = qat.straight_through %x : tensor<8x32xf32> {
  ^bb0(%a: tensor<4xf32>):
    %e = tensor.empty() : tensor<8x32xf32>
    qat.yield %e : tensor<8x32xf32>
  }
  return %y : tensor<8x32xf32>
}

// -----

func.func @body_yield(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error @+1 {{'qat.straight_through' op the body yields one value of type 'tensor<8x32xf32>'}}
  %y = qat.straight_through %x : tensor<8x32xf32> {
  ^bb0(%a: tensor<8x32xf32>):
    qat.yield
  }
  return %y : tensor<8x32xf32>
}

// -----

func.func @yield(%x: tensor<8x32xf32>) {
  // expected-error @+1 {{'qat.yield' op expects parent op 'qat.straight_through'}}
  qat.yield %x : tensor<8x32xf32>
}

// -----

func.func @quantize(%w: tensor<64x32xbf16>) -> !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> {
  // expected-error @+1 {{'qat.quantize' op weight 'tensor<64x32xbf16>' and packed '!qat.packed<32x64, <int4, group_size = 32>, host>' differ in shape}}
  %p = qat.quantize %w : tensor<64x32xbf16> -> !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>
  return %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>
}

// -----

func.func @dequantize(%p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<64x32xbf16> {
  // expected-error @+1 {{'qat.dequantize' op weight 'tensor<64x32xbf16>' and packed '!qat.packed<32x64, <int4, group_size = 32>, host>' differ in shape}}
  %w = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<64x32xbf16>
  return %w : tensor<64x32xbf16>
}

// -----

func.func @repack_scheme(%p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, interchange>) -> !qat.packed<32x64, #qat.scheme<int4, group_size = 64>, host> {
  // expected-error @+1 {{'qat.repack' op changes the layout only, not '!qat.packed<32x64, <int4, group_size = 32>, interchange>' to '!qat.packed<32x64, <int4, group_size = 64>, host>'}}
  %h = qat.repack %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, interchange> -> !qat.packed<32x64, #qat.scheme<int4, group_size = 64>, host>
  return %h : !qat.packed<32x64, #qat.scheme<int4, group_size = 64>, host>
}

// -----

func.func @linear_x(%x: tensor<?x32xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'qat.linear' op x 'tensor<?x32xbf16>' has another K than '!qat.packed<128x64, <int4, group_size = 32>, host>'}}
  %y = qat.linear %x, %p : tensor<?x32xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_y(%x: tensor<?x64xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'qat.linear' op y 'tensor<?x64xbf16>' is not [T, N] of x 'tensor<?x64xbf16>' and '!qat.packed<128x64}}
  %y = qat.linear %x, %p : tensor<?x64xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @linear_bias(%x: tensor<?x64xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>, %b: tensor<64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'qat.linear' op bias 'tensor<64xbf16>' is not [N = 128]}}
  %y = qat.linear %x, %p bias(%b : tensor<64xbf16>) : tensor<?x64xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_residual(%x: tensor<?x64xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>, %r: tensor<?x64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'qat.linear' op residual 'tensor<?x64xbf16>' is not of y's type 'tensor<?x128xbf16>'}}
  %y = qat.linear %x, %p residual(%r : tensor<?x64xbf16>) : tensor<?x64xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @linear_input_grad_dy(%dy: tensor<?x64xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'qat.linear_input_grad' op dy 'tensor<?x64xbf16>' has another N than '!qat.packed<128x64}}
  %dx = qat.linear_input_grad %dy, %p : tensor<?x64xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x64xbf16>
  return %dx : tensor<?x64xbf16>
}

// -----

func.func @linear_input_grad_dx(%dy: tensor<?x128xbf16>, %p: !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'qat.linear_input_grad' op dx 'tensor<?x128xbf16>' is not [T, K] of dy 'tensor<?x128xbf16>' and '!qat.packed<128x64}}
  %dx = qat.linear_input_grad %dy, %p : tensor<?x128xbf16>, !qat.packed<128x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x128xbf16>
  return %dx : tensor<?x128xbf16>
}

// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @x(%x: tensor<?x32xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'nn.linear_swiglu' op x 'tensor<?x32xbf16>' needs extent 64 in dimension 1}}
  %y = nn.linear_swiglu %x, %w, %w : tensor<?x32xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @y(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x256xbf16> {
  // expected-error @+1 {{'nn.linear_swiglu' op y 'tensor<?x256xbf16>' needs extent 128 in dimension 1}}
  %y = nn.linear_swiglu %x, %w, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x256xbf16>
  return %y : tensor<?x256xbf16>
}

// -----

func.func @tokens(%x: tensor<3x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<4x128xbf16> {
  // expected-error @+1 {{'nn.linear_swiglu' op y 'tensor<4x128xbf16>' needs extent 3 in dimension 0}}
  %y = nn.linear_swiglu %x, %w, %w : tensor<3x64xbf16>, tensor<128x64xbf16> -> tensor<4x128xbf16>
  return %y : tensor<4x128xbf16>
}

// -----

func.func @packed_x(%x: tensor<?x32xbf16>, %w: !qat.packed<128x64, <int4, group_size = 32>, hopper>) -> tensor<?x128xbf16> {
  // expected-error @+1 {{'qat.linear_swiglu' op x 'tensor<?x32xbf16>' has another K than '!qat.packed<128x64}}
  %y = qat.linear_swiglu %x, %w, %w : tensor<?x32xbf16>, !qat.packed<128x64, <int4, group_size = 32>, hopper> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

func.func @packed_y(%x: tensor<?x64xbf16>, %w: !qat.packed<128x64, <int4, group_size = 32>, hopper>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'qat.linear_swiglu' op y 'tensor<?x64xbf16>' is not [T, N] of x 'tensor<?x64xbf16>' and '!qat.packed<128x64}}
  %y = qat.linear_swiglu %x, %w, %w : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, hopper> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

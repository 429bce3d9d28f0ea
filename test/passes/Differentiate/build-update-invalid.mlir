// RUN: nibble-opt %s -split-input-file -verify-diagnostics --nibble-build-update

// expected-error @below {{nibble-build-update: there is no function @train_step; name one with function=}}
module {
}

// -----

// expected-error @below {{nibble-build-update: @train_step accumulates no gradient of a parameter; run nibble-differentiate first}}
func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}) {
  return
}

// -----

// expected-error @below {{nibble-build-update: parameter 'w' of @train_step is packed already; build the update before hoisting}}
func.func @train_step(%w: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "w"}, %g: tensor<32x64xf32> {nn.state = "gradient:w"}) {
  return
}

// -----

func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}, %g: tensor<32x64xf32> {nn.state = "gradient:w"}) -> (tensor<32x64xbf16>, tensor<32x64xbf16>) {
  // expected-error @below {{nibble-build-update: one weight is read under two schemes}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %b = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64>} : tensor<32x64xbf16>
  return %a, %b : tensor<32x64xbf16>, tensor<32x64xbf16>
}

// -----

// expected-error @below {{nibble-build-update: @update exists already}}
module {
  func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}, %g: tensor<32x64xf32> {nn.state = "gradient:w"}) {
    return
  }
  func.func @update() {
    return
  }
}

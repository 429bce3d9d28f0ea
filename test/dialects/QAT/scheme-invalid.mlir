// One table defines the schemes (lib/Numerics/scheme.h): their names, group sizes (N2) and conventions.
// RUN: nibble-opt %s -split-input-file -verify-diagnostics

func.func @kind(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{scheme 'int3' is not one; there are int4, int8}}
  // expected-error @below {{failed to parse QAT_SchemeAttr parameter 'kind'}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int3, group_size = 32>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @convention(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{convention 'ours' is not one; there are nibble, slime, compressed_tensors}}
  // expected-error @below {{failed to parse QAT_SchemeAttr parameter 'convention'}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32, convention = ours>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @group(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{N2: group_size is 16, 32, 64, 128 or 0 for the whole row, not 48}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int8, group_size = 48>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @block(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{N2: the block of fp8 is 128x128, so group_size is 128, not 32}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<fp8, group_size = 32>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @only_group(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{N2: the group of mxfp4 is 32, so group_size is 32, not 64}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<mxfp4, group_size = 64>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @rule(%w: tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // expected-error @below {{convention compressed_tensors exists for int4 only, not for fp8}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<fp8, group_size = 128, convention = compressed_tensors>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}

// -----

func.func @divides(%w: tensor<32x40xbf16>) -> tensor<32x40xbf16> {
  // expected-error @below {{N2: K = 40 does not divide by group_size = 32}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x40xbf16>
  return %a : tensor<32x40xbf16>
}

// -----

// expected-error @below {{N2: K = 40 does not divide by group_size = 32}}
func.func private @packed(!qat.packed<32x40, <int4, group_size = 32>, host>)

// -----

// expected-error @below {{a packed weight of 4611686018427387904x64 does not fit in memory}}
func.func private @large(!qat.packed<4611686018427387904x64, <int4, group_size = 32>, host>)

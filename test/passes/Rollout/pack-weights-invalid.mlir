// RUN: nibble-opt %s --nibble-pack-weights --split-input-file --verify-diagnostics
// RUN: not nibble-opt %s --nibble-pack-weights=function=nowhere --split-input-file 2>&1 | FileCheck %s
// CHECK: nibble-pack-weights: there is no function 'nowhere'

func.func @forward(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // expected-error @below {{one weight is read under two schemes, '!qat.packed<32x64, <int8, group_size = 32>, host>' and '!qat.packed<32x64, <int4, group_size = 32>, host>'}}
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %w8 = qat.fake_quant %w {scheme = #qat.scheme<int8, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %z = nn.linear %x, %w8 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y, %z : tensor<?x32xbf16>, tensor<?x32xbf16>
}

// -----

func.func @forward(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %sum = arith.addf %w, %w : tensor<32x64xbf16>
  // expected-error @below {{fake_quant of a value that is no argument of 'forward'}}
  %w4 = qat.fake_quant %sum {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

func.func private @layer(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
func.func @forward(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %sum = arith.addf %w, %w : tensor<32x64xbf16>
  // expected-error @below {{operand 1 is read as a packed weight but is no argument of 'forward'}}
  %y = call @layer(%x, %sum) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

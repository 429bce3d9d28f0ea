// RUN: nibble-opt %s --nibble-build-update | FileCheck %s

// Every trained parameter gets its master and moments in place, and the new weight. It also gets the packed form where the step (here
// through @layer) quantizes it. A parameter without a gradient is not trained and left out.

// CHECK-LABEL: func.func @update(
// CHECK-SAME: %[[HYPER:[a-z0-9]+]]: tensor<8xf32> {nn.input = "hyper"}
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "master:w"}, %[[M1:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "moment1:w"}
// CHECK-SAME: %[[M2:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "moment2:w"}, %[[G:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "gradient:w"}
// CHECK-SAME: tensor<32x64xbf16> {nn.state = "weight:w"}, %{{[a-z0-9]+}}: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.state = "packed:w"}
// CHECK-SAME: tensor<64xf32> {nn.state = "master:n"}
// CHECK-NOT: frozen
// CHECK-SAME: -> (tensor<32x64xf32> {nn.output = "master:w"}, tensor<32x64xf32> {nn.output = "moment1:w"}, tensor<32x64xf32> {nn.output = "moment2:w"}
// CHECK-SAME: tensor<32x64xbf16> {nn.output = "weight:w"}, !qat.packed<32x64, <int4, group_size = 32>, host> {nn.output = "packed:w"}
// CHECK-SAME: tensor<64xbf16> {nn.output = "weight:n"})
// CHECK: %[[MN:.*]], %[[M1N:.*]], %[[M2N:.*]], %[[W:.*]] = nn.adamw %[[M]], %[[M1]], %[[M2]], %[[G]], %[[HYPER]]
// CHECK: %[[Q:.*]] = qat.quantize %[[W]]
// CHECK: nn.adamw
// CHECK-NOT: qat.quantize
// CHECK: return %[[MN]], %[[M1N]], %[[M2N]], %[[W]], %[[Q]],

// CHECK-LABEL: func.func @gradient_norm(
// CHECK-SAME: %[[G1:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "gradient:w"}, %[[G2:[a-z0-9]+]]: tensor<64xf32> {nn.state = "gradient:n"})
// CHECK-SAME: -> (tensor<f32> {nn.output = "norm"})
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<f32>
// CHECK: %[[S:.*]] = nn.square_sum %[[ZERO]], %[[G1]], %[[G2]] : tensor<f32>, tensor<32x64xf32>, tensor<64xf32>
// CHECK: %[[R:.*]] = math.sqrt %[[S]] : tensor<f32>
// CHECK: return %[[R]]
func.func private @layer(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
func.func @train_step(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}, %n: tensor<64xbf16> {nn.parameter = "n"},
                      %f: tensor<64xbf16> {nn.parameter = "frozen"},
                      %gw: tensor<32x64xf32> {nn.state = "gradient:w"}, %gn: tensor<64xf32> {nn.state = "gradient:n"})
    -> (tensor<?x32xbf16>, tensor<32x64xf32> {nn.output = "gradient:w"}, tensor<64xf32> {nn.output = "gradient:n"}) {
  %h = nn.rms_norm %x, %n {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  %y = call @layer(%h, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %y, %gw, %gn : tensor<?x32xbf16>, tensor<32x64xf32>, tensor<64xf32>
}

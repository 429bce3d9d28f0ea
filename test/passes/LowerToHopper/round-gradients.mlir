// RUN: nibble-opt %s --nibble-round-gradients | FileCheck %s
// RUN: nibble-opt %s --nibble-hopper-kernels | FileCheck %s --check-prefix=KERNELS

// One rounding serves both products, whatever their weights are. Other users read the float32 gradient.
// CHECK-LABEL: func.func @both
// CHECK-SAME: %[[DY:.*]]: tensor<?x64xf32>
// CHECK: %[[ROUNDED:.*]] = arith.truncf %[[DY]] : tensor<?x64xf32> to tensor<?x64xbf16>
// CHECK-NOT: arith.truncf
// CHECK: nn.sum_tokens %[[DY]]
// CHECK: nn.linear_weight_grad %[[ROUNDED]]
// CHECK: qat.linear_input_grad %[[ROUNDED]]
// CHECK: nn.linear_input_grad %[[ROUNDED]]
// One launch that rounds, three for the products (two input gradients and one weight gradient), and those that dequantize.
// KERNELS-LABEL: func.func @both
// KERNELS-COUNT-1: @kernels::@elementwise
// KERNELS-NOT: @kernels::@elementwise
// KERNELS: return
func.func @both(%dy: tensor<?x64xf32> {nn.input = "dy"}, %x: tensor<?x128xbf16> {nn.input = "x"}, %p: !qat.packed<64x128, <int4, group_size = 32>, host> {nn.parameter = "p"},
                %w: tensor<64x128xbf16> {nn.parameter = "w"}, %dw: tensor<64x128xf32> {nn.state = "dw"}, %db: tensor<64xf32> {nn.state = "db"})
    -> (tensor<?x128xbf16> {nn.output = "dx"}, tensor<?x128xbf16> {nn.output = "dx2"}, tensor<64x128xf32> {nn.output = "dw"}, tensor<64xf32> {nn.output = "db"}) {
  %0 = nn.sum_tokens %dy, %db : tensor<?x64xf32>, tensor<64xf32>
  %1 = nn.linear_weight_grad %dy, %x, %dw : tensor<?x64xf32>, tensor<?x128xbf16>, tensor<64x128xf32>
  %2 = qat.linear_input_grad %dy, %p : tensor<?x64xf32>, !qat.packed<64x128, <int4, group_size = 32>, host> -> tensor<?x128xbf16>
  %3 = nn.linear_input_grad %dy, %w : tensor<?x64xf32>, tensor<64x128xbf16> -> tensor<?x128xbf16>
  return %2, %3, %1, %0 : tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<64x128xf32>, tensor<64xf32>
}

// The rounding directly follows the value, so that every user sees it.
// CHECK-LABEL: func.func @made
// CHECK: %[[DY:.*]] = nn.log_probability_grad
// CHECK-NEXT: %[[ROUNDED:.*]] = arith.truncf %[[DY]]
// CHECK: nn.linear_input_grad %[[ROUNDED]]
func.func @made(%logits: tensor<?x64xf32>, %targets: tensor<?xi32>, %row: tensor<?xf32>, %w: tensor<64x128xbf16>) -> tensor<?x128xbf16> {
  %0 = nn.log_probability_grad %row, %row, %logits, %targets, %row, %row, %row : tensor<?x64xf32>, tensor<?xi32>, tensor<?xf32>
  %1 = nn.linear_input_grad %0, %w : tensor<?x64xf32>, tensor<64x128xbf16> -> tensor<?x128xbf16>
  return %1 : tensor<?x128xbf16>
}

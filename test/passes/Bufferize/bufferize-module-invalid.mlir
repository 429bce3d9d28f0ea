// RUN: nibble-opt %s --nibble-bufferize-module --verify-diagnostics

// The old state is read after the new one was made: it cannot be updated where it lies.
// expected-error @below {{state 'gradient:b' could not be updated in place}}
func.func @f(%x: tensor<?x64xf32> {nn.input = "x"}, %g: tensor<64xf32> {nn.state = "gradient:b"})
    -> (tensor<64xf32> {nn.output = "gradient:b"}, tensor<f32> {nn.output = "old"}) {
  %s = nn.sum_tokens %x, %g : tensor<?x64xf32>, tensor<64xf32>
  %old = nn.sum %g : tensor<64xf32> -> tensor<f32>
  return %s, %old : tensor<64xf32>, tensor<f32>
}

// RUN: nibble-opt %s --nibble-bufferize-module --split-input-file --verify-diagnostics

// The new state's type differs from that of its buffer.
// expected-error @below {{state 'gradient:b' could not be updated in place: its new value is of type 'memref<1x64xf32>', its buffer of 'memref<64xf32>'}}
func.func @f(%x: tensor<?x64xf32> {nn.input = "x"}, %g: tensor<64xf32> {nn.state = "gradient:b"})
    -> (tensor<1x64xf32> {nn.output = "gradient:b"}) {
  %s = nn.sum_tokens %x, %g : tensor<?x64xf32>, tensor<64xf32>
  %r = tensor.expand_shape %s [[0, 1]] output_shape [1, 64] : tensor<64xf32> into tensor<1x64xf32>
  return %r : tensor<1x64xf32>
}

// -----

func.func @g(%x: tensor<4x2xf32>, %i: tensor<2x1xi64>) -> tensor<2x2xf32> {
  // expected-error @below {{'tensor.gather' has no form over buffers}}
  %y = tensor.gather %x[%i] gather_dims([0]) : (tensor<4x2xf32>, tensor<2x1xi64>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

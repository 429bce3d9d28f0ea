// The conformance suite's program for the host: out = x + bias.
func.func @main(%x: tensor<?xf32> {nn.input = "x"}, %bias: tensor<?xf32> {nn.parameter = "bias"})
    -> (tensor<?xf32> {nn.output = "out"}) {
  %out = arith.addf %x, %bias : tensor<?xf32>
  return %out : tensor<?xf32>
}

// RUN: nibble-opt %s --nibble-hopper-kernels --split-input-file --verify-diagnostics

func.func @float_activations(%gate: tensor<4x8xf32>, %up: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{has activations of 'f32'; an H200's kernels take bf16}}
  %y = nn.swiglu %gate, %up : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @reduction(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has a loop that reduces; write it as ops of nn, because an H200 has kernels of linalg only for what goes element by element}}
  %r = linalg.reduce ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) dimensions = [1]
    (%a: f32, %b: f32) {
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    }
  return %r : tensor<4xf32>
}

// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @inputs(%x: memref<4xf32>) {
  // expected-error @+1 {{has 1 inputs and 1 outputs but as many tensor types as 2 and 1}}
  kernel.compute "nn.x" ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
      {parameters = {}, input_types = [tensor<4xf32>, tensor<4xf32>], output_types = [tensor<4xf32>]}
  return
}

// -----

func.func @outputs(%x: memref<4xf32>) {
  // expected-error @+1 {{has 1 inputs and 1 outputs but as many tensor types as 1 and 0}}
  kernel.compute "nn.x" ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
      {parameters = {}, input_types = [tensor<4xf32>], output_types = []}
  return
}

// -----

func.func @state(%x: tensor<4xf32>, %y: tensor<8xf32>) -> tensor<4xf32> {
  // expected-note @-1 {{prior use here}}
  // expected-error @+1 {{use of value '%y' expects different type than prior uses: 'tensor<4xf32>' vs 'tensor<8xf32>'}}
  %0 = kernel.write_state %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @+1 {{kernel.target belongs on a module}}
func.func @target() attributes {kernel.target = #hopper.target<"h200">} { return }

// -----

// expected-error @+1 {{the kernel dialect has no attribute "kernel.machine" for ops; it has kernel.target}}
module attributes {kernel.machine = 1 : i64} {}

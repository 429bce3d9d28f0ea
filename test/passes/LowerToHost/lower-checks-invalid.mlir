// RUN: nibble-opt %s --nibble-lower-checks --split-input-file --verify-diagnostics

func.func @tensors(%a: tensor<4xf32>) {
  // expected-error @+1 {{is lowered after bufferization, on dense buffers, not on 'tensor<4xf32>'}}
  check.expect_eq %a, %a : tensor<4xf32>
  return
}

// -----

func.func @strided(%a: memref<4xf32, strided<[2]>>) {
  // expected-error @+1 {{is lowered after bufferization, on dense buffers}}
  check.expect_eq %a, %a : memref<4xf32, strided<[2]>>
  return
}

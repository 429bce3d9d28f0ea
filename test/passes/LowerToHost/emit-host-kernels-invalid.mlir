// RUN: nibble-opt %s --nibble-emit-host-kernels --verify-diagnostics

func.func @f(%x: memref<?x64xf32>) {
  // expected-error @below {{there is no host kernel for 'nn.telepathy'}}
  kernel.compute "nn.telepathy" ins(%x : memref<?x64xf32>) outs(%x : memref<?x64xf32>)
      {input_types = [tensor<?x64xf32>], output_types = [tensor<?x64xf32>], parameters = {}}
  return
}

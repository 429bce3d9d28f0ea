// RUN: nibble-opt %s --nibble-emit-host-kernels --split-input-file --verify-diagnostics

// expected-error @below {{has no kernel.target, which says what its kernels are for; nibble-set-target adds it}}
module {}

// -----

// expected-error @below {{is for #hopper.target<"h200">, and kernels of host.target are asked for; compile it for the machine that it names}}
module attributes {kernel.target = #hopper.target<"h200">} {}

// -----

module attributes {kernel.target = #host.target<cpu = "x86-64-v3", vector_registers = 16, vector_floats = 8, l1_bytes = 32768, l2_bytes = 1048576>} {
  func.func @f(%x: memref<?x64xf32>) {
    // expected-error @below {{there is no host kernel for 'nn.telepathy'}}
    kernel.compute "nn.telepathy" ins(%x : memref<?x64xf32>) outs(%x : memref<?x64xf32>)
        {input_types = [tensor<?x64xf32>], output_types = [tensor<?x64xf32>], parameters = {}}
    return
  }
}

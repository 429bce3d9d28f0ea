// RUN: nibble-opt %s --pass-pipeline='builtin.module(gpu.module(nibble-lower-hopper))' --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{has no integer 'hopper.threads'; a kernel is written for a block of known size}}
  gpu.func @size(%x: !llvm.ptr<1>) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @ring(%ring: !hopper.ring<2 x 1024, consumers = 1>, %i: i32) kernel attributes {hopper.threads = 128 : i64, hopper.cluster = 1 : i64} {
    // expected-error @+1 {{has a ring that no hopper.ring gives; where it lies is known at compile time only}}
    hopper.ring_release %ring[%i] : <2 x 1024, consumers = 1>
    gpu.return
  }
}

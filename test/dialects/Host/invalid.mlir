// RUN: nibble-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{a vector register has 4, 8 or 16 float32, not 12}}
module attributes {kernel.target = #host.target<cpu = "x", vector_registers = 16, vector_floats = 12, l1_bytes = 1, l2_bytes = 1>} {}

// -----

// expected-error @+1 {{the CPU has no name}}
module attributes {kernel.target = #host.target<cpu = "", vector_registers = 16, vector_floats = 8, l1_bytes = 1, l2_bytes = 1>} {}

// -----

// expected-error @+1 {{a CPU has at least one vector register and a byte in each cache}}
module attributes {kernel.target = #host.target<cpu = "x", vector_registers = 16, vector_floats = 8, l1_bytes = 1, l2_bytes = 0>} {}

// RUN: nibble-opt %s --nibble-set-target=target=h200 --split-input-file | FileCheck %s --check-prefixes=ALL,H200
// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v3 --split-input-file | FileCheck %s --check-prefixes=ALL,AVX2
// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v4 --split-input-file | FileCheck %s --check-prefixes=ALL,AVX512

// H200: module attributes {kernel.target = #hopper.target<"h200">}
// AVX2: module attributes {kernel.target = #host.target<cpu = "x86-64-v3", vector_registers = 16, vector_floats = 8, l1_bytes = 32768, l2_bytes = 1048576>}
// AVX512: module attributes {kernel.target = #host.target<cpu = "x86-64-v4", vector_registers = 32, vector_floats = 16, l1_bytes = 32768, l2_bytes = 1048576>}
module {}

// -----

// Attributes that the module has already are kept.
// ALL: module attributes {kernel.target = #hopper.target<"h200", sms = 60>}
module attributes {kernel.target = #hopper.target<"h200", sms = 60>} {}

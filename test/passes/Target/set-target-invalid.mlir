// RUN: nibble-opt %s --nibble-set-target=target=pdp11 --verify-diagnostics

// expected-error @+1 {{nibble-set-target: no machine is called 'pdp11'; known are h200, x86-64-v3, x86-64-v4}}
module {}

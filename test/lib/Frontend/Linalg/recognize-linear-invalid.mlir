// RUN: not nibble-opt %s --nibble-recognize-linear=layout=both 2>&1 | FileCheck %s --check-prefix=LAYOUT
// RUN: not nibble-opt %s --nibble-recognize-linear=parameters=7:w 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not nibble-opt %s --nibble-recognize-linear=parameters=0 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not nibble-opt %s --nibble-recognize-linear="function=forward parameters=0:w" 2>&1 | FileCheck %s --check-prefix=FUNCTION

// LAYOUT: nibble-recognize-linear: layout is 'argument' or 'value', not 'both'
// NUMBER: nibble-recognize-linear: parameters has '7:w', not <number of an argument of @main>:<name>
// NAME: nibble-recognize-linear: parameters has '0', not <number of an argument of @main>:<name>
// FUNCTION: nibble-recognize-linear: there is no function @forward to name parameters of
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  return %x : tensor<4x8xf32>
}

// Bytecode is refused in one line, from a file and from a pipe, because its reader aborts on damaged input.
// RUN: mlir-opt %s --emit-bytecode -o %t.mlirbc
// RUN: not nibble-opt %t.mlirbc 2>&1 | FileCheck %s --check-prefix=OPT
// RUN: not nibble-opt < %t.mlirbc 2>&1 | FileCheck %s --check-prefix=OPT
// RUN: not nibble-run %t.mlirbc --entry=f 2>&1 | FileCheck %s --check-prefix=EXEC
// RUN: sh -c 'nibble-run %t.mlirbc --entry=f; test $? -eq 3'
// Damaged bytecode is refused the same way.
// RUN: head -c 40 %t.mlirbc > %t.cut && not nibble-opt %t.cut 2>&1 | FileCheck %s --check-prefix=OPT

// OPT: nibble-opt: {{.*}}: is MLIR bytecode, which is not read; print it as text with mlir-opt first
// OPT-NOT: {{.}}
// RUN: nibble-opt %s | FileCheck %s --check-prefix=TEXT
// EXEC: nibble-run: {{.*}}: is MLIR bytecode
// TEXT: func.func @f

func.func @f() {
  return
}

// A bundle runs like the module that it was made from, bit for bit, without MLIR and LLVM.
// RUN: nibble compile %s --program=none -o %t.nbl | FileCheck %s --check-prefix=COMPILED
// RUN: echo '{"x": [[1, 2.5, -3], [4, 5, 6]], "s": {"zeros": [3]}}' > %t.json
// RUN: nibble-run %t.nbl --entry=step --inputs %t.json | FileCheck %s
// RUN: nibble-run %t.nbl --entry=step --inputs %t.json --out %t.bundle.safetensors
// RUN: nibble-run %s --entry=step --inputs %t.json --out %t.module.safetensors
// RUN: cmp %t.bundle.safetensors %t.module.safetensors
// RUN: sh -c 'ldd $(which nibble-run)' | FileCheck %s --check-prefix=LIBRARIES

// nibble-run alone, as on a machine without the compiler.
// RUN: sh -c 'mkdir -p %t.alone && cp $(which nibble-run) %t.alone/nibble-run'
// RUN: %t.alone/nibble-run %t.nbl --entry=step --inputs %t.json | FileCheck %s
// RUN: %refuses 4 nibble-run-mlir "make one with nibble compile" -- %t.alone/nibble-run %s --entry=step

// Compiling the same program twice gives the same file.
// RUN: nibble compile %s --program=none -o %t.again.nbl && cmp %t.nbl %t.again.nbl

// RUN: %refuses 2 "'other'" step -- nibble-run %t.nbl --entry=other
// RUN: %refuses 2 "for target host" --target=simt -- nibble-run %t.nbl --entry=step --target=simt
// RUN: %refuses 3 "program for the host" -- nibble-run %t.nbl --entry=step --dry-run
// RUN: %refuses 2 --pipeline -- nibble-run %t.nbl --entry=step --pipeline=canonicalize
// RUN: head -c 300 %t.nbl > %t.cut.nbl
// RUN: %refuses 3 cut.nbl "is cut after 300 bytes" -- nibble-run %t.cut.nbl --entry=step
// RUN: %python -c "b = bytearray(open(r'%t.nbl', 'rb').read()); b[-40] ^= 1; open(r'%t.damaged.nbl', 'wb').write(b)"
// RUN: %refuses 3 damaged.nbl "section 'manifest' is damaged" -- nibble-run %t.damaged.nbl --entry=step
// RUN: %python -c "b = bytearray(open(r'%t.nbl', 'rb').read()); b[8] = 200; open(r'%t.version.nbl', 'wb').write(b)"
// RUN: %refuses 4 "interface version 200" "compile it again" -- nibble-run %t.version.nbl --entry=step
// RUN: cp %s %t.fake.nbl
// RUN: %refuses 3 "is not a bundle" -- nibble-run %t.fake.nbl --entry=step
// RUN: %refuses 4 "no-such-folder" -- nibble compile %s --program=none -o %t.no-such-folder/x.nbl

// COMPILED: compiled in
// CHECK: y F32 [2, 3]: 2 5 -6 8 10 12
// CHECK-NEXT: s F32 [3]: 10 15 6
// LIBRARIES-NOT: {{LLVM|MLIR}}
// LIBRARIES: libstdc++
// LIBRARIES-NOT: {{LLVM|MLIR}}

// y = x + x. s increases by the sum of y over tokens.
func.func @step(%x: tensor<?x3xf32> {nn.input = "x"}, %s: tensor<3xf32> {nn.state = "s"})
    -> (tensor<?x3xf32> {nn.output = "y"}, tensor<3xf32> {nn.output = "s"}) {
  %y = arith.addf %x, %x : tensor<?x3xf32>
  %t = nn.sum_tokens %y, %s : tensor<?x3xf32>, tensor<3xf32>
  return %y, %t : tensor<?x3xf32>, tensor<3xf32>
}

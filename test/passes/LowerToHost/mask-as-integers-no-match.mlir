// RUN: nibble-opt %s --nibble-mask-as-integers | FileCheck %s

// bf16 without a mask is moved as it is.
// CHECK-LABEL: @f
// CHECK-NEXT: llvm.load %{{.*}} : !llvm.ptr -> vector<16xbf16>
// CHECK-NEXT: llvm.return
llvm.func @f(%pointer: !llvm.ptr) -> vector<16xbf16> {
  %x = llvm.load %pointer : !llvm.ptr -> vector<16xbf16>
  llvm.return %x : vector<16xbf16>
}

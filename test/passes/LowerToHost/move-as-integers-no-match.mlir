// RUN: nibble-opt %s --nibble-move-as-integers | FileCheck %s

// Other types have registers of their own.
// CHECK-LABEL: @f
// CHECK-NEXT: llvm.load %{{.*}} : !llvm.ptr -> vector<16xf32>
// CHECK-NEXT: llvm.store %{{.*}} : vector<16xf32>, !llvm.ptr
// CHECK-NEXT: llvm.return
llvm.func @f(%pointer: !llvm.ptr) -> vector<16xf32> {
  %x = llvm.load %pointer : !llvm.ptr -> vector<16xf32>
  llvm.store %x, %pointer : vector<16xf32>, !llvm.ptr
  llvm.return %x : vector<16xf32>
}

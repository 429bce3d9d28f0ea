// RUN: nibble-opt %s --nibble-move-as-integers | FileCheck %s

// CHECK-LABEL: @bf16
// CHECK: llvm.intr.masked.load {{.*}} -> vector<16xi16>
// CHECK-DAG: llvm.intr.masked.store {{.*}} : vector<16xi16>, vector<16xi1> into !llvm.ptr
// CHECK-DAG: llvm.bitcast {{.*}} : vector<16xi16> to vector<16xbf16>
llvm.func @bf16(%pointer: !llvm.ptr, %mask: vector<16xi1>, %otherwise: vector<16xbf16>) -> vector<16xbf16> {
  %x = llvm.intr.masked.load %pointer, %mask, %otherwise {alignment = 2 : i32}
      : (!llvm.ptr, vector<16xi1>, vector<16xbf16>) -> vector<16xbf16>
  llvm.intr.masked.store %x, %pointer, %mask {alignment = 2 : i32} : vector<16xbf16>, vector<16xi1> into !llvm.ptr
  llvm.return %x : vector<16xbf16>
}

// float32 has masked access of its own.
// CHECK-LABEL: @f32
// CHECK: llvm.intr.masked.load {{.*}} -> vector<16xf32>
// CHECK-NOT: llvm.bitcast
// CHECK: llvm.intr.masked.store {{.*}} : vector<16xf32>, vector<16xi1> into !llvm.ptr
llvm.func @f32(%pointer: !llvm.ptr, %mask: vector<16xi1>, %otherwise: vector<16xf32>) {
  %x = llvm.intr.masked.load %pointer, %mask, %otherwise {alignment = 4 : i32}
      : (!llvm.ptr, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
  llvm.intr.masked.store %x, %pointer, %mask {alignment = 4 : i32} : vector<16xf32>, vector<16xi1> into !llvm.ptr
  llvm.return
}

// Vectors and scalars without a mask.
// CHECK-LABEL: @plain
// CHECK: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<16xi16>
// CHECK: llvm.store %{{.*}} : vector<16xi16>, !llvm.ptr
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> i16
// CHECK: llvm.store %{{.*}} : i16, !llvm.ptr
llvm.func @plain(%pointer: !llvm.ptr) {
  %x = llvm.load %pointer {alignment = 2 : i64} : !llvm.ptr -> vector<16xbf16>
  llvm.store %x, %pointer : vector<16xbf16>, !llvm.ptr
  %y = llvm.load %pointer : !llvm.ptr -> bf16
  llvm.store %y, %pointer : bf16, !llvm.ptr
  llvm.return
}

// RUN: nibble-opt %s --nibble-hoist-local-buffers | FileCheck %s

// Each thread allocates the buffer once, before the loop, and the scope is removed.
// CHECK-LABEL: @each
// CHECK: omp.parallel {
// CHECK-NEXT: %[[BUFFER:.*]] = memref.alloca() : memref<16xf32>
// CHECK: omp.wsloop
// CHECK-NOT: memref.alloca_scope
// CHECK: memref.store %{{.*}}, %[[BUFFER]]
func.func @each(%count: index, %value: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%count) step (%c1) {
        memref.alloca_scope {
          %buffer = memref.alloca() : memref<16xf32>
          memref.store %value, %buffer[%c0] : memref<16xf32>
        }
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

// A buffer whose size is only known inside stays, and so does its scope.
// CHECK-LABEL: @dynamic
// CHECK: omp.wsloop
// CHECK: memref.alloca_scope
// CHECK: memref.alloca(%
func.func @dynamic(%count: index, %value: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  omp.parallel {
    omp.wsloop {
      omp.loop_nest (%i) : index = (%c0) to (%count) step (%c1) {
        memref.alloca_scope {
          %buffer = memref.alloca(%count) : memref<?xf32>
          memref.store %value, %buffer[%c0] : memref<?xf32>
        }
        omp.yield
      }
    }
    omp.terminator
  }
  return
}

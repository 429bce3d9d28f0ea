// RUN: nibble-opt %s --split-input-file --verify-diagnostics

// Types.

// expected-error @+1 {{a ring has at least one stage and one consumer, and slots of a multiple of 1024 bytes}}
func.func private @no_stages(!hopper.ring<0 x 1024, consumers = 1>)

// -----

// expected-error @+1 {{a ring has at least one stage and one consumer}}
func.func private @no_consumers(!hopper.ring<2 x 1024, consumers = 0>)

// -----

// expected-error @+1 {{slots of a multiple of 1024 bytes}}
func.func private @odd_slots(!hopper.ring<2 x 1000, consumers = 1>)

// -----

// expected-error @+1 {{a ring of 12 stages of 20480 bytes does not fit into the 232448 bytes of shared memory}}
func.func private @too_large(!hopper.ring<12 x 20480, consumers = 1>)

// -----

// The product overflows 64 bits.
// expected-error @+1 {{does not fit into the 232448 bytes of shared memory}}
func.func private @far_too_large(!hopper.ring<4611686018427387904 x 4096, consumers = 1>)

// -----

// Launches.

func.func @partly_an_index(%n: index, %x: memref<8xf32>) {
  // expected-error @+1 {{names argument 1 in 'partly', which is no buffer}}
  hopper.launch @kernels::@copy grid(%n, %n, %n) args(%x, %n : memref<8xf32>, index) touches(%n) {partly = array<i32: 1>}
  return
}

// -----

func.func @consumes_what_is_not_there(%n: index, %x: memref<8xf32>) {
  // expected-error @+1 {{names argument 2 in 'consumed', which is no buffer}}
  hopper.launch @kernels::@copy grid(%n, %n, %n) args(%x, %n : memref<8xf32>, index) {consumed = array<i32: 2>}
  return
}

// -----

func.func @touches_of_nothing(%n: index, %x: memref<8xf32>) {
  // expected-error @+1 {{counts what it touches of buffers, and names none in 'partly'}}
  hopper.launch @kernels::@copy grid(%n, %n, %n) args(%x, %n : memref<8xf32>, index) touches(%n)
  return
}

// -----

func.func @none(%n: index) {
  // expected-error @+1 {{launches @kernels::@none, which is no gpu.func}}
  hopper.launch @kernels::@none grid(%n, %n, %n) args()
  return
}
gpu.module @kernels {
}

// -----

func.func @count(%n: index) {
  // expected-error @+1 {{gives 1 arguments to @kernels::@k, which takes 2}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%n : index)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: i64, %b: i64) kernel {
    gpu.return
  }
}

// -----

func.func @type(%n: index, %x: memref<4xf32>) {
  // expected-error @+1 {{gives 'memref<4xf32>' for argument 0 of @kernels::@k, which is 'i64'}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x : memref<4xf32>)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: i64) kernel {
    gpu.return
  }
}

// -----

func.func @integer(%n: index, %x: i32) {
  // expected-error @+1 {{gives 'i32' for argument 0 of @kernels::@k, which is 'i32'}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x : i32)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: i32) kernel {
    gpu.return
  }
}

// -----

func.func @no_map(%n: index, %x: memref<4x8xf32>) {
  // expected-error @+1 {{argument 0 of @kernels::@k is a tensor map}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x : memref<4x8xf32>)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: !llvm.ptr {hopper.tensor_map}) kernel {
    gpu.return
  }
}

// -----

func.func @map(%n: index, %x: memref<4x8xf32>) {
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [8, 4] swizzle 0 : memref<4x8xf32>
  // expected-error @+1 {{argument 0 of @kernels::@k is no tensor map}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%map : !hopper.tensor_map)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: !llvm.ptr) kernel {
    gpu.return
  }
}

// -----

// Tensor maps.

func.func @rank(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has a box of rank 2, 1 extents and 1 strides; it takes 1 to 5 dimensions and a stride less}}
  %map = hopper.tensor_map %x extents(%n) strides(%n) box [64, 128] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @strides(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has a box of rank 2, 2 extents and 2 strides}}
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n, %n) box [64, 128] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @no_box(%x: memref<?x64xbf16>) {
  // expected-error @+1 {{has a box of rank 0}}
  %map = hopper.tensor_map %x extents() strides() box [] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @six(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has a box of rank 6, 6 extents and 5 strides}}
  %map = hopper.tensor_map %x extents(%n, %n, %n, %n, %n, %n) strides(%n, %n, %n, %n, %n) box [8, 1, 1, 1, 1, 1] swizzle 0 : memref<?x64xbf16>
  return
}

// -----

func.func @box(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has a box extent of 257; they are 1 to 256}}
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [64, 257] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @swizzle(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has rows of 128 bytes and a swizzle of 48}}
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [64, 8] swizzle 48 : memref<?x64xbf16>
  return
}

// -----

func.func @long_rows(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has rows of 256 bytes and a swizzle of 128; rows are multiples of 16 bytes, and no longer than a swizzle of 32, 64 or 128}}
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [128, 8] swizzle 128 : memref<?x64xbf16>
  return
}

// -----

func.func @odd_rows(%x: memref<?x64xbf16>, %n: index) {
  // expected-error @+1 {{has rows of 24 bytes and a swizzle of 0}}
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [12, 8] swizzle 0 : memref<?x64xbf16>
  return
}

// -----

// Matrix instructions.

func.func @wide(%a: i64, %d: vector<129xf32>) {
  // expected-error @+1 {{has 258 columns; matrix instructions have 8 to 256, a multiple of 8}}
  %e = hopper.wgmma %a, %a, %d : i64, vector<129xf32>
  return
}

// -----

func.func @narrow(%a: i64, %d: vector<2xf32>) {
  // expected-error @+1 {{has 4 columns}}
  %e = hopper.wgmma %a, %a, %d : i64, vector<2xf32>
  return
}

// -----

func.func @odd(%a: i64, %d: vector<6xf32>) {
  // expected-error @+1 {{has 12 columns}}
  %e = hopper.wgmma %a, %a, %d : i64, vector<6xf32>
  return
}

// -----

func.func @transposed(%a: vector<4xi32>, %b: i64, %d: vector<4xf32>) {
  // expected-error @+1 {{has A in registers, which cannot be transposed}}
  %e = hopper.wgmma %a, %b, %d a_transposed : vector<4xi32>, vector<4xf32>
  return
}

// -----

func.func @short_table(%n: index, %x: memref<4x8xf32>) {
  // expected-error @+1 {{gives 2 arguments to @kernels::@k, which takes 4}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x, %n : memref<4x8xf32>, index)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: !llvm.ptr<1>, %table: !llvm.ptr) kernel attributes {hopper.table = 3 : i64} {
    gpu.return
  }
}

// -----

func.func @map_in_table(%n: index, %x: memref<4x8xf32>) {
  %map = hopper.tensor_map %x extents(%n, %n) strides(%n) box [8, 4] swizzle 0 : memref<4x8xf32>
  // expected-error @+1 {{has '!hopper.tensor_map' in the table of @kernels::@k; there are buffers and indices in it}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x, %map : memref<4x8xf32>, !hopper.tensor_map)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: !llvm.ptr<1>, %table: !llvm.ptr) kernel attributes {hopper.table = 1 : i64} {
    gpu.return
  }
}

// -----

func.func @no_pointer(%n: index, %x: memref<4x8xf32>) {
  // expected-error @+1 {{@kernels::@k has a table of 1 values and no pointer to it}}
  hopper.launch @kernels::@k grid(%n, %n, %n) args(%x : memref<4x8xf32>)
  return
}
gpu.module @kernels {
  gpu.func @k(%a: i64) kernel attributes {hopper.table = 1 : i64} {
    gpu.return
  }
}

// -----

// expected-error @+1 {{'h300' is no Hopper GPU that is known; known are h200}}
module attributes {kernel.target = #hopper.target<"h300">} {}

// -----

// expected-error @+1 {{'h200' has 132 multiprocessors; 133 cannot be used}}
module attributes {kernel.target = #hopper.target<"h200", sms = 133>} {}

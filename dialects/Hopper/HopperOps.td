//===- HopperOps.td - what an SM does ----------------------------------------===//

#ifndef NIBBLE_DIALECTS_HOPPER_HOPPEROPS
#define NIBBLE_DIALECTS_HOPPER_HOPPEROPS

include "dialects/Hopper/HopperTypes.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Hopper_Op<string name, list<Trait> traits = []> : Op<Hopper_Dialect, name, traits>;

def Hopper_Shared : LLVM_PointerInAddressSpace<3>;
def Hopper_Global : LLVM_PointerInAddressSpace<1>;

//===- on the host -----------------------------------------------------------===//

def Hopper_LaunchOp : Hopper_Op<"launch", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel over a grid of blocks.";
  let description = [{
    `kernel` is a `gpu.func` of a `gpu.module`. Threads, shared memory and cluster are attributes of the kernel
    (`hopper.threads`, `hopper.shared_bytes`, `hopper.cluster`). A grid with an extent of 0 launches nothing.

    A buffer is passed as a pointer to its first element, an index as an i64, a tensor map as a pointer to its 128
    bytes. A kernel with `hopper.table` = n takes its last n arguments, buffers and indices, as one parameter. That
    parameter is a table of eight-byte values, so one launch can work on any number of buffers.

    The rest serves reports and profiles. `operations` counts operations of the matrix units, two for each
    multiply-add. A launch touches all bytes of its buffers, except those of the arguments numbered in `partly`. It
    touches at most `touches` bytes of them in total; without `touches` that number is unknown before the launch runs.
    `consumed` numbers buffers that the launch uses up, such as a list from which blocks take their work. A profile
    restores them before it runs the launch again.

    - `kernel`: the name of the kernel; `grid_x`, `grid_y`, `grid_z`: blocks of the grid in each dimension.
    - `arguments`: buffers, indices and tensor maps, in the order of the kernel's parameters.
    - `operations`: an index; `touches`: an index, in bytes; `partly`, `consumed`: numbers of arguments.

    Example:

    ```mlir
    hopper.launch @kernels::@gather_1 grid(%blocks, %c1, %c1) args(%table, %rows, %y : memref<1000x64xbf16>, memref<?xi32>, memref<?x64xbf16>) touches(%bytes) {partly = array<i32: 0>}
    hopper.launch @kernels::@rms_norm_0 grid(%rows, %c1, %c1) args(%x, %w, %y, %rows : memref<?x64xbf16>, memref<64xbf16>, memref<?x64xbf16>, index)
    ```
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Index:$grid_x, Index:$grid_y, Index:$grid_z, Variadic<AnyType>:$arguments,
                       Optional<Index>:$operations, Optional<Index>:$touches, OptionalAttr<DenseI32ArrayAttr>:$partly,
                       OptionalAttr<DenseI32ArrayAttr>:$consumed);
  let assemblyFormat = [{
    $kernel `grid` `(` $grid_x `,` $grid_y `,` $grid_z `)` `args` `(` ($arguments^ `:` type($arguments))? `)`
    (`operations` `(` $operations^ `)`)? (`touches` `(` $touches^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Hopper_TensorMapOp : Hopper_Op<"tensor_map", [Pure, AttrSizedOperandSegments]> {
  let summary = "Describes boxes of a buffer to the copy engine.";
  let description = [{
    `extents` are in elements, innermost first. `strides` are in bytes, from the second dimension on, and multiples of
    16. `box` is in elements; the part of a box beyond the extents reads as zero. With a `swizzle` of 128, 64 or 32
    bytes, the 16-byte chunks of a row of the box are permuted by the row's number, as the matrix instructions expect.

    - `buffer`: the memory that boxes are cut from; its first element is the origin.
    - `extents`: an index for each dimension; `strides`: one fewer.
    - `box`: the extents of a box; `swizzle`: 0, 32, 64 or 128 bytes.
    - `map`: the description, 128 bytes that a launch passes on.

    Example:

    ```mlir
    %m = hopper.tensor_map %x extents(%k, %t) strides(%s) box [64, 128] swizzle 128 : memref<?x1024xbf16>
    ```
  }];
  let arguments = (ins AnyMemRef:$buffer, Variadic<Index>:$extents, Variadic<Index>:$strides, DenseI64ArrayAttr:$box, I64Attr:$swizzle);
  let results = (outs Hopper_TensorMapType:$map);
  let assemblyFormat = [{
    $buffer `extents` `(` $extents `)` `strides` `(` $strides `)` `box` $box `swizzle` $swizzle attr-dict `:` type($buffer)
  }];
  let hasVerifier = 1;
}

//===- rings -----------------------------------------------------------------===//

def Hopper_SharedMemoryOp : Hopper_Op<"shared_memory", [Pure]> {
  let summary = "The block's dynamic shared memory at a byte offset.";
  let description = [{
    Offset 0 is aligned to 1024 bytes.

    - `offset`: bytes from the start; `address`: a pointer to shared memory there.

    Example:

    ```mlir
    %tile = hopper.shared_memory 16384
    ```
  }];
  let arguments = (ins I64Attr:$offset);
  let results = (outs Hopper_Shared:$address);
  let assemblyFormat = "$offset attr-dict";
}

def Hopper_RingOp : Hopper_Op<"ring", [Pure]> {
  let summary = "A ring in shared memory, at a byte offset.";
  let description = [{
    - `offset`: bytes from the start of shared memory, a multiple of 1024.
    - `ring`: its slots, followed by their barriers. The type gives their number and size, and the number of
      consumers.

    Example:

    ```mlir
    %ring = hopper.ring 0 : !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let arguments = (ins I64Attr:$offset);
  let results = (outs Hopper_RingType:$ring);
  let assemblyFormat = "$offset attr-dict `:` type($ring)";
}

def Hopper_RingInitOp : Hopper_Op<"ring_init"> {
  let summary = "Initializes the barriers of a ring. One thread runs it, before a barrier of the block.";
  let description = [{
    A full barrier waits for one arrival, that of the producer with the bytes it expects. An empty barrier waits for
    `consumers` arrivals.

    - `ring`: the ring, whose barriers are not initialized yet.

    Example:

    ```mlir
    hopper.ring_init %ring : !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let arguments = (ins Hopper_RingType:$ring);
  let assemblyFormat = "$ring attr-dict `:` type($ring)";
}

def Hopper_RingAcquireOp : Hopper_Op<"ring_acquire"> {
  let summary = "The producer waits until use `i` may be written, and announces how many bytes will come.";
  let description = [{
    Returns the slot's address. The first round of the ring does not wait.

    - `ring`: the ring; `use`: i32, the number of its use, from 0.
    - `bytes`: i32, the number of bytes that the copies of this use write.
    - `slot`: a pointer to the slot in shared memory.

    Example:

    ```mlir
    %slot = hopper.ring_acquire %ring[%i] expect %bytes : !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let arguments = (ins Hopper_RingType:$ring, I32:$use, I32:$bytes);
  let results = (outs Hopper_Shared:$slot);
  let assemblyFormat = "$ring `[` $use `]` `expect` $bytes attr-dict `:` type($ring)";
}

def Hopper_RingWaitOp : Hopper_Op<"ring_wait"> {
  let summary = "A consumer waits until use `i` is full.";
  let description = [{
    Returns the slot's address.

    - `ring`: the ring; `use`: i32, as in `hopper.ring_acquire`.
    - `slot`: a pointer to the slot in shared memory.

    Example:

    ```mlir
    %slot = hopper.ring_wait %ring[%i] : !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let arguments = (ins Hopper_RingType:$ring, I32:$use);
  let results = (outs Hopper_Shared:$slot);
  let assemblyFormat = "$ring `[` $use `]` attr-dict `:` type($ring)";
}

def Hopper_RingReleaseOp : Hopper_Op<"ring_release"> {
  let summary = "One arrival of a consumer: it has read use `i`.";
  let description = [{
    One thread of each consumer, which is a warp, runs it after all threads of the warp have read. With `blocks` all
    lanes of the warp run it, without a branch: lane r arrives at the same ring in block r of the cluster, if `when`
    holds. Blocks that copy into each other's rings (`hopper.tensor_copy ... multicast`) need this form. Their
    `consumers` counts the consumers of all these blocks.

    - `ring`: the ring; `use`: i32, as in `hopper.ring_acquire`.
    - `blocks`: the number of blocks of the cluster that get the arrival; `when`: i1, whether they get it.

    Example:

    ```mlir
    hopper.ring_release %ring[%i] : !hopper.ring<4 x 20480, consumers = 2>
    hopper.ring_release %ring[%i] blocks 2 when %any : !hopper.ring<4 x 20480, consumers = 4>
    ```
  }];
  let arguments = (ins Hopper_RingType:$ring, I32:$use, OptionalAttr<I64Attr>:$blocks, Optional<I1>:$when);
  let builders = [OpBuilder<(ins "mlir::Value":$ring, "mlir::Value":$use), [{
    build($_builder, $_state, ring, use, mlir::IntegerAttr(), mlir::Value());
  }]>];
  let assemblyFormat = "$ring `[` $use `]` (`blocks` $blocks^ `when` $when)? attr-dict `:` type($ring)";
  let hasVerifier = 1;
}

def Hopper_BulkCopyOp : Hopper_Op<"bulk_copy"> {
  let summary = "Copies consecutive bytes into a slot; they complete on the ring's full barrier.";
  let description = [{
    One thread runs it. Addresses and size are multiples of 16 bytes. With `once` the bytes are not kept in the
    second-level cache, which suits weights.

    - `source`: a pointer to global memory; `destination`: one to shared memory; `bytes`: i32.
    - `ring`, `use`: the barrier that the bytes complete; `once`: present when the bytes are read only once.

    Example:

    ```mlir
    hopper.bulk_copy %weights to %slot, %bytes on %ring[%i] once : !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let arguments = (ins Hopper_Global:$source, Hopper_Shared:$destination, I32:$bytes, Hopper_RingType:$ring, I32:$use, UnitAttr:$once);
  let assemblyFormat = "$source `to` $destination `,` $bytes `on` $ring `[` $use `]` (`once` $once^)? attr-dict `:` type($ring)";
}

def Hopper_TensorCopyOp : Hopper_Op<"tensor_copy"> {
  let summary = "Copies one box of a tensor into a slot; its bytes complete on the ring's full barrier.";
  let description = [{
    One thread runs it. `coordinates` are in elements, innermost first. All bytes of the box count for the barrier,
    also those beyond the extents. With `multicast` = n the box goes to the same place in the first n blocks of the
    cluster, and completes on the full barrier of each.

    - `map`: a pointer to the tensor map; `coordinates`: i32, the first element of the box in each dimension.
    - `destination`: a pointer to shared memory.
    - `ring`, `use`: the barrier that the bytes complete; `multicast`: the number of blocks that get the box.

    Example:

    ```mlir
    hopper.tensor_copy %map[%k, %t] to %slot on %ring[%i] : !hopper.ring<4 x 20480, consumers = 2>
    hopper.tensor_copy %map[%k, %t] to %slot on %ring[%i] multicast 2 : !hopper.ring<4 x 20480, consumers = 4>
    ```
  }];
  let arguments = (ins LLVM_AnyPointer:$map, Variadic<I32>:$coordinates, Hopper_Shared:$destination, Hopper_RingType:$ring, I32:$use,
                       OptionalAttr<I64Attr>:$multicast);
  let builders = [OpBuilder<(ins "mlir::Value":$map, "mlir::ValueRange":$coordinates, "mlir::Value":$destination, "mlir::Value":$ring,
                                 "mlir::Value":$use),
                            [{ build($_builder, $_state, map, coordinates, destination, ring, use, mlir::IntegerAttr()); }]>];
  let assemblyFormat = [{
    $map `[` $coordinates `]` `to` $destination `on` $ring `[` $use `]` (`multicast` $multicast^)? attr-dict `:` type($map) `,` type($ring)
  }];
  let hasVerifier = 1;
}

def Hopper_RolesOp : Hopper_Op<"roles", [RecursiveMemoryEffects, SingleBlock, NoTerminator]> {
  let summary = "Warpgroup 0 is the producer, the others are consumers.";
  let description = [{
    One thread of the first warpgroup runs the first region, and that warpgroup gives up registers. All threads of the
    other warpgroups run the second region, and those warpgroups take registers. Registers are per thread, in
    multiples of 8.

    - `producer_registers`, `consumer_registers`: registers of a thread of either role.

    Example:

    ```mlir
    hopper.roles registers 40, 232 producer { ... } consumers { ... }
    ```
  }];
  let arguments = (ins I64Attr:$producer_registers, I64Attr:$consumer_registers);
  let regions = (region SizedRegion<1>:$producer, SizedRegion<1>:$consumers);
  let assemblyFormat = [{
    `registers` $producer_registers `,` $consumer_registers `producer` $producer `consumers` $consumers attr-dict
  }];
}

//===- matrix instructions ---------------------------------------------------===//

def Hopper_DescriptorOp : Hopper_Op<"descriptor", [Pure]> {
  let summary = "Describes a tile of shared memory to a matrix instruction.";
  let description = [{
    The matrix descriptor of the PTX ISA (asynchronous warpgroup level matrix shared memory layout). It holds the
    start address, the `leading` and `stride` byte offsets, and a swizzle of 128, 64, 32 or 0 bytes.

    - `address`: a pointer to the tile in shared memory.
    - `leading`, `stride`, `swizzle`: in bytes.
    - `descriptor`: i64, as the instruction reads it.

    Example:

    ```mlir
    %d = hopper.descriptor %tile leading 16 stride 1024 swizzle 128
    ```
  }];
  let arguments = (ins Hopper_Shared:$address, I64Attr:$leading, I64Attr:$stride, I64Attr:$swizzle);
  let results = (outs I64:$descriptor);
  let assemblyFormat = "$address `leading` $leading `stride` $stride `swizzle` $swizzle attr-dict";
}

def Hopper_WgmmaOp : Hopper_Op<"wgmma", [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "D = A B + D for a tile of m = 64, n and k = 16: bf16 inputs, float32 sums, asynchronous.";
  let description = [{
    All threads of a warpgroup issue it. `a` is a descriptor (i64), or the thread's fragment of A: four registers of
    two bf16 each. `b` is a descriptor. `accumulator` holds the thread's n/2 float32 of D (PTX ISA, wgmma fragment
    layouts). With `a_transposed` or `b_transposed` that tile is contiguous along m or n instead of k. The result may
    be read after `hopper.wgmma_wait`.

    - `result`: like `accumulator`, the sums with this product added.

    Example:

    ```mlir
    %d1 = hopper.wgmma %a, %b, %d : vector<4xi32>, vector<64xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[I64, VectorOfLengthAndType<[4], [I32]>]>:$a, I64:$b, VectorOfRankAndType<[1], [F32]>:$accumulator,
                       UnitAttr:$a_transposed, UnitAttr:$b_transposed);
  let results = (outs VectorOfRankAndType<[1], [F32]>:$result);
  let assemblyFormat = "$a `,` $b `,` $accumulator (`a_transposed` $a_transposed^)? (`b_transposed` $b_transposed^)? attr-dict `:` type($a) `,` type($accumulator)";
  let hasVerifier = 1;
}

def Hopper_WgmmaFenceOp : Hopper_Op<"wgmma_fence", [AllTypesMatch<["accumulators", "results"]>]> {
  let summary = "Makes registers written before visible to the matrix instructions after.";
  let description = [{
    The accumulators pass through, so that no use of them moves across.

    - `accumulators`: float32 vectors, the registers; `results`: the same values, to be used from here on.

    Example:

    ```mlir
    %d1 = hopper.wgmma_fence %d : vector<64xf32>
    ```
  }];
  let arguments = (ins Variadic<VectorOfRankAndType<[1], [F32]>>:$accumulators);
  let results = (outs Variadic<VectorOfRankAndType<[1], [F32]>>:$results);
  let assemblyFormat = "$accumulators attr-dict `:` type($accumulators)";
}

def Hopper_WgmmaWaitOp : Hopper_Op<"wgmma_wait", [AllTypesMatch<["accumulators", "results"]>]> {
  let summary = "Waits until at most `pending` committed groups of matrix instructions are unfinished.";
  let description = [{
    The accumulators pass through, so that no use of them moves across.

    - `pending`: how many groups may be unfinished.
    - `accumulators`: float32 vectors, the registers; `results`: the same values, to be used from here on.

    Example:

    ```mlir
    %d1 = hopper.wgmma_wait 0 %d : vector<64xf32>
    ```
  }];
  let arguments = (ins I64Attr:$pending, Variadic<VectorOfRankAndType<[1], [F32]>>:$accumulators);
  let results = (outs Variadic<VectorOfRankAndType<[1], [F32]>>:$results);
  let assemblyFormat = "$pending $accumulators attr-dict `:` type($accumulators)";
}

def Hopper_DequantizeOp : Hopper_Op<"dequantize", [Pure]> {
  let summary = "Decodes eight INT4 codes of a fragment to the eight bf16 values that the matrix instruction reads (N5).";
  let description = [{
    `codes` holds u = q + 8 in the order of the packed layout: the two codes of register p are in bits 4p..4p+3 and
    4p+16..4p+19. `scale_low` is the bf16 scale of row g (registers 0 and 2), stored twice; `scale_high` is that of
    row g + 8 (registers 1 and 3). Each value is `bf16(q * s)`: 128 + u is exact in bf16, 136 is subtracted exactly,
    and one product is rounded.

    - `fragment`: four i32, each with two bf16 values of the thread's fragment of A.

    Example:

    ```mlir
    %a = hopper.dequantize %codes, %s0, %s1 : vector<4xi32>
    ```
  }];
  let arguments = (ins I32:$codes, I32:$scale_low, I32:$scale_high);
  let results = (outs VectorOfLengthAndType<[4], [I32]>:$fragment);
  let assemblyFormat = "$codes `,` $scale_low `,` $scale_high attr-dict `:` type($fragment)";
}

def Hopper_DequantizeSmallOp : Hopper_Op<"dequantize_small", [Pure]> {
  let summary = "hopper.dequantize for scales above 0 and below 2^-5, in fewer instructions.";
  let description = [{
    The bits of a code u, read as a bf16, are the subnormal number u * 2^-133; the bits of 16 u are u * 2^-129. The
    operands are `low` = s0 * 2^133, `high` = s1 * 2^129, -8 s0 and -8 s1, all exact. One fused multiply-add then
    gives `bf16((u - 8) * s)`: the product with the scale, rounded once (N5). `codes` is as in hopper.dequantize. Each
    of the other operands holds its bf16 number twice.

    - `low`, `minus_low`, `high`, `minus_high`: i32, the bf16 numbers for the scales s0 (low) and s1 (high).
    - `fragment`: as in `hopper.dequantize`.

    Example:

    ```mlir
    %a = hopper.dequantize_small %codes, %low, %minus_low, %high, %minus_high : vector<4xi32>
    ```
  }];
  let arguments = (ins I32:$codes, I32:$low, I32:$minus_low, I32:$high, I32:$minus_high);
  let results = (outs VectorOfLengthAndType<[4], [I32]>:$fragment);
  let assemblyFormat = "$codes `,` $low `,` $minus_low `,` $high `,` $minus_high attr-dict `:` type($fragment)";
}

#endif // NIBBLE_DIALECTS_HOPPER_HOPPEROPS

// Each stage of the walk-through fulfils its contract.
// RUN: nibble-opt %examples/layer.mlir --nibble-verify-stage=stage=import --nibble-quantize --nibble-verify-stage=stage=quantize \
// RUN:   --nibble-derive-rollout --nibble-verify-stage=stage=rollout --nibble-fuse --nibble-verify-stage=stage=fuse | FileCheck %s
// CHECK: func.func @forward

// Later stages accept torch-mlir's form of an embedding, including its assertions.
// RUN: nibble-opt %data/lib/Frontend/Linalg/Inputs/torch/embedding.mlir --nibble-recognize-linear=parameters=2:table --nibble-verify-stage=stage=import \
// RUN:   --nibble-differentiate=function=main --nibble-verify-stage=stage=differentiate | FileCheck %s --check-prefix=EMBEDDING
// EMBEDDING: cf.assert
// EMBEDDING: func.func @train_step

// Each stage of the walk-through keeps its promise.
// RUN: nibble-opt %examples/layer.mlir --nibble-verify-stage=stage=import --nibble-quantize --nibble-verify-stage=stage=quantize \
// RUN:   --nibble-derive-rollout --nibble-verify-stage=stage=rollout --nibble-fuse --nibble-verify-stage=stage=fuse | FileCheck %s
// CHECK: func.func @forward

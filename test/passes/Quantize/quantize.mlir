// RUN: nibble-opt %s --nibble-quantize | FileCheck %s
// RUN: nibble-opt %s --nibble-quantize="include=down_proj group-size=64 convention=slime" | FileCheck %s --check-prefix=DOWN
// The spelling of command lines, and the attribute's own spelling.
// RUN: nibble-opt %s --nibble-quantize="include=down_proj convention=compressed-tensors" | FileCheck %s --check-prefix=THEIRS
// RUN: nibble-opt %s --nibble-quantize="include=down_proj convention=compressed_tensors" | FileCheck %s --check-prefix=THEIRS
// THEIRS: qat.fake_quant {{.*}}convention = compressed_tensors
// RUN: nibble-opt %s --nibble-quantize="exclude=layers\.0\. scheme=int8 group-size=0" | FileCheck %s --check-prefix=SKIP
// RUN: nibble-opt %s --nibble-quantize="include=embed default-exclude=false scheme=fp8" | FileCheck %s --check-prefix=TIED
// RUN: nibble-opt %s --nibble-quantize=scheme=none | FileCheck %s --check-prefix=NONE
// Two recipes in sequence: the weights that the first one quantized stay as they are.
// RUN: nibble-opt %s --nibble-quantize=include=down_proj --nibble-quantize=group-size=64 | FileCheck %s --check-prefix=TWO
// RUN: nibble-opt %s --nibble-quantize=function=other | FileCheck %s --check-prefix=OTHER

// Every weight of a linear except the head's. A weight that two linears read is rounded once.
// CHECK-LABEL: func.func private @layer
// CHECK-SAME: %[[X:.*]]: tensor<?x64xbf16>, %[[UP:.*]]: tensor<128x64xbf16> {nn.parameter = "up_proj.weight"}, %[[D:.*]]: tensor<64x128xbf16>
// CHECK-NEXT: %[[UP4:.*]] = qat.fake_quant %[[UP]] {scheme = #qat.scheme<int4, group_size = 32>} : tensor<128x64xbf16>
// CHECK-NEXT: nn.linear %[[X]], %[[UP4]]
// CHECK-NEXT: nn.linear %[[X]], %[[UP4]]
// CHECK: %[[D4:.*]] = qat.fake_quant %[[D]] {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x128xbf16>
// CHECK-NEXT: nn.linear %{{.*}}, %[[D4]]
// CHECK-NOT: qat.fake_quant
// CHECK-LABEL: func.func @logits
// CHECK-COUNT-2: call @layer(
// CHECK-NOT: qat.fake_quant

// DOWN-LABEL: func.func private @layer
// DOWN-NOT: qat.fake_quant
// DOWN: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 64, convention = slime>} : tensor<64x128xbf16>
// DOWN-NOT: qat.fake_quant

// The first layer keeps its weights, so the second gets a function of its own.
// SKIP-LABEL: func.func private @layer(
// SKIP-NOT: qat.fake_quant
// SKIP-LABEL: func.func @logits
// SKIP: call @layer(
// SKIP-NEXT: call @layer_0(
// SKIP: func.func private @layer_0(
// SKIP-COUNT-2: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int8, group_size = 0>}

// The table of a tied head is rounded for the head, not for the embedding.
// TIED-LABEL: func.func @logits
// TIED: nn.embedding %{{.*}}, %[[TABLE:[a-z0-9]+]] :
// TIED: %[[ROUNDED:.*]] = qat.fake_quant %[[TABLE]] {scheme = #qat.scheme<fp8, group_size = 128>}
// TIED: nn.linear %{{.*}}, %[[ROUNDED]]

// NONE-NOT: qat.fake_quant

// TWO-LABEL: func.func private @layer
// TWO: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 64>} : tensor<128x64xbf16>
// TWO: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x128xbf16>
// TWO-NOT: qat.fake_quant

// Only one of two functions that share a layer is quantized, so it gets a layer function of its own.
// OTHER-LABEL: func.func private @layer(
// OTHER-NOT: qat.fake_quant
// OTHER-LABEL: func.func @logits
// OTHER-COUNT-2: call @layer(
// OTHER-LABEL: func.func @other
// OTHER: call @layer_0(
// OTHER: func.func private @layer_0(
// OTHER-COUNT-2: qat.fake_quant

func.func private @layer(%x: tensor<?x64xbf16>, %up: tensor<128x64xbf16> {nn.parameter = "up_proj.weight"},
                         %down: tensor<64x128xbf16> {nn.parameter = "down_proj.weight"}) -> tensor<?x64xbf16> {
  %0 = nn.linear %x, %up : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %1 = nn.linear %x, %up : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %2 = nn.swiglu %0, %1 : tensor<?x128xbf16>
  %3 = nn.linear %2, %down : tensor<?x128xbf16>, tensor<64x128xbf16> -> tensor<?x64xbf16>
  return %3 : tensor<?x64xbf16>
}

func.func @logits(%tokens: tensor<?xi32> {nn.input = "tokens"}, %table: tensor<96x64xbf16> {nn.parameter = "embed_tokens.weight"},
                  %up0: tensor<128x64xbf16> {nn.parameter = "layers.0.up_proj.weight"},
                  %down0: tensor<64x128xbf16> {nn.parameter = "layers.0.down_proj.weight"},
                  %up1: tensor<128x64xbf16> {nn.parameter = "layers.1.up_proj.weight"},
                  %down1: tensor<64x128xbf16> {nn.parameter = "layers.1.down_proj.weight"}) -> tensor<?x96xf32> {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %x0 = call @layer(%x, %up0, %down0) : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
  %x1 = call @layer(%x0, %up1, %down1) : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
  %y = nn.linear %x1, %table : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

func.func @other(%x: tensor<?x64xbf16> {nn.input = "x"}, %up0: tensor<128x64xbf16> {nn.parameter = "layers.0.up_proj.weight"},
                 %down0: tensor<64x128xbf16> {nn.parameter = "layers.0.down_proj.weight"}) -> tensor<?x64xbf16> {
  %y = call @layer(%x, %up0, %down0) : (tensor<?x64xbf16>, tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

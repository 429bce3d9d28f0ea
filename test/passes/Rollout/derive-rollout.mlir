// RUN: nibble-opt %s --nibble-derive-rollout --split-input-file | FileCheck %s
// RUN: nibble-opt %s --nibble-derive-rollout="weights=unquantized page-size=128" --split-input-file | FileCheck %s --check-prefix=PLAIN
// RUN: nibble-opt %s --nibble-derive-rollout=weights=dequantized --split-input-file | FileCheck %s --check-prefix=ROUNDED
// An INT4 rollout of a model trained without quantization: the recipe applies to the rollout only.
// RUN: nibble-opt %s --nibble-derive-rollout=weights=unquantized --nibble-quantize="function=forward include=wo" --nibble-pack-weights --split-input-file \
// RUN:   | FileCheck %s --check-prefix=ALONE
// RUN: nibble-opt %s --nibble-derive-rollout=sample=true --split-input-file | FileCheck %s --check-prefixes=CHECK,SAMPLE

// The training function is unchanged.
// CHECK-LABEL: func.func private @layer(
// CHECK: nn.attention
// CHECK: qat.fake_quant
// CHECK-LABEL: func.func @logits(

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32> {nn.input = "tokens"}, %[[POSITIONS:[a-z0-9]+]]: tensor<?xi32> {nn.input = "positions"}
// CHECK-SAME: %[[PAGES:[a-z0-9]+]]: tensor<?x?xi32> {nn.input = "pages"}, %[[ROWS:[a-z0-9]+]]: tensor<?xi32> {nn.input = "rows"}
// CHECK-SAME: %[[W0:[a-z0-9]+]]: !qat.packed<64x64, <int4, group_size = 32>, host> {nn.parameter = "0.wo"}
// CHECK-SAME: %[[W1:[a-z0-9]+]]: !qat.packed<64x64, <int4, group_size = 32>, host> {nn.parameter = "1.wo"}
// CHECK-SAME: %[[K0:[a-z0-9]+]]: tensor<?x1x32x64xbf16> {nn.state = "key_cache:0"}, %[[V0:[a-z0-9]+]]: tensor<?x1x64x32xbf16> {nn.state = "value_cache:0"}
// CHECK-SAME: tensor<?x1x32x64xbf16> {nn.state = "key_cache:1"}, %{{[a-z0-9]+}}: tensor<?x1x64x32xbf16> {nn.state = "value_cache:1"}
// CHECK-SAME: -> (tensor<?x96xf32> {nn.output = "logits"}, tensor<?x1x32x64xbf16> {nn.output = "key_cache:0"}
// CHECK: %[[L0:.*]]:3 = call @layer_rollout(%{{.*}}, %[[W0]], %[[PAGES]], %[[K0]], %[[V0]])
// CHECK: %[[L1:.*]]:3 = call @layer_rollout(%[[L0]]#0, {{.*}}%[[W1]]
// CHECK-NEXT: %[[TAKEN:.*]] = nn.take_rows %[[L1]]#0, %[[ROWS]]
// CHECK-NEXT: nn.rms_norm %[[TAKEN]]
// CHECK-NEXT: %[[LOGITS:.*]] = nn.linear
// CHECK-NEXT: return %[[LOGITS]], %[[L0]]#1, %[[L0]]#2, %[[L1]]#1, %[[L1]]#2

// CHECK-LABEL: func.func private @layer_rollout(
// CHECK-NOT: qat.fake_quant
// CHECK: %[[KEYS:.*]], %[[VALUES:.*]] = nn.cache_write %[[X:.*]], %{{.*}}, %
// CHECK-NEXT: %[[A:.*]] = nn.paged_attention %{{.*}}, %[[KEYS]], %[[VALUES]], %{{.*}} {heads = 2 : i64, kv_block = 64 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32, test.note = 1 : i64, window = 32 : i64}
// CHECK-NEXT: %[[WO:.*]] = qat.dequantize %{{.*}} : !qat.packed<64x64, <int4, group_size = 32>, host> -> tensor<64x64xbf16>
// CHECK-NEXT: nn.linear %[[A]], %[[WO]]
// CHECK: return %{{.*}}, %[[KEYS]], %[[VALUES]]

// CHECK-LABEL: func.func @sample_log_probability(
// CHECK-SAME: tensor<?x96xf32> {nn.input = "logits"}, %{{.*}}: tensor<?xi32> {nn.input = "targets"}, %{{.*}}: tensor<?xf32> {nn.input = "temperature"}) -> (tensor<?xf32> {nn.output = "logp"}, tensor<?xf32> {nn.output = "entropy"})
// CHECK: nn.log_probability

// SAMPLE-LABEL: func.func @sample(
// SAMPLE-SAME: %[[LOGITS:[a-z0-9]+]]: tensor<?x96xf32> {nn.input = "logits"}, %[[T:[a-z0-9]+]]: tensor<?xf32> {nn.input = "temperature"}
// SAMPLE-SAME: %[[RECORDED:[a-z0-9]+]]: tensor<?xf32> {nn.input = "recorded_temperature"}, %[[BITS:[a-z0-9]+]]: tensor<?xi64> {nn.input = "bits"}
// SAMPLE-SAME: %[[FILTERED:[a-z0-9]+]]: tensor<?xi32> {nn.input = "filtered"}, %[[K:[a-z0-9]+]]: tensor<?xi32> {nn.input = "top_k"}
// SAMPLE-SAME: %[[P:[a-z0-9]+]]: tensor<?xf64> {nn.input = "top_p"}, %[[M:[a-z0-9]+]]: tensor<?xf64> {nn.input = "min_p"}
// SAMPLE-SAME: -> (tensor<?xi32> {nn.output = "tokens"}, tensor<?xf32> {nn.output = "log_kept_mass"}, tensor<?xi32> {nn.output = "status"}, tensor<?xf32> {nn.output = "logp"}, tensor<?xf32> {nn.output = "entropy"})
// SAMPLE-NEXT: %[[TOKEN:.*]], %{{.*}}, %{{.*}} = nn.sample %[[LOGITS]], %[[T]], %[[BITS]], %[[FILTERED]], %[[K]], %[[P]], %[[M]]
// SAMPLE-NEXT: nn.log_probability %[[LOGITS]], %[[TOKEN]], %[[RECORDED]]

// PLAIN-LABEL: func.func @forward(
// PLAIN-SAME: tensor<64x64xbf16> {nn.parameter = "1.wo"}
// PLAIN-SAME: tensor<?x1x32x128xbf16> {nn.state = "key_cache:0"}
// PLAIN-LABEL: func.func private @layer_rollout(
// PLAIN-NOT: qat.

// ROUNDED-LABEL: func.func @forward(
// ROUNDED-SAME: tensor<64x64xbf16> {nn.parameter = "1.wo"}
// ROUNDED-LABEL: func.func private @layer_rollout(
// ROUNDED: qat.fake_quant

// ALONE-LABEL: func.func @forward(
// ALONE-SAME: !qat.packed<64x64, <int4, group_size = 32>, host> {nn.parameter = "1.wo"}
// ALONE-LABEL: func.func private @layer_rollout(
// ALONE: qat.dequantize

func.func private @layer(%x: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                         %wo: tensor<64x64xbf16> {nn.parameter = "wo"}) -> tensor<?x64xbf16> {
  %a, %lse = nn.attention %x, %k, %k, %positions, %sequences {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64, window = 32, test.note = 1 : i64}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  %w = qat.fake_quant %wo {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x64xbf16>
  %y = nn.linear %a, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @hidden(%tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
                  %sequences: tensor<?xi32> {nn.input = "sequences"}, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                  %keys: tensor<96x32xbf16> {nn.parameter = "keys"},
                  %w0: tensor<64x64xbf16> {nn.parameter = "0.wo"}, %w1: tensor<64x64xbf16> {nn.parameter = "1.wo"},
                  %norm: tensor<64xbf16> {nn.parameter = "norm"}) -> tensor<?x64xbf16> {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %k = nn.embedding %tokens, %keys : tensor<?xi32>, tensor<96x32xbf16> -> tensor<?x32xbf16>
  %x0 = call @layer(%x, %k, %positions, %sequences, %w0) : (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  %x1 = call @layer(%x0, %k, %positions, %sequences, %w1) : (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  %y = nn.rms_norm %x1, %norm {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @logits(%tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
                  %sequences: tensor<?xi32> {nn.input = "sequences"}, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                  %keys: tensor<96x32xbf16> {nn.parameter = "keys"},
                  %w0: tensor<64x64xbf16> {nn.parameter = "0.wo"}, %w1: tensor<64x64xbf16> {nn.parameter = "1.wo"},
                  %norm: tensor<64xbf16> {nn.parameter = "norm"}) -> tensor<?x96xf32> {
  %y = call @hidden(%tokens, %positions, %sequences, %table, %keys, %w0, %w1, %norm)
      : (tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<96x64xbf16>, tensor<96x32xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  %logits = nn.linear %y, %table : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %logits : tensor<?x96xf32>
}

// -----

// Without layer functions, the attention in the model itself gets the cache. Every value after it is cut to the requested rows.
// CHECK-LABEL: func.func @forward(
// CHECK: %[[X:.*]] = nn.embedding
// CHECK: %[[A:.*]] = nn.paged_attention
// CHECK-DAG: %[[AR:.*]] = nn.take_rows %[[A]]
// CHECK-DAG: %[[XR:.*]] = nn.take_rows %[[X]]
// CHECK: arith.addf %[[XR]], %[[AR]]

// PLAIN-LABEL: func.func @forward(
// ROUNDED-LABEL: func.func @forward(
// ALONE-LABEL: func.func @forward(
func.func @logits(%tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
                  %sequences: tensor<?xi32> {nn.input = "sequences"}, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                  %wo: tensor<64x64xbf16> {nn.parameter = "wo"}) -> tensor<?x96xf32> {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %q = nn.linear %x, %wo : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
  %a, %lse = nn.attention %q, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  %y = arith.addf %x, %a : tensor<?x64xbf16>
  %logits = nn.linear %y, %table : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %logits : tensor<?x96xf32>
}

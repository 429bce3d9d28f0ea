// RUN: nibble-opt %s --nibble-derive-rollout --split-input-file --verify-diagnostics
// RUN: not nibble-opt %s --nibble-derive-rollout=weights=int4 --split-input-file 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not nibble-opt %s --nibble-derive-rollout=function=loss --split-input-file 2>&1 | FileCheck %s --check-prefix=FUNCTION
// RUN: not nibble-opt %s --nibble-derive-rollout=name=logits --split-input-file 2>&1 | FileCheck %s --check-prefix=NAME
// WEIGHTS: nibble-derive-rollout: weights='int4' is not one of packed, dequantized, unquantized
// FUNCTION: nibble-derive-rollout: there is no function 'loss'
// NAME: nibble-derive-rollout: there is a function 'logits' already

// expected-error @below {{'logits' does not attend, there is nothing to keep in a cache}}
module {
  func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}) -> tensor<?x64xf32> {
    return %x : tensor<?x64xf32>
  }
}

// -----

// N14: blocks of the training's order must not straddle pages.
func.func @logits(%x: tensor<?x64xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x64xf32> {
  // expected-error @below {{N14: page-size = 64 is not a whole number of blocks of kv_block = 128}}
  %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 128}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %a : tensor<?x64xf32>
}

// -----

func.func @logits(%x: tensor<?x64xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x2xf32> {
  // expected-error @below {{its lse is used; derive the rollout from a forward, before differentiating}}
  %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %lse : tensor<?x2xf32>
}

// -----

// expected-error @below {{'logits' does not return logits, tensor<?xVxf32>}}
module {
  func.func @logits(%x: tensor<?x64xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x64xbf16> {
    %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
        : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
    return %a : tensor<?x64xbf16>
  }
}

// -----

// A reversal of the tokens is not row by row.
func.func @logits(%x: tensor<?x64xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %n: index) -> tensor<?x64xf32> {
  %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  // expected-error @below {{cannot tell whether 'tensor.extract_slice' works on each row alone}}
  %b = tensor.extract_slice %a[0, 0] [%n, 64] [1, 1] : tensor<?x64xf32> to tensor<?x64xf32>
  return %b : tensor<?x64xf32>
}

// -----

func.func @logits(%x: tensor<?x64xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x64xf32> {
  %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  // expected-error @below {{operand 0 is 'tensor<?xi32>', whose rows cannot be taken}}
  %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0>, attention_factor = 1.0 : f32} : tensor<?xi32> -> tensor<?x1xf32>
  %b = nn.rope %a, %cos, %sin : tensor<?x64xf32>, tensor<?x1xf32>
  return %b : tensor<?x64xf32>
}

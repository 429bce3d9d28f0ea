// An example of every op of nn and qat, in forms that every target accepts. The function has the op's name. Tests of completeness read
// them.
#int4 = #qat.scheme<int4, group_size = 32>
!packed = !qat.packed<128x256, #int4, host>

func.func @nn.embedding(%tokens: tensor<?xi32>, %table: tensor<96x64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @nn.embedding_grad(%dy: tensor<?x64xbf16>, %tokens: tensor<?xi32>, %init: tensor<96x64xf32> {nn.state = "gradient:w"}) -> tensor<96x64xf32> {
  %dw = nn.embedding_grad %dy, %tokens, %init : tensor<?x64xbf16>, tensor<?xi32>, tensor<96x64xf32>
  return %dw : tensor<96x64xf32>
}

func.func @nn.rms_norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @nn.rms_norm_grad(%dy: tensor<?x64xbf16>, %x: tensor<?x64xbf16>, %w: tensor<64xbf16>, %init: tensor<64xf32> {nn.state = "gradient:w"})
    -> (tensor<?x64xbf16>, tensor<64xf32>) {
  %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %init {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>, tensor<64xf32>
  return %dx, %dw : tensor<?x64xbf16>, tensor<64xf32>
}

func.func @nn.linear(%x: tensor<?x256xbf16>, %w: tensor<128x256xbf16>, %b: tensor<128xbf16>, %r: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
  %y = nn.linear %x, %w bias(%b : tensor<128xbf16>) residual(%r : tensor<?x128xbf16>) : tensor<?x256xbf16>, tensor<128x256xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

func.func @nn.linear_input_grad(%dy: tensor<?x128xbf16>, %w: tensor<128x256xbf16>) -> tensor<?x256xbf16> {
  %dx = nn.linear_input_grad %dy, %w : tensor<?x128xbf16>, tensor<128x256xbf16> -> tensor<?x256xbf16>
  return %dx : tensor<?x256xbf16>
}

func.func @nn.linear_weight_grad(%dy: tensor<?x128xbf16>, %x: tensor<?x256xbf16>, %init: tensor<128x256xf32> {nn.state = "gradient:w"}) -> tensor<128x256xf32> {
  %dw = nn.linear_weight_grad %dy, %x, %init : tensor<?x128xbf16>, tensor<?x256xbf16>, tensor<128x256xf32>
  return %dw : tensor<128x256xf32>
}

func.func @nn.sum_tokens(%x: tensor<?x128xbf16>, %init: tensor<128xf32> {nn.state = "gradient:b"}) -> tensor<128xf32> {
  %db = nn.sum_tokens %x, %init : tensor<?x128xbf16>, tensor<128xf32>
  return %db : tensor<128xf32>
}

func.func @nn.rope_table(%positions: tensor<?xi32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.01>, attention_factor = 1.0 : f32} : tensor<?xi32> -> tensor<?x2xf32>
  return %cos, %sin : tensor<?x2xf32>, tensor<?x2xf32>
}

func.func @nn.rope(%x: tensor<?x128xbf16>, %cos: tensor<?x32xf32>, %sin: tensor<?x32xf32>) -> tensor<?x128xbf16> {
  %y = nn.rope %x, %cos, %sin : tensor<?x128xbf16>, tensor<?x32xf32>
  return %y : tensor<?x128xbf16>
}

func.func @nn.swiglu(%gate: tensor<?x64xbf16>, %up: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.swiglu %gate, %up : tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @nn.swiglu_grad(%dy: tensor<?x64xbf16>, %gate: tensor<?x64xbf16>, %up: tensor<?x64xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %dgate, %dup = nn.swiglu_grad %dy, %gate, %up : tensor<?x64xbf16>
  return %dgate, %dup : tensor<?x64xbf16>, tensor<?x64xbf16>
}

func.func @nn.linear_swiglu(%x: tensor<?x256xbf16>, %gate: tensor<128x256xbf16>, %up: tensor<128x256xbf16>) -> tensor<?x128xbf16> {
  %y = nn.linear_swiglu %x, %gate, %up : tensor<?x256xbf16>, tensor<128x256xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

func.func @nn.take_rows(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>) -> tensor<?x64xbf16> {
  %y = nn.take_rows %x, %rows : tensor<?x64xbf16>, tensor<?xi32> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @nn.attention(%q: tensor<?x128xbf16>, %k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>)
    -> (tensor<?x128xbf16>, tensor<?x2xf32>) {
  %y, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 2, kv_heads = 1, scale = 0.125 : f32, kv_block = 64}
      : tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y, %lse : tensor<?x128xbf16>, tensor<?x2xf32>
}

func.func @nn.attention_grad(%dy: tensor<?x128xbf16>, %q: tensor<?x128xbf16>, %k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %y: tensor<?x128xbf16>,
    %lse: tensor<?x2xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> (tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %positions, %sequences {heads = 2, kv_heads = 1, scale = 0.125 : f32, kv_block = 64}
      : tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x2xf32>, tensor<?xi32>, tensor<?xi32>
  return %dq, %dk, %dv : tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>
}

func.func @nn.cache_write(%k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %keys: tensor<?x1x64x64xbf16> {nn.state = "key_cache:0"},
    %values: tensor<?x1x64x64xbf16> {nn.state = "value_cache:0"}, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>)
    -> (tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>) {
  %k1, %v1 = nn.cache_write %k, %v, %keys, %values, %positions, %sequences, %pages
      : tensor<?x64xbf16>, tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %k1, %v1 : tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>
}

func.func @nn.rope_cache_write(%q: tensor<?x128xbf16>, %k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %cos: tensor<?x32xf32>, %sin: tensor<?x32xf32>,
    %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>, %keys: tensor<?x1x64x64xbf16> {nn.state = "key_cache:0"},
    %values: tensor<?x1x64x64xbf16> {nn.state = "value_cache:0"}, %nq: tensor<64xbf16>, %nk: tensor<64xbf16>)
    -> (tensor<?x128xbf16>, tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>) {
  %q1, %k1, %v1 = nn.rope_cache_write %q, %k, %v, %cos, %sin, %positions, %sequences, %pages, %keys, %values
      norms(%nq, %nk : tensor<64xbf16>, tensor<64xbf16>) {epsilon = 1.0e-6 : f32}
      : tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>
  return %q1, %k1, %v1 : tensor<?x128xbf16>, tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>
}

func.func @nn.paged_attention(%q: tensor<?x128xbf16>, %keys: tensor<?x1x64x64xbf16>, %values: tensor<?x1x64x64xbf16>, %positions: tensor<?xi32>,
    %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>) -> tensor<?x128xbf16> {
  %y = nn.paged_attention %q, %keys, %values, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.125 : f32, kv_block = 64}
      : tensor<?x128xbf16>, tensor<?x1x64x64xbf16>, tensor<?x1x64x64xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x128xbf16>
}

func.func @nn.log_probability(%logits: tensor<?x96xf32>, %targets: tensor<?xi32>, %temperature: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x96xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp, %lse, %entropy : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}

func.func @nn.log_probability_grad(%dlogp: tensor<?xf32>, %dentropy: tensor<?xf32>, %logits: tensor<?x96xf32>, %targets: tensor<?xi32>,
    %temperature: tensor<?xf32>, %lse: tensor<?xf32>, %entropy: tensor<?xf32>) -> tensor<?x96xf32> {
  %dlogits = nn.log_probability_grad %dlogp, %dentropy, %logits, %targets, %temperature, %lse, %entropy : tensor<?x96xf32>, tensor<?xi32>, tensor<?xf32>
  return %dlogits : tensor<?x96xf32>
}

func.func @nn.sample(%logits: tensor<?x96xf32>, %temperature: tensor<?xf32>, %bits: tensor<?xi64>, %filtered: tensor<?xi32>, %top_k: tensor<?xi32>,
    %top_p: tensor<?xf64>, %min_p: tensor<?xf64>) -> (tensor<?xi32>, tensor<?xf32>, tensor<?xi32>) {
  %token, %kept, %status = nn.sample %logits, %temperature, %bits, %filtered, %top_k, %top_p, %min_p
      : tensor<?x96xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return %token, %kept, %status : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
}

func.func @nn.sum(%x: tensor<?xf32>) -> tensor<f32> {
  %sum = nn.sum %x : tensor<?xf32> -> tensor<f32>
  return %sum : tensor<f32>
}

func.func @nn.broadcast(%x: tensor<f32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
  return %y : tensor<?xf32>
}

func.func @nn.square_sum(%init: tensor<f32> {nn.state = "sum"}, %g: tensor<128x256xf32>, %h: tensor<64xf32>) -> tensor<f32> {
  %sum = nn.square_sum %init, %g, %h : tensor<f32>, tensor<128x256xf32>, tensor<64xf32>
  return %sum : tensor<f32>
}

func.func @nn.adamw(%p: tensor<64x32xf32> {nn.state = "master:w"}, %m: tensor<64x32xf32> {nn.state = "moment1:w"},
    %v: tensor<64x32xf32> {nn.state = "moment2:w"}, %g: tensor<64x32xf32>, %hyper: tensor<8xf32>)
    -> (tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xbf16>) {
  %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %hyper : tensor<64x32xf32>, tensor<8xf32> -> tensor<64x32xbf16>
  return %p1, %m1, %v1, %w : tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xbf16>
}

func.func @qat.fake_quant(%w: tensor<128x256xbf16>) -> tensor<128x256xbf16> {
  %w4 = qat.fake_quant %w {scheme = #int4} : tensor<128x256xbf16>
  return %w4 : tensor<128x256xbf16>
}

func.func @qat.straight_through(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = qat.straight_through %x : tensor<8x32xf32> {
  ^bb0(%a: tensor<8x32xf32>):
    %r = math.roundeven %a : tensor<8x32xf32>
    qat.yield %r : tensor<8x32xf32>
  }
  return %y : tensor<8x32xf32>
}

func.func @qat.yield(%x: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = qat.straight_through %x : tensor<8x32xf32> {
  ^bb0(%a: tensor<8x32xf32>):
    qat.yield %a : tensor<8x32xf32>
  }
  return %y : tensor<8x32xf32>
}

func.func @qat.quantize(%w: tensor<128x256xbf16>) -> !packed {
  %p = qat.quantize %w : tensor<128x256xbf16> -> !packed
  return %p : !packed
}

func.func @qat.dequantize(%p: !packed) -> tensor<128x256xbf16> {
  %w = qat.dequantize %p : !packed -> tensor<128x256xbf16>
  return %w : tensor<128x256xbf16>
}

func.func @qat.repack(%p: !qat.packed<128x256, #int4, interchange>) -> !packed {
  %h = qat.repack %p : !qat.packed<128x256, #int4, interchange> -> !packed
  return %h : !packed
}

func.func @qat.linear(%x: tensor<?x256xbf16>, %p: !packed, %b: tensor<128xbf16>, %r: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
  %y = qat.linear %x, %p bias(%b : tensor<128xbf16>) residual(%r : tensor<?x128xbf16>) : tensor<?x256xbf16>, !packed -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

func.func @qat.linear_swiglu(%x: tensor<?x256xbf16>, %gate: !packed, %up: !packed) -> tensor<?x128xbf16> {
  %y = qat.linear_swiglu %x, %gate, %up : tensor<?x256xbf16>, !packed -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

func.func @qat.linear_input_grad(%dy: tensor<?x128xbf16>, %p: !packed) -> tensor<?x256xbf16> {
  %dx = qat.linear_input_grad %dy, %p : tensor<?x128xbf16>, !packed -> tensor<?x256xbf16>
  return %dx : tensor<?x256xbf16>
}

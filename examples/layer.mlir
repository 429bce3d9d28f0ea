// A language model of one decoder layer, small enough to read. Its hidden size is 64, with two query heads of 32 on one key/value head, an
// MLP of 128 and a vocabulary of 96. `nibble import` writes real models in this form. README.md walks it through every stage.
//
// A batch is flat: T tokens of S sequences one after the other. `positions` holds each token's place in its own sequence, `sequences` the
// beginning of each sequence. Arguments with nn.parameter are weights, named as in the checkpoint. Inside @layer, which is called once per
// layer, the names are relative to "model.layers.<i>.".
module {
  func.func private @layer(
      %x: tensor<?x64xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
      %norm1: tensor<64xbf16> {nn.parameter = "input_layernorm.weight"},
      %wq: tensor<64x64xbf16> {nn.parameter = "self_attn.q_proj.weight"},
      %wk: tensor<32x64xbf16> {nn.parameter = "self_attn.k_proj.weight"},
      %wv: tensor<32x64xbf16> {nn.parameter = "self_attn.v_proj.weight"},
      %normq: tensor<32xbf16> {nn.parameter = "self_attn.q_norm.weight"},
      %normk: tensor<32xbf16> {nn.parameter = "self_attn.k_norm.weight"},
      %wo: tensor<64x64xbf16> {nn.parameter = "self_attn.o_proj.weight"},
      %norm2: tensor<64xbf16> {nn.parameter = "post_attention_layernorm.weight"},
      %wgate: tensor<128x64xbf16> {nn.parameter = "mlp.gate_proj.weight"},
      %wup: tensor<128x64xbf16> {nn.parameter = "mlp.up_proj.weight"},
      %wdown: tensor<64x128xbf16> {nn.parameter = "mlp.down_proj.weight"}) -> tensor<?x64xbf16> {
    // Attention: both query heads share the keys and values of one head.
    %h1 = nn.rms_norm %x, %norm1 {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
    %q0 = nn.linear %h1, %wq : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    %k0 = nn.linear %h1, %wk : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
    %v = nn.linear %h1, %wv : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
    %q1 = nn.rms_norm %q0, %normq {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<32xbf16>
    %k1 = nn.rms_norm %k0, %normk {epsilon = 1.0e-6 : f32} : tensor<?x32xbf16>, tensor<32xbf16>
    %q = nn.rope %q1, %cos, %sin : tensor<?x64xbf16>, tensor<?x16xf32>
    %k = nn.rope %k1, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
    %a, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 2, kv_heads = 1, scale = 0.176776695 : f32, kv_block = 64}
        : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
    %o = nn.linear %a, %wo : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    %x1 = arith.addf %x, %o : tensor<?x64xbf16>

    // MLP.
    %h2 = nn.rms_norm %x1, %norm2 {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
    %gate = nn.linear %h2, %wgate : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
    %up = nn.linear %h2, %wup : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
    %inner = nn.swiglu %gate, %up : tensor<?x128xbf16>
    %down = nn.linear %inner, %wdown : tensor<?x128xbf16>, tensor<64x128xbf16> -> tensor<?x64xbf16>
    %x2 = arith.addf %x1, %down : tensor<?x64xbf16>
    return %x2 : tensor<?x64xbf16>
  }

  // The activations of every token after the last norm.
  func.func @hidden(
      %tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
      %sequences: tensor<?xi32> {nn.input = "sequences"},
      %embed: tensor<96x64xbf16> {nn.parameter = "model.embed_tokens.weight"},
      %norm1: tensor<64xbf16> {nn.parameter = "model.layers.0.input_layernorm.weight"},
      %wq: tensor<64x64xbf16> {nn.parameter = "model.layers.0.self_attn.q_proj.weight"},
      %wk: tensor<32x64xbf16> {nn.parameter = "model.layers.0.self_attn.k_proj.weight"},
      %wv: tensor<32x64xbf16> {nn.parameter = "model.layers.0.self_attn.v_proj.weight"},
      %normq: tensor<32xbf16> {nn.parameter = "model.layers.0.self_attn.q_norm.weight"},
      %normk: tensor<32xbf16> {nn.parameter = "model.layers.0.self_attn.k_norm.weight"},
      %wo: tensor<64x64xbf16> {nn.parameter = "model.layers.0.self_attn.o_proj.weight"},
      %norm2: tensor<64xbf16> {nn.parameter = "model.layers.0.post_attention_layernorm.weight"},
      %wgate: tensor<128x64xbf16> {nn.parameter = "model.layers.0.mlp.gate_proj.weight"},
      %wup: tensor<128x64xbf16> {nn.parameter = "model.layers.0.mlp.up_proj.weight"},
      %wdown: tensor<64x128xbf16> {nn.parameter = "model.layers.0.mlp.down_proj.weight"},
      %norm: tensor<64xbf16> {nn.parameter = "model.norm.weight"}) -> tensor<?x64xbf16> {
    %x = nn.embedding %tokens, %embed : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
    %cos, %sin = nn.rope_table %positions {
        inverse_frequencies = array<f32: 1.0, 0.562341332, 0.316227764, 0.177827939, 0.1, 0.0562341288, 0.0316227786, 0.0177827943, 0.01,
                                         0.00562341325, 0.00316227786, 0.00177827943, 0.001, 5.62341302E-4, 3.16227757E-4, 1.77827940E-4>,
        attention_factor = 1.0 : f32} : tensor<?xi32> -> tensor<?x16xf32>
    %x1 = call @layer(%x, %cos, %sin, %positions, %sequences, %norm1, %wq, %wk, %wv, %normq, %normk, %wo, %norm2, %wgate, %wup, %wdown)
        : (tensor<?x64xbf16>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<64xbf16>, tensor<64x64xbf16>,
           tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<32xbf16>, tensor<32xbf16>, tensor<64x64xbf16>, tensor<64xbf16>,
           tensor<128x64xbf16>, tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<?x64xbf16>
    %y = nn.rms_norm %x1, %norm {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
    return %y : tensor<?x64xbf16>
  }

  // The logits of every token. The head is tied to the embedding.
  func.func @logits(
      %tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
      %sequences: tensor<?xi32> {nn.input = "sequences"},
      %embed: tensor<96x64xbf16> {nn.parameter = "model.embed_tokens.weight"},
      %norm1: tensor<64xbf16> {nn.parameter = "model.layers.0.input_layernorm.weight"},
      %wq: tensor<64x64xbf16> {nn.parameter = "model.layers.0.self_attn.q_proj.weight"},
      %wk: tensor<32x64xbf16> {nn.parameter = "model.layers.0.self_attn.k_proj.weight"},
      %wv: tensor<32x64xbf16> {nn.parameter = "model.layers.0.self_attn.v_proj.weight"},
      %normq: tensor<32xbf16> {nn.parameter = "model.layers.0.self_attn.q_norm.weight"},
      %normk: tensor<32xbf16> {nn.parameter = "model.layers.0.self_attn.k_norm.weight"},
      %wo: tensor<64x64xbf16> {nn.parameter = "model.layers.0.self_attn.o_proj.weight"},
      %norm2: tensor<64xbf16> {nn.parameter = "model.layers.0.post_attention_layernorm.weight"},
      %wgate: tensor<128x64xbf16> {nn.parameter = "model.layers.0.mlp.gate_proj.weight"},
      %wup: tensor<128x64xbf16> {nn.parameter = "model.layers.0.mlp.up_proj.weight"},
      %wdown: tensor<64x128xbf16> {nn.parameter = "model.layers.0.mlp.down_proj.weight"},
      %norm: tensor<64xbf16> {nn.parameter = "model.norm.weight"}) -> (tensor<?x96xf32> {nn.output = "logits"}) {
    %y = call @hidden(%tokens, %positions, %sequences, %embed, %norm1, %wq, %wk, %wv, %normq, %normk, %wo, %norm2, %wgate, %wup, %wdown,
                      %norm)
        : (tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<96x64xbf16>, tensor<64xbf16>, tensor<64x64xbf16>, tensor<32x64xbf16>,
           tensor<32x64xbf16>, tensor<32xbf16>, tensor<32xbf16>, tensor<64x64xbf16>, tensor<64xbf16>, tensor<128x64xbf16>,
           tensor<128x64xbf16>, tensor<64x128xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    %logits = nn.linear %y, %embed : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
    return %logits : tensor<?x96xf32>
  }
}

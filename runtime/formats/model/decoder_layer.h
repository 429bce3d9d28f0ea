// What one decoder layer computes, apart from the sizes that all layers of a
// model share.
#pragma once

#include <cstdint>
#include <string>

namespace nibble {

// h = x + o_proj(attention(q_proj(n), k_proj(n), v_proj(n))), n = norm(x), then
// h + down_proj(silu(gate_proj(m)) * up_proj(m)), m = norm(h).
//
// A layer's weights are the tensors of the checkpoint below
// "model.layers.<i>.": "self_attn.q_proj.weight" and so on. Norms are RMS norms
// over hidden_size and are told apart by the module that holds their weight.
struct DecoderLayer {
  // What attention and the MLP read is normed; an empty name is no norm.
  std::string attentionNorm = "input_layernorm";
  std::string mlpNorm = "post_attention_layernorm";
  // Likewise what attention and the MLP add to the residual stream.
  std::string attentionOutputNorm, mlpOutputNorm;

  bool qkvBias = false;    // of q_proj, k_proj and v_proj
  bool outputBias = false; // of o_proj
  bool mlpBias = false;    // of gate_proj, up_proj and down_proj
  // An RMS norm of each head of q and k before the rotation, with weights
  // "self_attn.q_norm" and "self_attn.k_norm" of head_dim elements.
  bool qkNorm = false;
  // How many positions a token sees, its own among them; 0: all up to its own.
  int64_t window = 0;

  bool operator==(const DecoderLayer &) const = default;
};

} // namespace nibble

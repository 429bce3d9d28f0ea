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
  // The norm of the input of attention, and of the MLP. An empty name means no
  // norm.
  std::string attentionNorm = "input_layernorm";
  std::string mlpNorm = "post_attention_layernorm";
  // The norm of the output of attention, and of the MLP, before it is added to
  // the residual stream.
  std::string attentionOutputNorm, mlpOutputNorm;

  bool qkvBias = false;    // bias of q_proj, k_proj and v_proj
  bool outputBias = false; // bias of o_proj
  bool mlpBias = false;    // bias of gate_proj, up_proj and down_proj
  // An RMS norm of each head of q and k before the rotation. Its weights are
  // "self_attn.q_norm" and "self_attn.k_norm" with head_dim elements.
  bool qkNorm = false;
  // The number of positions that a token sees, including its own. 0 means all
  // positions up to its own.
  int64_t window = 0;

  bool operator==(const DecoderLayer &) const = default;
};

} // namespace nibble

"""Models whose decoding benchmarks/device.sh times: their shapes, and checkpoints of them without numbers.

    device_models.py NAME OUT       OUT: a folder for config.json and a sparse model.safetensors, whose tensors nobody reads
"""

import json
import os
import sys

# Number of t# number of elements in a row that share a scale
GROUP = 128  # elements of a row that share a scale
SLOTS = 64

# Qwen3-0.6B, and four layers of Qwen3-8B with a small vocabulary, so that the time is that of the layers.
MODELS = {
    "qwen3-0.6b": {"hidden": 1024, "inner": 3072, "layers": 28, "heads": 16, "kv_heads": 8, "head": 128, "vocabulary": 151936, "tied": True},
    "qwen3-8b-4-layers": {"hidden": 4096, "inner": 12288, "layers": 4, "heads": 32, "kv_heads": 8, "head": 128, "vocabulary": 16384, "tied": False},
}


def config(model):
    return {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": model["hidden"], "intermediate_size": model["inner"],
            "num_hidden_layers": model["layers"], "num_attention_heads": model["heads"], "num_key_value_heads": model["kv_heads"],
            "head_dim": model["head"], "vocab_size": model["vocabulary"], "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
            "rope_theta": 1e6, "tie_word_embeddings": model["tied"], "hidden_act": "silu", "attention_bias": False, "dtype": "bfloat16"}


def tensors(model):
    """{name: (shape, whether it is packed as INT4)}."""
    hidden, inner, queries, keys = model["hidden"], model["inner"], model["heads"] * model["head"], model["kv_heads"] * model["head"]
    shapes = {"model.embed_tokens.weight": ((model["vocabulary"], hidden), False), "model.norm.weight": ((hidden,), False)}
    if not model["tied"]:
        shapes["lm_head.weight"] = ((model["vocabulary"], hidden), False)
    for i in range(model["layers"]):
        layer = f"model.layers.{i}."
        linears = {"self_attn.q_proj": (queries, hidden), "self_attn.k_proj": (keys, hidden), "self_attn.v_proj": (keys, hidden),
                   "self_attn.o_proj": (hidden, queries), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
        shapes |= {f"{layer}{name}.weight": (shape, True) for name, shape in linears.items()}
        norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden, "self_attn.q_norm": model["head"], "self_attn.k_norm": model["head"]}
        shapes |= {f"{layer}{name}.weight": ((size,), False) for name, size in norms.items()}
    return shapes


def packed_bytes(shape):
    return shape[0] * shape[1] // 2 + 2 * shape[0] * shape[1] // GROUP


def decode_work(model, sequences, context):
    """Bytes that a step of one token per sequence must read and write, and matrix-unit operations in its linears."""
    weights = operations = 0
    for name, (shape, packed) in tensors(model).items():
        if len(shape) < 2:
            continue
        if packed:
            weights += packed_bytes(shape)
        elif name == "lm_head.weight" or model["tied"]:
            weights += 2 * shape[0] * shape[1]
        else:
            continue  # a token reads one row of the embedding
        operations += 2 * sequences * shape[0] * shape[1]
    cache = 4 * sequences * context * model["kv_heads"] * model["head"] * model["layers"]
    return weights + cache + 4 * sequences * model["vocabulary"], operations


def main():
    model, out = MODELS[sys.argv[1]], sys.argv[2]
    os.makedirs(out)
    with open(f"{out}/config.json", "w", encoding="utf-8") as file:
        json.dump(config(model), file)
    header, at = {}, 0
    for name, (shape, _) in tensors(model).items():
        size = 2
        for extent in shape:
            size *= extent
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{out}/model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)


if __name__ == "__main__":
    main()

"""Modules that benchmarks/device.sh times. Each works on so much data that nothing stays in the L2 cache.

    device_cases.py OUT

The name of a file describes its content:

    linear_<N>x<K>_<copies>
    quantize_<N>x<K>_<copies>
    update_<N>x<K>_<copies>                        the optimizer's update
    squares_<N>x<K>_<copies>                       the optimizer's sum of squares
    attention_<heads>_<kv heads>_<head>
    gradient_<heads>_<kv heads>_<head>
    variant_<N>x<K>_<copies>_<tile>_<splits>       a linear with a given tile and number of splits
    sample_<vocabulary>
"""

import sys

LINEARS = [(8192, 8192, 4), (16384, 8192, 3), (8192, 16384, 3), (20480, 7168, 3), (7168, 20480, 3), (8192, 81920, 1)]
VARIED = [(8192, 8192, 4, tile, splits) for tile in (8, 16, 32, 64, 128, 256) for splits in (1, 2, 4, 8)]
QUANTIZED = [(8192, 8192, 2)]
UPDATED = [(4096, 8192, 2)]
ATTENTION = [(32, 8, 128)]
VOCABULARIES = [151936]
GROUP = 128


def packed(n, k):
    return f"!qat.packed<{n}x{k}, <int4, group_size = {GROUP}>, host>"


def copies_of(n, k, copies, argument, result, op):
    """A function of `copies` weights, each used by one op of its own."""
    weights = ", ".join(f'%w{i}: {argument} {{nn.parameter = "w{i}"}}' for i in range(copies))
    results = ", ".join(f'{result} {{nn.output = "y{i}"}}' for i in range(copies))
    body = "".join(f"  %y{i} = {op.format(i=i)}\n" for i in range(copies))
    values = ", ".join(f"%y{i}" for i in range(copies))
    return weights, results, f"{body}  return {values} : " + ", ".join([result] * copies) + "\n"


def linear(n, k, copies, attributes=""):
    """`attributes` also passes through str.format."""
    y = f"tensor<?x{n}xbf16>"
    op = f"qat.linear %x, %w{{i}} {attributes}: tensor<?x{k}xbf16>, {packed(n, k)} -> {y}"
    weights, results, body = copies_of(n, k, copies, packed(n, k), y, op)
    return f'func.func @f(%x: tensor<?x{k}xbf16> {{nn.input = "x"}}, {weights}) -> ({results}) {{\n{body}}}\n'


def quantize(n, k, copies):
    # The packed weights are state, which the update writes in place.
    weights = ", ".join(f'%w{i}: tensor<{n}x{k}xbf16> {{nn.parameter = "w{i}"}}' for i in range(copies))
    states = ", ".join(f'%p{i}: {packed(n, k)} {{nn.state = "p{i}"}}' for i in range(copies))
    results = ", ".join(f'{packed(n, k)} {{nn.state = "p{i}"}}' for i in range(copies))
    body = "".join(f"  %q{i} = qat.quantize %w{i} : tensor<{n}x{k}xbf16> -> {packed(n, k)}\n" for i in range(copies))
    values = ", ".join(f"%q{i}" for i in range(copies)) + " : " + ", ".join([packed(n, k)] * copies)
    return f"func.func @f({weights}, {states}) -> ({results}) {{\n{body}  return {values}\n}}\n"


def update(n, k, copies):
    """AdamW for weights that are then packed, and for as many vectors that are not."""
    h = "tensor<8xf32>"
    inputs, results, values, body = [f'%h: {h} {{nn.input = "hyper"}}'], [], [], ""
    for i in range(2 * copies):
        shape = f"{n}x{k}" if i < copies else f"{k}"
        wide, narrow = f"tensor<{shape}xf32>", f"tensor<{shape}xbf16>"
        state = {"master": wide, "moment1": wide, "moment2": wide, "weight": narrow}
        body += f"  %new_master{i}, %new_moment1{i}, %new_moment2{i}, %new_weight{i} = nn.adamw %master{i}, %moment1{i}, %moment2{i}, %gradient{i}, %h"
        body += f" : {wide}, {h} -> {narrow}\n"
        if i < copies:
            state["packed"] = packed(n, k)
            body += f"  %new_packed{i} = qat.quantize %new_weight{i} : {narrow} -> {packed(n, k)}\n"
        inputs += [f'%{kind}{i}: {type} {{nn.state = "{kind}:{i}"}}' for kind, type in ({"gradient": wide} | state).items()]
        results += [f'{type} {{nn.state = "{kind}:{i}"}}' for kind, type in state.items()]
        values += [(f"%new_{kind}{i}", type) for kind, type in state.items()]
    names, types = (", ".join(column) for column in zip(*values))
    return f"func.func @f({', '.join(inputs)}) -> ({', '.join(results)}) {{\n{body}  return {names} : {types}\n}}\n"


def squares(n, k, copies):
    x = f"tensor<{n}x{k}xf32>"
    inputs = ", ".join(f'%x{i}: {x} {{nn.state = "gradient:{i}"}}' for i in range(copies))
    return f"""func.func @f({inputs}) -> (tensor<f32> {{nn.output = "norm"}}) {{
  %zero = arith.constant dense<0.0> : tensor<f32>
  %sum = nn.square_sum %zero, {", ".join(f"%x{i}" for i in range(copies))} : tensor<f32>, {", ".join([x] * copies)}
  return %sum : tensor<f32>
}}
"""


def attention(heads, kv_heads, head):
    q, kv = f"tensor<?x{heads * head}xbf16>", f"tensor<?x{kv_heads * head}xbf16>"
    return f"""func.func @f(%q: {q} {{nn.input = "q"}}, %k: {kv} {{nn.input = "k"}}, %v: {kv} {{nn.input = "v"}},
    %p: tensor<?xi32> {{nn.input = "positions"}}, %s: tensor<?xi32> {{nn.input = "sequences"}}) -> ({q} {{nn.output = "y"}}) {{
  %y, %lse = nn.attention %q, %k, %v, %p, %s {{heads = {heads}, kv_heads = {kv_heads}, scale = {head ** -0.5} : f32, kv_block = 64}}
      : {q}, {kv}, tensor<?xi32>, tensor<?xi32> -> tensor<?x{heads}xf32>
  return %y : {q}
}}
"""


def gradient(heads, kv_heads, head):
    q, kv, lse = f"tensor<?x{heads * head}xbf16>", f"tensor<?x{kv_heads * head}xbf16>", f"tensor<?x{heads}xf32>"
    return f"""func.func @f(%dy: {q} {{nn.input = "dy"}}, %q: {q} {{nn.input = "q"}}, %k: {kv} {{nn.input = "k"}}, %v: {kv} {{nn.input = "v"}},
    %y: {q} {{nn.input = "y"}}, %lse: {lse} {{nn.input = "lse"}}, %p: tensor<?xi32> {{nn.input = "positions"}},
    %s: tensor<?xi32> {{nn.input = "sequences"}}) -> ({q} {{nn.output = "dq"}}, {kv} {{nn.output = "dk"}}, {kv} {{nn.output = "dv"}}) {{
  %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %p, %s {{heads = {heads}, kv_heads = {kv_heads}, scale = {head ** -0.5} : f32, kv_block = 64}}
      : {q}, {kv}, {lse}, tensor<?xi32>, tensor<?xi32>
  return %dq, %dk, %dv : {q}, {kv}, {kv}
}}
"""


def sample(vocabulary):
    x = f"tensor<?x{vocabulary}xf32>"
    names = {"logits": x, "temperature": "tensor<?xf32>", "bits": "tensor<?xi64>", "filtered": "tensor<?xi32>", "top_k": "tensor<?xi32>",
             "top_p": "tensor<?xf64>", "min_p": "tensor<?xf64>"}
    arguments = ", ".join(f'%{name}: {type} {{nn.input = "{name}"}}' for name, type in names.items())
    return f"""func.func @f({arguments}) -> (tensor<?xi32> {{nn.output = "tokens"}}) {{
  %token, %kept, %status = nn.sample {", ".join("%" + name for name in names)}
      : {x}, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
  return %token : tensor<?xi32>
}}
"""


def main():
    out = sys.argv[1]
    cases = {f"linear_{n}x{k}_{c}": linear(n, k, c) for n, k, c in LINEARS}
    cases |= {f"quantize_{n}x{k}_{c}": quantize(n, k, c) for n, k, c in QUANTIZED}
    cases |= {f"update_{n}x{k}_{c}": update(n, k, c) for n, k, c in UPDATED}
    cases |= {f"squares_{n}x{k}_{c}": squares(n, k, c) for n, k, c in UPDATED}
    cases |= {f"attention_{h}_{g}_{d}": attention(h, g, d) for h, g, d in ATTENTION}
    cases |= {f"gradient_{h}_{g}_{d}": gradient(h, g, d) for h, g, d in ATTENTION}
    for n, k, c, tile, splits in VARIED:
        cases[f"variant_{n}x{k}_{c}_{tile}_{splits}"] = linear(n, k, c, f"{{{{hopper.tile = {tile} : i64, hopper.splits = {splits} : i64}}}} ")
    cases |= {f"sample_{v}": sample(v) for v in VOCABULARIES}
    for name, text in cases.items():
        with open(f"{out}/{name}.mlir", "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()

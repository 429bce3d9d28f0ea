"""Writes jax-mlp.mlir and jax-attention.mlir beside it: losses in JAX, lowered to StableHLO and legalized to linalg by StableHLO's own
passes, as they come in the jaxlib wheel. The RUN lines above the modules are kept.

    python make_jax_modules.py      (jax from PyPI)
"""
import os

import jax
import jax.numpy as jnp
from jaxlib.mlir.dialects import stablehlo
from jaxlib.mlir.passmanager import PassManager

FOLDER = os.path.dirname(os.path.abspath(__file__))
MARK = "// The module as JAX " 


def mlp(parameters, x, targets):
    """Mean cross-entropy of a GELU MLP; `targets` are probabilities."""
    hidden = jax.nn.gelu(x @ parameters["w1"] + parameters["b1"])
    logits = hidden @ parameters["w2"] + parameters["b2"]
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(logits, axis=-1) * targets, axis=-1))


def attention(parameters, x):
    """Mean square of a causal attention block of two heads over [batch, tokens, features], with an RMS norm before it."""
    batch, tokens, features = x.shape
    h = x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * parameters["norm"]
    heads = [(h @ parameters[name]).reshape(batch, tokens, 2, features // 2) for name in ("wq", "wk", "wv")]
    q, k, v = heads
    scores = jnp.einsum("bthd,bshd->bhts", q, k) * 0.25
    scores = jnp.where(jnp.tril(jnp.ones((tokens, tokens), bool)), scores, -1e9)
    a = jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores, axis=-1), v).reshape(x.shape)
    y = x + a @ parameters["wo"]
    return jnp.mean(y * y)


def write(name, function, parameters, *inputs):
    shapes = jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), (parameters, *inputs), is_leaf=lambda s: isinstance(s, tuple) and all(isinstance(n, int) for n in s))
    module = jax.jit(function).lower(*shapes).compiler_ir("stablehlo")
    with module.context:
        PassManager.parse("builtin.module(stablehlo-legalize-to-linalg)").run(module.operation)
    path = os.path.join(FOLDER, name)
    kept = open(path).read().split(MARK)[0] if os.path.exists(path) else ""
    order = ", ".join(sorted(parameters))
    text = str(module).replace(" {jax.result_info = \"result\"}", "")
    with open(path, "w") as file:
        file.write(f"{kept}{MARK}{jax.__version__} wrote it (make_jax_modules.py). Its first arguments are {order}.\n{text}")


stablehlo.register_stablehlo_passes()
write("jax-mlp.mlir", mlp, {"w1": (16, 32), "b1": (32,), "w2": (32, 8), "b2": (8,)}, (4, 16), (4, 8))
write("jax-attention.mlir", attention, {"norm": (16,), "wq": (16, 16), "wk": (16, 16), "wv": (16, 16), "wo": (16, 16)}, (2, 4, 16))

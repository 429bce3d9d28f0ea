"""Writes jax-mlp.mlir and jax-attention.mlir beside it: losses in JAX, lowered to StableHLO and legalized to linalg by StableHLO's own passes
in the jaxlib wheel. The RUN lines above the modules are kept.

jax_values.inc gets the losses, and for each parameter the sum of gradient[i] * cos(0.3 i) over JAX's gradient. Argument number a is 0.5
sin(0.7 i + a + 1).

    python make_jax_modules.py      (jax from PyPI)
"""
import os

import jax
import jax.numpy as jnp
import numpy as np
from jaxlib.mlir.dialects import stablehlo
from jaxlib.mlir.passmanager import PassManager

FOLDER = os.path.dirname(os.path.abspath(__file__))
MARK = "// The module as JAX "


def mlp(parameters, x, targets):
    """Mean cross-entropy of a GELU MLP. `targets` are probabilities."""
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


def values(function, parameters, inputs):
    """The loss and the projected gradients, in float64."""
    shapes = [parameters[name] for name in sorted(parameters)] + list(inputs)
    filled = [jnp.asarray(0.5 * np.sin(0.7 * np.arange(np.prod(shape)) + a + 1).reshape(shape)) for a, shape in enumerate(shapes)]
    named = dict(zip(sorted(parameters), filled))
    loss, gradients = jax.value_and_grad(function)(named, *filled[len(parameters):])
    projected = [float(np.sum(np.ravel(gradients[name]) * np.cos(0.3 * np.arange(gradients[name].size)))) for name in sorted(parameters)]
    return [float(loss)] + projected


def write(name, function, parameters, *inputs):
    def shape(extents):
        return jax.ShapeDtypeStruct(extents, jnp.float32)

    arguments = ({key: shape(extents) for key, extents in parameters.items()}, *map(shape, inputs))
    module = jax.jit(function).lower(*arguments).compiler_ir("stablehlo")
    with module.context:
        PassManager.parse("builtin.module(stablehlo-legalize-to-linalg)").run(module.operation)
    path = os.path.join(FOLDER, name + ".mlir")
    kept = open(path).read().split(MARK)[0] if os.path.exists(path) else ""
    text = str(module).replace(' {jax.result_info = "result"}', "")
    with open(path, "w") as file:
        file.write(f"{kept}{MARK}{jax.__version__} wrote it (make_jax_modules.py). Its first arguments are {', '.join(sorted(parameters))}.\n{text}")
    with jax.enable_x64(True):
        numbers = ", ".join(f"{value!r}" for value in values(function, parameters, inputs))
    return f'{{"{name}", "{",".join(f"{i}:{p}" for i, p in enumerate(sorted(parameters)))}", {{{numbers}}}}},\n'


stablehlo.register_stablehlo_passes()
with open(os.path.join(FOLDER, "jax_values.inc"), "w") as file:
    file.write(f"// Written by make_jax_modules.py with JAX {jax.__version__}.\n")
    file.write(write("jax-mlp", mlp, {"w1": (16, 32), "b1": (32,), "w2": (32, 8), "b2": (8,)}, (4, 16), (4, 8)))
    file.write(write("jax-attention", attention, {"norm": (16,), "wq": (16, 16), "wk": (16, 16), "wv": (16, 16), "wo": (16, 16)}, (2, 4, 16)))

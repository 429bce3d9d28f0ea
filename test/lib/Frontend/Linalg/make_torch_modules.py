"""Writes Inputs/torch/<name>.mlir and .json for every forward of Inputs/torch_forwards.py.

The module is torch-mlir's output (linalg on tensors, parameters as arguments). The JSON file holds the arguments, and what torch computes
from them in float64: both results, and the gradient of the first by each float argument. "int4" holds the same with the weights of linears
rounded to int4 in groups of 16, and gradients passed straight through. Where the forward rounds values and gradients to bf16, so does this
computation.

    python make_torch_modules.py      (torch and torch-mlir from PyPI)
"""
import json
import os
import sys

import torch
from torch_mlir import fx

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "Inputs"))
from torch_forwards import FORWARDS  # noqa: E402


class Module(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *arguments):
        return self.function(*arguments)


class Bf16(torch.autograd.Function):
    """float64 with the values that bf16 would have, forward and backward."""

    @staticmethod
    def forward(context, x):
        return x.bfloat16().double()

    @staticmethod
    def backward(context, gradient):
        return gradient.bfloat16().double()


def fake_quantize(w):
    """docs/numerics.md N1 to N5 and N8: int4 in groups of 16."""
    groups = w.detach().bfloat16().float().reshape(-1, 16)
    scale = (groups.abs().amax(-1, keepdim=True) / 7).bfloat16().float()
    codes = torch.where(scale == 0, torch.zeros(()), torch.round(groups / scale).clamp(-7, 7))
    return w + ((codes * scale).bfloat16().double().reshape(w.shape) - w.detach())


def numbers(tensor):
    """Nested lists. Nine digits distinguish a float32 from every other."""
    if tensor.dim() > 0:
        return [numbers(part) for part in tensor]
    return float(f"{tensor.item():.9g}") if tensor.is_floating_point() else tensor.item()


def values(name, function, inputs, arguments, quantized):
    leaves = {key: value.double().requires_grad_() if value.is_floating_point() else value for key, value in arguments.items()}
    given = {key: fake_quantize(value) if key in quantized else value for key, value in leaves.items()}
    if name == "bf16-linear":
        y = Bf16.apply(torch.nn.functional.linear(given["x"], given["w"]))
        loss = (y ** 2).mean()
    else:
        loss, y = function(*given.values())
    loss.backward()
    gradients = {}
    for key, value in leaves.items():
        if value.is_floating_point() and value.grad is not None:
            # Nibble accumulates a parameter's gradient in float32. An input's gradient has the input's type.
            narrow = arguments[key].dtype == torch.bfloat16 and key in inputs
            gradients[key] = numbers(value.grad.bfloat16().double() if narrow else value.grad)
    return {"results": [numbers(loss), numbers(y)], "gradients": gradients}


os.makedirs(os.path.join(FOLDER, "Inputs", "torch"), exist_ok=True)
for name, function, inputs, parameters, linears in FORWARDS:
    arguments = {**inputs, **parameters}
    module = fx.export_and_import(Module(function), *arguments.values(), output_type="linalg-on-tensors", func_name="main")
    with open(os.path.join(FOLDER, "Inputs", "torch", name + ".mlir"), "w") as file:
        file.write(f"// Written by make_torch_modules.py with torch {torch.__version__}. Arguments: {', '.join(arguments)}.\n{module}")
    record = {"inputs": list(inputs), "parameters": list(parameters), "linears": linears.split(),
              "arguments": {key: numbers(value) for key, value in arguments.items()}, "plain": values(name, function, inputs, arguments, [])}
    if linears:
        record["int4"] = values(name, function, inputs, arguments, linears.split())
    with open(os.path.join(FOLDER, "Inputs", "torch", name + ".json"), "w") as file:
        json.dump(record, file)
        file.write("\n")
    print(name, flush=True)

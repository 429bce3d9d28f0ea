"""Writes compressed_tensors.inc for compressed_tensors.cpp: weights, and what the package compressed-tensors makes of them.

    pip install torch compressed-tensors
    python make_compressed_tensors.py > compressed_tensors.inc
"""
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams

ROWS, COLUMNS, GROUP = 24, 64, 32
UNSIGNED = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}
torch.manual_seed(5)


def emit(name, bits, mask):
    numbers = ", ".join(f"0x{int(value) & mask:x}" for value in bits.flatten())
    print(f"inline const std::vector<uint32_t> {name} = {{{numbers}}};")


def weights(dtype):
    """Gaussian rows with the magnitudes of models; then groups of zeros, tiny, huge, one-sided and evenly spaced numbers."""
    finfo = torch.finfo(dtype)
    tiny = float(finfo.smallest_normal) * float(finfo.eps)
    matrix = torch.randn(ROWS, COLUMNS) * 0.02
    special = [
        torch.zeros(COLUMNS),
        -torch.zeros(COLUMNS),
        torch.arange(COLUMNS) % 4 * tiny,
        torch.arange(COLUMNS) * tiny * 3,
        torch.linspace(-1, 1, COLUMNS) * float(finfo.max),
        -torch.rand(COLUMNS),
        torch.linspace(-8, 7.5, COLUMNS),
        torch.linspace(-7.5, 7.5, COLUMNS),
    ]
    for row, values in enumerate(special):
        matrix[row] = values
    return matrix.to(dtype)


print("// Written by make_compressed_tensors.py. Do not edit.")
print("// clang-format off")
print("#include <cstdint>\n#include <vector>")
print("namespace compressed_tensors_values {")
print(f"inline constexpr int64_t kRows = {ROWS}, kColumns = {COLUMNS}, kGroup = {GROUP};")
arguments = QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=GROUP)
for dtype, name in ((torch.bfloat16, "bf16"), (torch.float16, "f16"), (torch.float32, "f32")):
    weight = weights(dtype)
    groups = weight.unflatten(-1, (COLUMNS // GROUP, GROUP))
    scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), arguments)
    codes = quantize(x=weight, scale=scale, zero_point=zero, args=arguments, dtype=torch.int8)
    value = dequantize(x_q=codes, scale=scale, zero_point=None, args=arguments)
    assert scale.dtype == dtype and value.dtype == dtype
    integers, mask = UNSIGNED[dtype], 0xFFFFFFFF if dtype == torch.float32 else 0xFFFF
    emit(f"{name}_weight", weight.view(integers), mask)
    emit(f"{name}_scale", scale.contiguous().view(integers), mask)
    emit(f"{name}_words", pack_to_int32(codes, 4), 0xFFFFFFFF)
    emit(f"{name}_value", value.contiguous().view(integers), mask)
print("} // namespace compressed_tensors_values")

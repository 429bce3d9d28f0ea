"""Modules that benchmarks/device.sh times: packed linears over enough weights that none of them stays in the second-level cache.

    device_cases.py OUT
"""

import sys

# N, K, copies of the weight that are walked in turn: together larger than the 60 MB of the cache.
LINEARS = [(8192, 8192, 4), (16384, 8192, 3), (20480, 7168, 3)]
GROUP = 128


def linear(n, k, copies):
    packed = f"!qat.packed<{n}x{k}, <int4, group_size = {GROUP}>, host>"
    weights = ", ".join(f'%w{i}: {packed} {{nn.parameter = "w{i}"}}' for i in range(copies))
    results = ", ".join(f'tensor<?x{n}xbf16> {{nn.output = "y{i}"}}' for i in range(copies))
    body = "".join(
        f"  %y{i} = qat.linear %x, %w{i} : tensor<?x{k}xbf16>, {packed} -> tensor<?x{n}xbf16>\n" for i in range(copies))
    values = ", ".join(f"%y{i}" for i in range(copies))
    types = ", ".join([f"tensor<?x{n}xbf16>"] * copies)
    return (f'func.func @f(%x: tensor<?x{k}xbf16> {{nn.input = "x"}}, {weights}) -> ({results}) {{\n{body}'
            f"  return {values} : {types}\n}}\n")


def main():
    out = sys.argv[1]
    for n, k, copies in LINEARS:
        with open(f"{out}/linear_{n}x{k}_{copies}.mlir", "w", encoding="utf-8") as file:
            file.write(linear(n, k, copies))


if __name__ == "__main__":
    main()

"""Recorded cases that together run every kind of kernel: what benchmarks/device_sanitize.sh runs.

    device_cover.py CASES [COUNT]      CASES: what LowerToHopperTests recorded. Prints names of folders, a line each: as many as
                                       the kinds of kernels need, and, up to COUNT (64), those with other kernels of a kind

Large cases come first, since rings go round in them and loops run often, but not those above 1 MiB: a sanitizer takes long.
"""

import json
import os
import re
import struct
import sys


LARGE = 1 << 20  # in bytes of arguments and expected results


def kernels_of(path):
    """Names of the kernels in a bundle (runtime/bundle/bundle.h)."""
    with open(path, "rb") as file:
        data = file.read()
    (sections,) = struct.unpack_from("<I", data, 12)
    for i in range(sections):
        name, offset, size = struct.unpack_from("<16sQQ", data, 32 + 64 * i)
        if name.rstrip(b"\0") == b"manifest":
            return {kernel["name"] for kernel in json.loads(data[offset : offset + size])["kernels"]}
    sys.exit(f"{path}: has no manifest")


def kind_of(kernel):
    """A kernel's name (the key of its launch, and a number) without the extents. A matrix kernel keeps its tile and other facts that its code
    depends on. Attention keeps the size of a head. These are different code."""
    words = kernel.split("_")[:-1]
    if words[0] == "matrix":
        dropped = re.compile(r"s\d+|stages\d+|bias|residual|ragged")
        return "_".join(re.sub(r"splits\d+", "splits", word) for word in words if not dropped.fullmatch(word))
    numbers = [word for word in words if word.isdigit()]
    kind = [re.sub(r"paged\d+", "paged", word) for word in words if word.isalpha() or word.startswith("paged")]
    return "_".join(kind + (numbers[2:3] if words[0] == "attention" else []))


def cover(folder, count):
    cases = []
    for name in sorted(os.listdir(folder)):
        size = os.path.getsize(f"{folder}/{name}/tensors.safetensors")
        cases.append((size, name, kernels_of(f"{folder}/{name}/program.nbl")))
    cases.sort(key=lambda case: (case[0] > LARGE, case[0] if case[0] > LARGE else -case[0]))
    chosen, kinds, kernels = [], set(), set()

    def choose(case):
        chosen.append(case[1])
        kernels.update(case[2])
        kinds.update(map(kind_of, case[2]))

    for case in cases:
        if not kinds >= set(map(kind_of, case[2])):
            choose(case)
    for case in cases:
        if len(chosen) < count and not kernels >= case[2]:
            choose(case)
    return sorted(chosen)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print("\n".join(cover(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 64)))

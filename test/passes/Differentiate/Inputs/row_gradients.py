"""Compares gradients of functions of rows of 5000 float32 numbers with the same in float64.

    row_gradients.py <module> <work folder>

Prints for each function the largest difference, relative to the largest gradient. The exit code is 1 when one exceeds 1e-5.
"""
import json
import math
import os
import random
import struct
import subprocess
import sys

LIMIT = 1e-5
ROWS, COLUMNS = 4, 5000


def single(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def read_gradient(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack_from("<Q", data)[0]
    entry = json.loads(data[8:8 + length])["gradient:arg0"]
    assert entry["dtype"] == "F32" and entry["shape"] == [ROWS, COLUMNS]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    return struct.unpack(f"<{ROWS * COLUMNS}f", data[begin:end])


# The gradient of one row x, whose softmax is p, for the incoming gradient: one number, or one per column.
def logsumexp(x, p, seed):
    return [seed * a for a in p]


def softmax(x, p, seed):
    mean = math.fsum(a * g for a, g in zip(p, seed))
    return [a * (g - mean) for a, g in zip(p, seed)]


def log_softmax(x, p, seed):
    total = math.fsum(seed)
    return [g - a * total for a, g in zip(p, seed)]


def entropy(x, p, seed):
    value = -math.fsum(a * math.log(a) for a in p)
    return [-seed * a * (math.log(a) + value) for a in p]


# log(sum(exp(x - 2 max(x)))) is logsumexp(x) - 2 max(x).
def twice(x, p, seed):
    largest = max(x)
    return [seed * (a - (2.0 if b == largest else 0.0)) for a, b in zip(p, x)]


def main():
    module, work = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    draw = random.Random(5)
    x = [[single(draw.gauss(0, 1)) for _ in range(COLUMNS)] for _ in range(ROWS)]
    rows = [single(draw.gauss(0, 1)) for _ in range(ROWS)]
    elements = [[single(draw.gauss(0, 1)) for _ in range(COLUMNS)] for _ in range(ROWS)]
    failed = False
    for function, by_element in [(logsumexp, False), (softmax, True), (log_softmax, True), (entropy, False), (twice, False)]:
        seeds = elements if by_element else rows
        inputs, out = os.path.join(work, "inputs.json"), os.path.join(work, "out.safetensors")
        with open(inputs, "w") as file:
            json.dump({"arg0": x, "gradient:result0": seeds}, file)
        passes = f"nibble-differentiate{{function={function.__name__} wrt=args=0 seed=arguments}}"
        subprocess.run(["nibble-run", module, "--entry=train_step", "--pipeline=" + passes, "--inputs=" + inputs, "--out=" + out], check=True)
        expected = []
        for row, seed in zip(x, seeds):
            total = math.fsum(map(math.exp, row))
            expected += function(row, [math.exp(a) / total for a in row], seed)
        error = max(abs(a - e) for a, e in zip(read_gradient(out), expected)) / max(map(abs, expected))
        print(f"{function.__name__} {error:.1e}", flush=True)
        failed |= not error <= LIMIT
    return 1 if failed else 0


sys.exit(main())

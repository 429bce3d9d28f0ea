#!/usr/bin/env python3
"""Reads safetensors with the standard library, for tests of tools.

    fixture.py ids EXPECTED               token ids of a fixture's expected.safetensors, as JSON for nibble logits
    fixture.py close ACTUAL EXPECTED TOL  the relative error ||a - e|| / ||e|| of `logits` is at most TOL; prints it
    fixture.py same A B                   `logits` of both have the same bits; prints how many were compared
    fixture.py flip PLACE TENSOR          flips the lowest bit of the first byte of a tensor, in place
    fixture.py poke PLACE TENSOR INDEX HEX  writes these bytes over the element of that index, in place; PLACE is a file or a checkpoint
    fixture.py header PLACE TENSOR FIELD JSON  sets a field of a tensor in the header, which keeps its length (it must have room)
    fixture.py set FILE KEY JSON          sets a key of a JSON file (dots go into objects); "del" removes it
"""

import array
import json
import math
import os
import struct
import sys


def header(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def shard(path, name):
    """The file in a checkpoint folder that holds a tensor. A file is returned as it is."""
    index = os.path.join(path, "model.safetensors.index.json")
    if not os.path.isdir(path):
        return path
    if not os.path.exists(index):
        return os.path.join(path, "model.safetensors")
    with open(index) as file:
        return os.path.join(path, json.load(file)["weight_map"][name])


def place(path, name):
    """Offset in the file, dtype, shape and size in bytes of a tensor."""
    tensors, start = header(path)
    begin, end = tensors[name]["data_offsets"]
    return start + begin, tensors[name]["dtype"], tensors[name]["shape"], end - begin


def content(path, name):
    offset, dtype, _, size = place(path, name)
    with open(path, "rb") as file:
        file.seek(offset)
        values = array.array({"F32": "f", "I32": "i", "U8": "B"}[dtype])
        values.frombytes(file.read(size))
    return values


def ids(expected):
    tokens, offsets = content(expected, "tokens"), content(expected, "sequences")
    print(json.dumps([tokens[a:b].tolist() for a, b in zip(offsets, offsets[1:])]))


def close(actual, expected, tolerance):
    a, e = content(actual, "logits"), content(expected, "logits")
    if len(a) != len(e):
        sys.exit(f"{len(a)} logits, {len(e)} expected")
    error = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, e)) / sum(y * y for y in e))
    print(f"{len(a)} logits, relative error {error:.2e}, allowed {tolerance}")
    if not error <= float(tolerance):
        sys.exit(1)


def same(first, second):
    a, b = content(first, "logits").tobytes(), content(second, "logits").tobytes()
    print(f"{len(a) // 4} logits, {'same' if a == b else 'other'} bits")
    if a != b:
        sys.exit(1)


def poke(path, name, index, bytes_):
    path = shard(path, name)
    offset, dtype, _, _ = place(path, name)
    width = {"F32": 4, "BF16": 2, "I32": 4, "U8": 1, "I64": 8}[dtype]
    with open(path, "r+b") as file:
        file.seek(offset + int(index) * width)
        file.write(bytes.fromhex(bytes_))


def flip(path, name):
    path = shard(path, name)
    offset, _, _, _ = place(path, name)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def set_header(path, name, field, value):
    path = shard(path, name)
    tensors, start = header(path)
    tensors[name][field] = json.loads(value)
    text = json.dumps(tensors, separators=(",", ":")).encode()
    if len(text) > start - 8:
        sys.exit("the header has no room for that")
    with open(path, "r+b") as file:
        file.seek(8)
        file.write(text.ljust(start - 8))


def set_key(path, key, value):
    with open(path) as file:
        whole = json.load(file)
    *parents, last = key.split(".")
    inner = whole
    for parent in parents:
        inner = inner[parent]
    if value == "del":
        del inner[last]
    else:
        inner[last] = json.loads(value)
    with open(path, "w") as file:
        json.dump(whole, file)


COMMANDS = {"ids": ids, "close": close, "same": same, "flip": flip, "poke": poke, "header": set_header, "set": set_key}
COMMANDS[sys.argv[1]](*sys.argv[2:])

#!/usr/bin/env python3
"""Writes the table of built-in objectives: each file's text, and what its function declares.

    embed.py OUT FILE.mlir...

An objective's file is the only place that says what it is. Its inputs are the arguments' `nn.input`; its options are constants of the form

    %clip_low = arith.constant {option = "clip_low", key = "clip_low", least = 0.0, most = 1.0, meaning = "..."} 0.2 : f32

where `key` is the key of section [rl] that sets the option, `least` and `most` are its range, and the constant is its default. Options of several
objectives may share a key: then range and meaning are the same. The rows become the table of Objectives.cpp; ObjectiveTest.cpp holds them against
what MLIR parses.
"""

import os
import re
import sys

FIELDS = ("option", "key", "least", "most", "meaning")
CONSTANT = re.compile(r"arith\.constant\s*\{([^{}]*\boption\b[^{}]*)\}\s*(\S+)\s*:\s*f32")
FIELD = re.compile(r'(\w+)\s*=\s*("[^"]*"|[-+.\w]+)')
INPUT = re.compile(r'nn\.input\s*=\s*"(\w+)"')


def options_of(path, text):
    for match in CONSTANT.finditer(text):
        fields = dict(FIELD.findall(match.group(1)))
        if sorted(fields) != sorted(FIELDS):
            line = text.count("\n", 0, match.start()) + 1
            sys.exit(f"{path}:{line}: an option of a built-in objective has {', '.join(FIELDS)}, not {', '.join(fields)}")
        yield {**fields, "value": match.group(2)}


def main():
    out, *paths = sys.argv[1:]
    rows, shared = [], {}
    for path in sorted(paths):
        name = os.path.splitext(os.path.basename(path))[0]
        with open(path) as file:
            text = file.read()
        inputs = INPUT.findall(text)
        options = list(options_of(path, text))
        if "func.func @objective" not in text or not inputs:
            sys.exit(f"{path}: holds no func.func @objective with inputs")
        for option in options:
            says = [option[field] for field in ("least", "most", "meaning")]
            if shared.setdefault(option["key"], says) != says:
                sys.exit(f"{path}: key {option['key']} has another range or meaning than in an objective before")
        lines = ",\n     ".join("{%s}" % ", ".join(option[field] for field in ("option", "key", "value", "least", "most", "meaning")) for option in options)
        names = ", ".join(f'"{each}"' for each in inputs)
        rows.append(f'{{"{name}",\n    R"mlir({text})mlir",\n    {{{names}}},\n    {{{lines}}}}},\n')
    with open(out, "w") as file:
        file.write("".join(rows))


main()

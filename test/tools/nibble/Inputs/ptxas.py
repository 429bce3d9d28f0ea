#!/usr/bin/env python3
"""Writes assemblers that fail: ptxas.py FOLDER."""

import os
import sys

SCRIPTS = {
    "old": "echo \"ptxas kernels.ptx, line 6; fatal   : Unsupported .version 8.3; current version is '7.8'\" >&2; exit 255",
    "refuses": "echo \"ptxas kernels.ptx, line 70; error   : Arguments mismatch for instruction 'mov'\" >&2; exit 255",
    "killed": "kill -9 $$",
    "silent": "exit 3",
    "nothing": "exit 0",
}
os.makedirs(sys.argv[1])
for name, script in [*((n, "#!/bin/sh\n" + s + "\n") for n, s in SCRIPTS.items()), ("text", "no program")]:
    path = os.path.join(sys.argv[1], name)
    with open(path, "w") as file:
        file.write(script)
    os.chmod(path, 0o755)

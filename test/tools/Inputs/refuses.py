#!/usr/bin/env python3
"""Runs a tool that must refuse, and checks how it does.

    refuses.py CODE [--absent PATH]... [--limit-file-size BYTES] [--limit-memory BYTES] [--limit-seconds N] SAYS... -- COMMAND...

The exit code must be CODE. Standard error must hold one line, apart from warnings, notes on the data and lines of progress ("rl  3/4 ..."). The line begins
with the tool's name, says what to do (error_texts.py) and contains every text of SAYS. Standard output must be empty. No PATH may exist
afterwards, nor a temporary file beside it.

The limits apply to the process: the size of a file that it writes, its address space, and the seconds of processor time after which it is
killed. Prints the line.
"""

import os
import re
import resource
import subprocess
import sys

import error_texts

arguments = sys.argv[1:]
cut = arguments.index("--")
arguments, command = arguments[:cut], arguments[cut + 1:]
code, says, absent, limits = int(arguments.pop(0)), [], [], []
KINDS = {"--limit-file-size": resource.RLIMIT_FSIZE, "--limit-memory": resource.RLIMIT_AS, "--limit-seconds": resource.RLIMIT_CPU}
while arguments:
    word = arguments.pop(0)
    if word == "--absent":
        absent.append(arguments.pop(0))
    elif word in KINDS:
        limits.append((KINDS[word], int(arguments.pop(0))))
    else:
        says.append(word)


def limited():
    for kind, limit in limits:
        resource.setrlimit(kind, (limit, limit))


done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limited)
out, error = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
tool = os.path.basename(command[0])
lines = [line for line in error.splitlines() if not re.match(f"{tool}: warning: |{tool}: data (?!.*nothing is left)[^:]*: [0-9]+ prompts|(rl|sft)  [0-9]+/[0-9]+  ", line)]
print(error, end="")
problems = []
if done.returncode != code:
    problems.append(f"exit code {done.returncode}, not {code}")
if len(lines) != 1:
    problems.append(f"{len(lines)} lines, not one")
else:
    if not lines[0].startswith(tool + ": "):
        problems.append(f"does not begin with '{tool}: '")
    problems += error_texts.problems_of(lines[0].removeprefix(tool + ": "))
    problems += [f"does not say '{text}'" for text in says if text not in lines[0]]
if out:
    problems.append(f"wrote {out[:200]!r} to standard output")
for path in absent:
    folder, name = os.path.split(os.path.abspath(path))
    left = [entry for entry in os.listdir(folder) if entry == name or entry.startswith(name + ".tmp")] if os.path.isdir(folder) else []
    if left:
        problems.append(f"left {left} in {folder}")
if problems:
    sys.exit("; ".join(problems))

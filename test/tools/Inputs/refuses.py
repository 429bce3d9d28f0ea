#!/usr/bin/env python3
"""Runs a tool that must refuse, and looks at how it does.

    refuses.py CODE [--absent PATH]... [--limit-file-size BYTES] SAYS... -- COMMAND...

The exit code is CODE; standard error holds one line (beside warnings), which begins with the tool's name and holds every text of SAYS;
standard output holds nothing; no PATH is there afterwards, nor a temporary file beside it. Prints the line.
"""

import os
import resource
import subprocess
import sys

arguments = sys.argv[1:]
cut = arguments.index("--")
arguments, command = arguments[:cut], arguments[cut + 1:]
code, says, absent, limit = int(arguments.pop(0)), [], [], None
while arguments:
    word = arguments.pop(0)
    if word == "--absent":
        absent.append(arguments.pop(0))
    elif word == "--limit-file-size":
        limit = int(arguments.pop(0))
    else:
        says.append(word)


def limited():
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limited)
out, error = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
tool = os.path.basename(command[0])
lines = [line for line in error.splitlines() if not line.startswith(f"{tool}: warning: ")]
print(error, end="")
problems = []
if done.returncode != code:
    problems.append(f"exit code {done.returncode}, not {code}")
if len(lines) != 1:
    problems.append(f"{len(lines)} lines, not one")
else:
    if not lines[0].startswith(tool + ": "):
        problems.append(f"does not begin with '{tool}: '")
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

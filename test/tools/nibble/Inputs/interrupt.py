#!/usr/bin/env python3
"""Sends a signal to a training command at a certain moment, and checks how it stops.

    interrupt.py SIGNAL LINES RUN -- COMMAND...     (--out RUN is added)

The moment is when metrics.jsonl has LINES lines. 0 means when the folder is locked and nothing is compiled yet. The exit code must be 130.
The last line of standard error says where it saved and that it can be resumed. A complete checkpoint exists. Prints that line.
"""

import os
import signal
import subprocess
import sys
import time

name, wanted, run = sys.argv[1], int(sys.argv[2]), sys.argv[3]
command = sys.argv[sys.argv.index("--") + 1:] + ["--out", run]


def lines():
    try:
        with open(os.path.join(run, "metrics.jsonl"), "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
while process.poll() is None and not (lines() >= wanted if wanted else os.path.exists(os.path.join(run, "lock"))):
    time.sleep(0.001)
if process.poll() is not None:
    sys.exit(f"ended with {process.returncode} before the signal: {process.communicate()[1]}")
process.send_signal(getattr(signal, name))
out, error = process.communicate()
last = error.splitlines()[-1] if error else ""
saved = [entry for entry in os.listdir(os.path.join(run, "checkpoints")) if entry.startswith("step-")] if process.returncode == 130 else []
print(f"{name} after {lines()} lines: exit code {process.returncode}, saved {saved}: {last}")
problems = []
if process.returncode != 130:
    problems.append(f"exit code {process.returncode}, not 130")
if not (last.startswith("nibble: ") and run in last and "saved" in last and "resume" in last):
    problems.append("the last line does not say that it was saved and can be resumed")
if not saved or any(".tmp." in entry for entry in saved):
    problems.append("no whole checkpoint")
if out:
    problems.append(f"wrote {out[:200]!r} to standard output")
if os.path.exists(os.path.join(run, "model")):
    problems.append("wrote out weights of an unfinished run")
if problems:
    sys.exit("; ".join(problems))

#!/usr/bin/env python3
"""Runs a training command, kills it repeatedly with SIGKILL, resumes it each time, and lets it finish.

    kills.py SEED KILLS RUN -- COMMAND...      (--out RUN --resume is added)

SEED selects the moments. They are: while a checkpoint is written, while the program is read and compiled, and some time into a step after
a checkpoint. With ten kills or more, one comes after the last step, while the weights are written.

Fails unless KILLS kills struck before the process ended by itself. At least one must come after a checkpoint and one while a checkpoint
was written. Nothing half-written may be left at the end. Prints each kill.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time

seed, wanted, run = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
command = sys.argv[sys.argv.index("--") + 1:] + ["--out", run, "--resume"]
draw = random.Random(seed)
checkpoints = os.path.join(run, "checkpoints")


def lines():
    try:
        with open(os.path.join(run, "metrics.jsonl"), "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def unfinished(folder):
    return [name for name in os.listdir(folder) if ".tmp." in name] if os.path.isdir(folder) else []


def saved():
    return max([int(name[5:]) for name in os.listdir(checkpoints) if re.fullmatch(r"step-\d+", name)] or [0]) if os.path.isdir(checkpoints) else 0


def wait(process, until):
    """False when the process ended first."""
    while not until():
        if process.poll() is not None:
            return False
        time.sleep(0.0003)
    return True


def moment(kind, process):
    """Waits for the moment and returns its description."""
    global begin
    if kind == "start":
        pause = draw.uniform(0, begin)
        time.sleep(pause)
        return f"{pause * 1000:.0f} ms after the start"
    # A resumed run cuts the metrics back to its checkpoint and continues from there. Wait for lines that it wrote itself.
    start = os.stat(os.path.join(run, "metrics.jsonl")).st_mtime_ns if lines() else 0
    since = time.monotonic()
    wait(process, lambda: lines() > 0 and os.stat(os.path.join(run, "metrics.jsonl")).st_mtime_ns != start)
    begin = min(begin, time.monotonic() - since)
    if kind == "save":
        wait(process, lambda: any(name.startswith("step-") for name in unfinished(checkpoints)))
        pause = draw.uniform(0, 0.004) if missed == 0 else 0
        time.sleep(pause)
        return f"{pause * 1000:.1f} ms into a save"
    if kind == "end":
        wait(process, lambda: any(name.startswith("model") for name in unfinished(run)))
        return "while the weights were written out"
    wait(process, lambda: saved() > 0)
    first, more = lines(), draw.randint(0, 2)
    wait(process, lambda: lines() >= first + more)
    pause = draw.uniform(0, min(begin, 0.15))
    time.sleep(pause)
    return f"{pause * 1000:.0f} ms after line {lines()}"


# Number of kills of this kind, and of saves that finished before the kill came.
struck, inSave, afterSave, atEnd = 0, 0, 0, 0
# Seconds from a start to the first line of metrics. They bound the pauses, so that the run does not end before the kills on a fast machine.
begin = 1.0
kinds = ["save", "start", "step", "step"]
seen = set()
number, missed = 0, 0
for attempt in range(20 * wanted):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    kind = kinds[number % len(kinds)] if number < wanted else "end" if atEnd == 0 and wanted >= 10 else None
    if kind is None:
        break
    what = moment(kind, process)
    process.send_signal(signal.SIGKILL)
    error = process.communicate()[1].decode("utf-8", "replace")
    if process.returncode == 0:
        break
    if process.returncode != -signal.SIGKILL:
        sys.exit(f"the command ended with {process.returncode}: {error}")
    struck += 1
    atEnd += kind == "end"
    caught = any(name.startswith("step-") and name not in seen for name in unfinished(checkpoints))
    inSave += caught
    seen.update(unfinished(checkpoints))
    missed = missed + 1 if kind == "save" and not caught and missed < 5 else 0
    number += missed == 0  # a missed save is tried again
    afterSave += saved() > 0
    print(f"kill {struck}: {what}; lines {lines()}, checkpoint of step {saved()}, half-written {unfinished(checkpoints) + unfinished(run)}")
done = process.wait() if process.poll() is None else process.returncode
if done != 0:
    sys.exit(f"the last start ended with {done}: {process.communicate()[1]}")
if struck < wanted:
    sys.exit(f"only {struck} of {wanted} kills struck before the end; make the run longer")
if afterSave == 0 or inSave == 0:
    sys.exit(f"{afterSave} kills after a checkpoint, {inSave} while one was written: the test shows too little")
left = unfinished(checkpoints) + unfinished(run)
if left:
    sys.exit(f"half-written in the end: {left}")
print(f"{struck} kills, {afterSave} after a checkpoint, {inSave} while one was written, {atEnd} while the weights were written out")

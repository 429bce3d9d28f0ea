#!/usr/bin/env python3
"""A run on a disk that fills up: first metrics.jsonl cannot grow, then a checkpoint does not fit, then there is room again.

    disk_full.py FOLDER REFUSES RUN_OF_REFERENCE -- COMMAND...        (--out and --resume are added)

Runs in a mount namespace of its own with a small file system at FOLDER (root only). Each failure gives one line with exit code 4. It
leaves nothing half-written, and keeps every complete checkpoint. At the end the run has the bytes of RUN_OF_REFERENCE. Prints what it saw.
"""

import json
import os
import subprocess
import sys

sys.stdout.reconfigure(line_buffering=True)  # children write to it as well
folder, refuses, reference = sys.argv[1:4]
command = sys.argv[sys.argv.index("--") + 1:]
here = os.path.dirname(os.path.abspath(__file__))
run = os.path.join(folder, "run")
checkpoints = os.path.join(run, "checkpoints")
command += ["--out", run, "--resume"]

if "NIBBLE_OWN_MOUNTS" not in os.environ:
    os.makedirs(folder, exist_ok=True)
    os.environ["NIBBLE_OWN_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)


def whole():
    return sorted(name for name in os.listdir(checkpoints) if name.startswith("step-")) if os.path.isdir(checkpoints) else []


def fails(*expected, more=()):
    done = subprocess.run([sys.executable, refuses, "4", *expected, "--", *command, *more], capture_output=True, text=True)
    print(done.stdout, end="")
    if done.returncode != 0:
        sys.exit(done.stderr)
    half = [name for name in whole() + os.listdir(run) if ".tmp." in name]
    if half:
        sys.exit(f"left half-written: {half}")
    with open(os.path.join(run, "metrics.jsonl")) as file:
        lines = file.read().split("\n")
    print(f"  {len(lines) - 1} whole lines of metrics and {len(lines[-1])} bytes of another; checkpoints {whole()}")
    return lines


mount("size=3m")
# Without checkpoints, which would exceed the limit at once.
cut = fails("--limit-file-size", "5000", "metrics.jsonl", "File too large", more=("--set", "run.checkpoint_every=0"))
if not cut[-1]:
    sys.exit("no line was cut: the limit hit something else")
fails("checkpoint of step", "No space left on device")
kept = whole()
if not kept:
    sys.exit("no checkpoint was written before the disk was full: the test shows too little")
mount("remount", "size=64m")
subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(os.path.join(run, "timings.jsonl")) as file:
    steps = [json.loads(line)["step"] for line in file]
if steps != sorted(set(steps)):
    sys.exit(f"steps of timings.jsonl: {steps}")
print(f"room again: went on from {kept[-1]}")
sys.exit(subprocess.run([sys.executable, os.path.join(here, "runs.py"), "same", reference, run]).returncode)

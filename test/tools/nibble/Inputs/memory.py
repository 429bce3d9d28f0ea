#!/usr/bin/env python3
"""A run exhausts memory in the middle, and continues with smaller calls.

    memory.py REFUSES WHOLE RUN -- COMMAND...       (--out, --resume and sizes are added)

The undisturbed command writes WHOLE with small calls, and its address space is measured. RUN is stopped after its first checkpoint. It is
resumed with large calls and a little more address space than that. It must end with exit code 4 and one line that names the function, and
the checkpoint must remain. Resumed with small calls under the same limit, the run gives the bytes of WHOLE.
"""

import os
import re
import signal
import subprocess
import sys
import time

# Allows for differences between starts; lar# children write to it as well
sys.stdout.reconfigure(line_buffering=True) # children write to it as well
refuses, whole, run = sys.argv[1:4]
command = sys.argv[sys.argv.index("--") + 1:]
here = os.path.dirname(os.path.abspath(__file__))
small, large = ["--set", "train.max_tokens=256"], ["--set", "train.max_tokens=10000000"]
ROOM = 200 << 20


def peak(pid):
    """The address space in bytes; 0 after the process has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:
            found = re.search(r"^VmPeak:\s+(\d+) kB", file.read(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) << 10 if found else 0


process = subprocess.Popen(command + small + ["--out", whole], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
most = 0
while process.poll() is None:
    most = max(most, peak(process.pid))
    time.sleep(0.002)
if process.returncode != 0 or most == 0:
    sys.exit(f"the undisturbed run ended with {process.returncode}, peak {most}")
print(f"small calls take {most >> 20} MiB of address space; the limit is {(most + ROOM) >> 20}")

process = subprocess.Popen(command + small + ["--out", run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while process.poll() is None and not os.path.exists(os.path.join(run, "checkpoints", "latest")):
    time.sleep(0.001)
process.send_signal(signal.SIGTERM)
if process.wait() != 130:
    sys.exit(f"stopped run ended with {process.returncode}")
before = sorted(os.listdir(os.path.join(run, "checkpoints")))

limited = [sys.executable, refuses, "4", "--limit-memory", str(most + ROOM), "no memory for", "'train_step'", "max_tokens", "--"]
done = subprocess.run(limited + command + large + ["--out", run, "--resume"], capture_output=True, text=True)
print(done.stdout, end="")
if done.returncode != 0:
    sys.exit(done.stderr)
if sorted(os.listdir(os.path.join(run, "checkpoints"))) != before:
    sys.exit(f"checkpoints were {before}")
resumed = subprocess.run(["bash", "-c", f'ulimit -v {(most + ROOM) >> 10} && exec "$0" "$@"', *command, *small, "--out", run, "--resume"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
if resumed.returncode != 0:
    sys.exit(f"resumed with small calls: {resumed.stderr}")
sys.exit(subprocess.run([sys.executable, os.path.join(here, "runs.py"), "same", whole, run]).returncode)

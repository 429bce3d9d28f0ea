#!/usr/bin/env python3
"""A device fails in the middle of a run. The run reports one line with the right exit code, and later gives the undisturbed run's bytes.

    device_faults.py REFUSES DRIVER WHOLE RUN FUNCTION... -- COMMAND...       (--out and --resume are added)

DRIVER is the library of test/runtime/drivers/cuda/fake/libcuda_simt.cpp. The undisturbed command writes WHOLE, and its driver calls are
counted. For each FUNCTION of the driver, RUN begins anew and has a fault at a certain call. The refusal is checked by REFUSES. Resuming on
a device that still fails is refused again. Resuming on a healthy device succeeds. Prints each fault.
"""

import json
import os
import re
import shutil
import subprocess
import sys

sys.stdout.reconfigure(line_buffering=True)  # children write to it as well
cut = sys.argv.index("--")
refuses, driver, whole, run = sys.argv[1:5]
functions, command = sys.argv[5:cut], sys.argv[cut + 1:]
here = os.path.dirname(os.path.abspath(__file__))
environment = dict(os.environ, NIBBLE_LIBCUDA=driver, NIBBLE_CACHE_DIR=whole + ".cache")
KERNEL = r"the last kernels were \w+"

# The fault of each function: error, position among the calls of the whole run, other variables, whether a checkpoint exists by then, exit
# code, text of the line. Memory of calls is allocated when they first run, before any checkpoint. Graphs are made until the last step.
FAULTS = {
    "cuStreamSynchronize": (700, 0.6, {}, True, 1, ["CUDA_ERROR_ILLEGAL_ADDRESS", KERNEL, "NIBBLE_CUDA_SYNC=1"]),
    "cuLaunchKernelEx": (719, 0.7, {"NIBBLE_CUDA_SYNC": "1"}, True, 1, ["CUDA_ERROR_LAUNCH_FAILED", r"the last kernel was \w+"]),
    "cuMemAlloc": (2, 1.0, {}, False, 4, ["no memory for [0-9]+ bytes of", "bytes are free", "use a smaller batch"]),
    "cuGraphInstantiateWithFlags": (2, 1.0, {}, True, 4, ["CUDA_ERROR_OUT_OF_MEMORY", "use a smaller batch"]),
}


def saved():
    folder = os.path.join(run, "checkpoints")
    return sorted(name for name in os.listdir(folder) if re.fullmatch(r"step-\d+", name)) if os.path.isdir(folder) else []


def lines():
    with open(os.path.join(run, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


counts = whole + ".counts"
done = subprocess.run(command + ["--out", whole], env=dict(environment, FAKE_CUDA_COUNTS=counts), capture_output=True, text=True)
if done.returncode != 0:
    sys.exit(f"the undisturbed run ended with {done.returncode}: {done.stderr}")
with open(counts) as file:
    calls = {name: int(count) for name, count in map(str.split, file)}

for name in functions:
    error, where, more, isSaved, code, says = FAULTS[name]
    shutil.rmtree(run, ignore_errors=True)
    at = max(1, int(calls[name] * where))
    failing = dict(environment, **more, FAKE_CUDA_FAIL=f"{name}={error}@{at}")
    done = subprocess.run([sys.executable, refuses, str(code), "--", *command, "--out", run], env=failing, capture_output=True, text=True)
    text = [line for line in done.stdout.splitlines() if not re.match("(rl|sft) ", line)]
    print(f"{name} call {at} of {calls[name]} fails with {error}: {' '.join(text)}")
    if done.returncode != 0:
        sys.exit(done.stderr)
    for pattern in says:
        if not re.search(pattern, done.stdout):
            sys.exit(f"does not say '{pattern}'")
    before, steps = saved(), [line["step"] for line in lines()]
    if bool(before) != isSaved or steps != list(range(len(steps))):
        sys.exit(f"checkpoints {before}, metrics of steps {steps}")
    print(f"  after steps {steps}, saved {before}")
    # The device fails again at once, and nothing is lost.
    again = dict(environment, **more, FAKE_CUDA_FAIL="cuMemAlloc=2")
    done = subprocess.run([sys.executable, refuses, "4", "no memory for", "--", *command, "--out", run, "--resume"], env=again, capture_output=True, text=True)
    if done.returncode != 0 or saved() != before:
        sys.exit(f"resumed on a device without memory: {done.stdout} {done.stderr}, checkpoints {saved()}")
    done = subprocess.run(command + ["--out", run, "--resume"], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"resumed: ended with {done.returncode}: {done.stderr}")
    if subprocess.run([sys.executable, os.path.join(here, "runs.py"), "same", whole, run]).returncode != 0:
        sys.exit(1)

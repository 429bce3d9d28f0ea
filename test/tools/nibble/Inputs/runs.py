#!/usr/bin/env python3
"""Compares and reads the folders of runs.

    runs.py same A B...                 metrics.jsonl and every file of model/ are the same bytes in all; prints what was compared
    runs.py trained RUN                 every line of the metrics of `nibble rl` comes from an update with a gradient; prints how many
    runs.py memory host|device RUN...   timings.jsonl says what a run takes where; of a run on a device the host holds one tensor at a time;
                                        prints how much
    runs.py mismatch zero|above RUN...  train_rollout_logprob_abs_diff of every step is exactly 0, or above 0; prints what was compared
"""

import hashlib
import json
import os
import sys


def content(run):
    """{name: bytes} of everything that a run must reproduce."""
    names = ["metrics.jsonl"]
    for folder, _, files in os.walk(os.path.join(run, "model")):
        names += [os.path.relpath(os.path.join(folder, file), run) for file in files]
    if not any(name.endswith(".safetensors") for name in names):
        sys.exit(f"{run}: has no weights in model/")
    whole = {}
    for name in sorted(names):
        with open(os.path.join(run, name), "rb") as file:
            whole[name] = file.read()
    return whole


def same(first, *others):
    expected = content(first)
    for run in others:
        found = content(run)
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) == found.get(name):
                continue
            a, b = expected.get(name, b""), found.get(name, b"")
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            line = a[:at].count(b"\n") + 1
            sys.exit(f"{run}/{name}: differs from that of {first}: {len(b)} bytes and {len(a)}, first at byte {at} (line {line}):\n"
                     f"  {b[max(0, at - 60):at + 60]!r}\n  {a[max(0, at - 60):at + 60]!r}")
    lines = expected["metrics.jsonl"].count(b"\n")
    total = sum(len(data) for data in expected.values())
    digest = hashlib.sha256(b"".join(expected[name] for name in sorted(expected))).hexdigest()[:16]
    print(f"{1 + len(others)} runs: {len(expected)} files, {lines} lines of metrics, {total} bytes, the same in all (sha256 {digest})")


def steps(run):
    """The lines of steps that trained, without the evaluation at the end."""
    with open(os.path.join(run, "metrics.jsonl")) as file:
        return [line for line in map(json.loads, file) if "updates" in line]


def trained(run):
    lines = steps(run)
    for line in lines:
        if not (line["updates"] > 0 and line["gradient_norm"] > 0 and line["trained_tokens"] > 0):
            sys.exit(f"{run}: step {line['step']} trained nothing: {line}")
    print(f"{run}: {len(lines)} steps, gradient norms {min(l['gradient_norm'] for l in lines):.3g} to {max(l['gradient_norm'] for l in lines):.3g}")


def mismatch(kind, *runs):
    for run in runs:
        lines = steps(run)
        values = [line["train_rollout_logprob_abs_diff"] for line in lines]
        tokens = [line["train_rollout_logprob_tokens"] for line in lines]
        sampled = [line["tokens"] for line in lines]
        if not lines or tokens != sampled:
            sys.exit(f"{run}: compared {tokens} tokens of {sampled} sampled")
        wrong = [v for v in values if (v != 0 if kind == "zero" else not v > 0)]
        if wrong:
            sys.exit(f"{run}: mismatch {values}, should be {kind}")
        unequal = sum(line["train_rollout_logprob_mismatches"] for line in lines)
        if (unequal == 0) != (kind == "zero"):
            sys.exit(f"{run}: {unequal} log-probabilities differ, mismatch should be {kind}")
        print(f"{os.path.basename(run)}: {len(lines)} steps, {sum(tokens):.0f} tokens, {unequal:.0f} differ, mismatch {min(values):g} to {max(values):g}")


def memory(where, *runs):
    for run in runs:
        with open(os.path.join(run, "timings.jsonl")) as file:
            lines = [line for line in map(json.loads, file) if "memory_peak_bytes" in line]
        if not lines:
            sys.exit(f"{run}: no memory in timings.jsonl")
        for line in lines:
            state, held = line["memory_parameter_bytes"], line["memory_host_tensor_peak_bytes"]
            on_device = [key for key in line if key.startswith("memory_device_")]
            if where == "host":
                if held < state or on_device:
                    sys.exit(f"{run}: tensors take {held} bytes of the host for a state of {state}; of a device {on_device}")
                continue
            now, peak, free = (line[f"memory_device_{key}"] for key in ("bytes", "peak_bytes", "free_bytes"))
            cache = line.get("memory_rollout_cache_bytes", 0)
            if not state + cache < now <= peak or free <= 0 or held > state / 5:
                sys.exit(f"{run}: on the device {now} bytes, {peak} at most, {free} free, for a state of {state} and a cache of {cache}; "
                         f"tensors took {held} bytes of the host")
        print(f"{os.path.basename(run)}: {len(lines)} steps, state {state:.0f} bytes, tensors on the host {held:.0f} at most, on the device "
              f"{'none' if where == 'host' else f'{peak:.0f} at most'}")


COMMANDS = {"memory": memory, "same": same, "trained": trained, "mismatch": mismatch}
COMMANDS[sys.argv[1]](*sys.argv[2:])

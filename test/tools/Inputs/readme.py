#!/usr/bin/env python3
"""Runs the commands of README.md, so that they cannot drift from the tools.

    readme.py README WORK GROUP DATA      GROUP: walk-through, files or runs; DATA: the folder test/

Every line of every block of kind sh is a command. Words in capitals, names of the user's files and the lengths of runs are replaced from GIVEN.
A command with parts in [brackets] runs without them and with them. Each command has to end with 0.

The output of the previous commands must contain each block of kind mlir, except for the names of values. The output of the block of commands
before it must contain each line of a block of kind text, except for numbers and folders. The checkpoint here is smaller, so numbers differ. Two
commands must print each line of a block without a kind that shows printed numbers.

A command that no group knows is an error: README and this file are changed together.
"""

import os
import re
import shutil
import subprocess
import sys

readme, work, group, data = sys.argv[1:]

# These are not run, for the given reasons.
EXCLUDED = {
    "./dev demo": "minutes of training; it is the build's last step for a reader, not a check",
    "./dev test": "is what runs this",
    "nibble-run layer.nbl --entry forward --inputs examples/layer-rollout.json --random 1 --profile 20": "needs an H200",
    "nibble rl CONFIG.toml --out RUN4 --target cuda": "needs an H200",
    "nibble-train --training train.nbl --rollout rollout.nbl rl CONFIG.toml --model DIR --target cuda": "needs an H200",
}
GROUPS = {
    # The group that runs a bundle also makes it.
    "walk-through": ["nibble-opt", "nibble-run", "nibble compile examples/"],
    "files": ["nibble doctor", "nibble inspect", "nibble create", "nibble import", "nibble compile", "nibble logits", "nibble generate",
              "nibble quantize", "nibble verify"],
    # The worked example uses the checkpoint of its own run, so these commands belong to the group of that run.
    "runs": ["nibble config", "nibble sft", "nibble rl", "nibble report", "nibble generate --model out/example", "nibble quantize --model out/example",
             "nibble verify out/example/int4"],
}
# A command's own replacements come first, then those of all commands.
GIVEN = {
    "nibble create": {"DIR": "tiny", "DIR2": "created"},
    "nibble sft": {"RUN": "warm", "sft.steps=20": "sft.steps=3"},
    "nibble rl": {"RUN": "run", "rl.steps=100": "rl.steps=3"},
    "nibble report": {"RUN": "run", "RUN...": "warm"},
    "": {"DIR": "model", "DIR2": "packed", "STAGES": "stages", "CONFIG.toml": "tiny.toml", "out/addition/warm/model": "model",
         "examples/addition/sft.toml": "tiny.toml", "examples/addition/int4.toml": "tiny.toml"},
}


def blocks(text):
    """(kind, lines) of every fenced block, in order."""
    return [(kind, body.splitlines()) for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def name_of(command):
    """The longest name of a group with which the command begins, or the command's first words if no group knows it."""
    names = [name for group in GROUPS.values() for name in group if command.startswith(name)]
    return max(names, key=len, default=" ".join(command.split()[:2]))


def variants(command):
    """The command without and with the part in brackets. A following comma, or a placeholder for more of the same, belongs to that part."""
    if "[" not in command:
        return [command]
    return [re.sub(r"\s*\[[^\]]*\]", "", command), re.sub(r"[\[\]]", "", command)]


def filled(command):
    given = {**GIVEN[""], **GIVEN.get(name_of(command), {})}
    return " ".join(given.get(word, word) for word in re.findall(r'"[^"]*"|\S+', command))


def nameless(line):
    return re.sub(r"%\w+", "%", line).strip()


def numberless(line):
    """As the commands here print it: folders of GIVEN in place of those of the reader; a number is #."""
    for word, given in GIVEN[""].items():
        if "/" in word:
            line = line.replace(word, given)
    return re.sub(r"-?\d[\d.,]*", "#", " ".join(line.split()))


def prepare():
    shutil.rmtree(work, ignore_errors=True)
    inputs = os.path.join(data, "tools", "nibble", "Inputs")
    shutil.copytree(os.path.join(inputs, "tiny"), os.path.join(work, "tiny"))
    os.symlink(os.path.join(os.path.dirname(os.path.abspath(readme)), "examples"), os.path.join(work, "examples"))
    shutil.copy(os.path.join(work, "examples", "addition", "model", "tokenizer.json"), os.path.join(work, "tiny"))
    with open(os.path.join(inputs, "tiny.toml")) as file:
        text = file.read()
    with open(os.path.join(work, "tiny.toml"), "w") as file:
        file.write(text.replace("set by --model", "model") + f'\n[sft]\nsteps = 3\n\n[reward]\ncommand = ["{sys.executable}", "{inputs}/reward.py"]\n')
    with open(os.path.join(work, "ids.json"), "w") as file:
        file.write("[[49, 43, 50, 61], [57, 43, 57, 61, 49, 56]]")
    subprocess.run(["nibble", "create", "--config", "tiny", "--deviation", "0.3", "--out", "model"], cwd=work, check=True)


prepare()
known = [name for names in GROUPS.values() for name in names]
printed, outputs, count, excluded, said = set(), [], 0, [], []
with open(readme) as file:
    text = file.read()
for kind, lines in blocks(text):
    if kind == "mlir" and group == "walk-through":
        for line in lines:
            if nameless(line) not in printed:
                sys.exit(f"README.md shows what no command before it printed: {line}")
        print(f"shown: {len(lines)} lines of mlir, all printed")
    if kind == "" and lines[0].startswith("logp ") and group == "walk-through":
        for line in lines:
            times = sum(line in output.splitlines() for output in outputs)
            if times != 2:
                sys.exit(f"README.md shows what {times} commands printed, not training and rollout: {line}")
            print("shown: the log-probabilities of training and rollout, the same digits")
    if kind == "text" and said:
        for line in lines:
            if numberless(line) not in map(numberless, said):
                sys.exit(f"README.md shows what the commands before it did not print: {line}")
        print(f"shown: {len(lines)} lines of text, all printed but for their numbers")
    if kind != "sh":
        continue
    said = []
    for line in lines:
        command = re.sub(r"\s+#.*", "", line).strip()
        if command in EXCLUDED:
            excluded.append(command)
            continue
        if name_of(command) not in known:
            sys.exit(f"README.md has a command that this test does not know: {command}")
        if name_of(command) not in GROUPS[group]:
            continue
        for variant in map(filled, variants(command)):
            done = subprocess.run(["bash", "-c", variant], cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            print(f"{done.returncode}: {variant}", flush=True)
            if done.returncode != 0:
                sys.exit(done.stderr)
            count += 1
            outputs.append(done.stdout)
            said += (done.stdout + done.stderr).splitlines()
            printed.update(map(nameless, done.stdout.splitlines()))
            for path in re.findall(r"(?:--out|-o|--dump-stages) (\S+)", variant):
                if "--dry-run" not in variant and not os.path.exists(os.path.join(work, path)):
                    sys.exit(f"it left no {path}")
if sorted(excluded) != sorted(EXCLUDED):
    sys.exit(f"README.md leaves out {sorted(set(EXCLUDED) - set(excluded))}: take it from EXCLUDED")
print(f"{count} commands of group {group}; not run: {', '.join(f'{name} ({why})' for name, why in EXCLUDED.items())}")

"""What a build makes, as files, and whether two builds make the same bytes.

    snapshot.py take BUILD OUT [--cases]    BUILD: a build folder (build/release)
    snapshot.py compare OUT1 OUT2

`take` compiles the small models of test/fixtures for CPUs with AVX2 and with
AVX-512 and for an H200, under every scheme; packs a checkpoint; trains and
samples a few steps. --cases also records every case of LowerToHopperTests with
its PTX, which takes minutes. `compare` prints each file that differs and ends
with 1 when there is one.
"""

import argparse
import filecmp
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(ROOT, "test", "fixtures")
MODELS = ("llama", "llama_bias", "qwen2", "qwen3")
RECIPES = {
    "int4": ["--scheme", "int4"],
    "int4-row": ["--scheme", "int4", "--group-size", "0"],
    "int4-g16": ["--scheme", "int4", "--group-size", "16"],
    "int4-slime": ["--scheme", "int4", "--convention", "slime"],
    "int8": ["--scheme", "int8"],
    "fp8": ["--scheme", "fp8"],
    "mxfp4": ["--scheme", "mxfp4"],
    "none": ["--scheme", "none"],
}
TARGETS = {
    "avx2": ["--target", "host", "--cpu", "x86-64-v3"],
    "avx512": ["--target", "host", "--cpu", "x86-64-v4"],
    "cuda": ["--target", "cuda"],
}


def run(out, name, command, environment=None):
    """Runs a command. Its exit status and messages are part of the snapshot."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    with open(os.path.join(out, name + ".log"), "w") as log:
        log.write(f"{done.returncode}\n{done.stderr.replace(out, 'OUT')}")
    return done


def programs(tool, out):
    for model in MODELS:
        for target, flags in TARGETS.items():
            for program in ("train", "rollout", "logits"):
                # One model takes all schemes, the others their default scheme.
                for recipe, options in RECIPES.items() if model == "qwen3" else [("int4", RECIPES["int4"])]:
                    if program == "rollout" and recipe == "none":
                        continue
                    name = f"{model}-{target}-{program}-{recipe}"
                    run(out, name, [tool, "compile", os.path.join(FIXTURES, model), "--program", program, *flags,
                                    *options, "-o", os.path.join(out, name + ".nbl")])


def checkpoints(tool, out):
    for model in MODELS:
        for convention in ("nibble", "compressed-tensors"):
            name = f"{model}-packed-{convention}"
            run(out, name, [tool, "quantize", "--model", os.path.join(FIXTURES, model), "--convention", convention,
                            "--out", os.path.join(out, name)])


def runs(tool, out):
    """The addition example of README, shortened, with its samples and metrics."""
    work = os.path.join(out, "runs")
    os.makedirs(work)
    addition = os.path.join(ROOT, "examples", "addition")
    start, warm, last = (os.path.join(work, name) for name in ("start", "sft", "rl"))
    few = ["--set", "eval.problems=16", "--set", "train.max_tokens=512"]
    run(out, "create", [tool, "create", "--config", os.path.join(addition, "model"), "--deviation", "0.06", "--seed",
                        "1", "--out", start])
    run(out, "sft", [tool, "sft", os.path.join(addition, "sft.toml"), "--model", start, "--out", warm, *few,
                     "--set", "sft.steps=12", "--set", "sft.sequences_per_step=32"])
    run(out, "rl", [tool, "rl", os.path.join(addition, "int4.toml"), "--model", os.path.join(warm, "model"), "--out",
                    last, *few, "--set", "rl.steps=3", "--set", "rl.prompts_per_step=16", "--set",
                    "rl.samples_per_prompt=4"])


def take(arguments):
    out = os.path.abspath(arguments.out)
    if os.path.exists(out):
        sys.exit(f"{out} is there already; remove it or choose another name")
    os.makedirs(out)
    build = os.path.abspath(arguments.build)
    tool = os.path.join(build, "bin", "nibble")
    programs(tool, out)
    checkpoints(tool, out)
    runs(tool, out)
    if arguments.cases:
        cases = os.path.join(out, "cases")
        os.makedirs(cases)
        tests = os.path.join(build, "test", "bin", "LowerToHopperTests")
        done = subprocess.run([tests], capture_output=True, text=True, env={**os.environ, "NIBBLE_RECORD": cases})
        if done.returncode:
            sys.exit(f"{tests} failed:\n{done.stdout[-2000:]}")
    count = sum(len(files) for _, _, files in os.walk(out))
    print(f"{count} files in {out}")


def files_of(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            found[os.path.relpath(full, folder)] = full
    return found


# Files of a run that contain times.
VOLATILE = ("timings.jsonl", "report.html", "run.lock")


def compare(arguments):
    one, two = files_of(arguments.one), files_of(arguments.two)
    for name in sorted(set(one) ^ set(two)):
        print(f"only in {arguments.one if name in one else arguments.two}: {name}")
    common = [name for name in sorted(set(one) & set(two)) if os.path.basename(name) not in VOLATILE]
    different = [name for name in common if not filecmp.cmp(one[name], two[name], shallow=False)]
    for name in different:
        print(f"differs: {name}")
    print(f"{len(common) - len(different)} of {len(common)} files are the same bytes")
    sys.exit(1 if different or set(one) ^ set(two) else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("take")
    command.add_argument("build")
    command.add_argument("out")
    command.add_argument("--cases", action="store_true")
    command.set_defaults(call=take)
    command = commands.add_parser("compare")
    command.add_argument("one")
    command.add_argument("two")
    command.set_defaults(call=compare)
    arguments = parser.parse_args()
    arguments.call(arguments)


if __name__ == "__main__":
    main()

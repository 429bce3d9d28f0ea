#!/usr/bin/env python3
"""Breaks a checkpoint in many ways. Compares the verdict of `nibble inspect` with that of every command that uses the checkpoint.

    same_verdict.py EXAMPLE FOLDER [--all]     EXAMPLE has model/ and int4.toml; FOLDER is empty

A case gives the file, the changed fields, the verdict ("refused" or "warned") and a text that the line must contain. It also says whether
only commands that use text (generate, sft, rl) see it. inspect must refuse what any of them refuses, and a command must print the same
lines. With --all every command runs for each case; otherwise the commands take turns, one for each case.
"""

import json
import os
import subprocess
import sys

example, root = sys.argv[1:3]
ALL = "--all" in sys.argv
GOOD = os.path.join(root, "good")
IDS = os.path.join(root, "ids.json")


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("nibble: ")]
    refusals = [line for line in lines if not line.startswith("nibble: warning: ")]
    return done.returncode, refusals if done.returncode else [], [line for line in lines if line.startswith("nibble: warning: ")]


def commands(model):
    """By name: whether it uses text, and the command line."""
    config, out = os.path.join(example, "int4.toml"), os.path.join(root, "out")
    return {
        "import": (False, ["nibble", "import", "--model", model, "--out", os.path.join(root, "module.mlir")]),
        "quantize": (False, ["nibble", "quantize", "--model", model, "--dry-run"]),
        "logits": (False, ["nibble", "logits", "--model", model, "--tokens", IDS, "--out", out]),
        "generate": (True, ["nibble", "generate", "--model", model, "--prompt", "1+1=", "--max-new-tokens", "1"]),
        "sft": (True, ["nibble", "sft", config, "--model", model, "--out", out, "--dry-run"]),
        "rl": (True, ["nibble", "rl", config, "--model", model, "--out", out, "--dry-run"]),
    }


def rope(**fields):
    return {"rope_scaling": fields}


YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64}
CONFIG, GENERATION, TOKENIZER = "config.json", "generation_config.json", "tokenizer.json"
CASES = [
    # file, fields, verdict, text, only where text is used
    (CONFIG, {"logit_scale": 0.5}, "refused", "logit_scale", False),
    (CONFIG, {"extras": {"attn_logit_softcapping": 50.0}}, "refused", "extras.attn_logit_softcapping", False),
    (CONFIG, {"is_causal": False}, "refused", "is_causal", False),
    (CONFIG, {"use_rope": False}, "refused", "use_rope", False),
    (CONFIG, rope(factor=2.0), "refused", "rope_scaling.factor", False),
    (CONFIG, rope(type="linear"), "refused", "factor", False),
    (CONFIG, rope(type="linear", factor=0), "refused", "factor", False),
    (CONFIG, rope(type="linear", factor=-1), "refused", "factor", False),
    (CONFIG, rope(type="linear", factor="2"), "refused", "factor", False),
    (CONFIG, rope(type="linear", factor=float("nan")), "refused", "config.json", False),
    (CONFIG, rope(type="linear", factor=float("inf")), "refused", "config.json", False),
    (CONFIG, rope(type="longrope", factor=2.0), "refused", "longrope", False),
    (CONFIG, rope(type="linear", factor=2.0, mrope_section=[1]), "refused", "rope_scaling.mrope_section", False),
    (CONFIG, rope(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0), "refused", "original_max_position", False),
    (CONFIG, rope(**YARN, attention_factor=-1.0), "refused", "attention_factor", False),
    (CONFIG, {"rope_parameters": {"rope_type": "default", "rope_theta": 0}, "rope_theta": None}, "refused", "rope_theta", False),
    (CONFIG, {"eos_token_id": 272}, "refused", "eos_token_id 272", False),
    (CONFIG, {"eos_token_id": [256, 9999]}, "refused", "eos_token_id 9999", False),
    (CONFIG, {"eos_token_id": "x"}, "refused", "eos_token_id", False),
    (CONFIG, {"eos_token_id": None}, "refused", "eos_token_id", True),
    (CONFIG, {"num_key_value_heads": 3}, "refused", "num_key_value_heads", False),
    (CONFIG, {"quantization_config": {"quant_method": "awq"}}, "refused", "awq", False),
    (GENERATION, {"eos_token_id": [256, 272]}, "refused", "generation_config.json: eos_token_id 272", False),
    (GENERATION, [], "refused", "generation_config.json", False),
    (TOKENIZER, {"model": {"type": "Unigram"}}, "refused", "Unigram", True),
    (TOKENIZER, {"added_tokens": [{"id": 5000, "content": "<far>"}]}, "refused", "5001 tokens", True),
    (TOKENIZER, [], "refused", "tokenizer.json", True),
    (CONFIG, {"foo": 1, "bos_token_id": 5000, "use_flash_attention_2": True, "rope_scaling": {**YARN, "foo": 1}}, "warned",
     "rope_scaling.foo", False),
    (CONFIG, {"attn_config": {"attn_impl": "flash"}, "use_rope": True}, "warned", "\"attn_config\" says how", False),
    (GENERATION, {"eos_tokn_id": 7}, "warned", "close names: eos_token_id", False),
    (GENERATION, {"stop_strings": ["###"]}, "warned", "stop_strings is not applied", False),
    (TOKENIZER, {"truncation": {"max_length": 8}}, "warned", "truncation is set and is not applied", True),
    (GENERATION, {"pad_token_id": 5000}, "warned", "generation_config.json: pad_token_id 5000", False),
]

problems = []


def expect(condition, text):
    if not condition:
        problems.append(text)


assert subprocess.run(["nibble", "create", "--config", os.path.join(example, "model"), "--out", GOOD], stdout=subprocess.DEVNULL).returncode == 0
with open(IDS, "w") as file:
    json.dump([1, 2], file)
compared = 0
everything = [("good", CONFIG, {}, "silent", "", False)] + [(f"case{i}", *case) for i, case in enumerate(CASES)]
for number, (name, target, fields, verdict, text, only_text) in enumerate(everything):
    model = os.path.join(root, name)
    if name != "good":
        os.mkdir(model)
        for entry in os.listdir(GOOD):
            if entry != target:
                os.symlink(os.path.join(GOOD, entry), os.path.join(model, entry))
        content = fields
        if isinstance(fields, dict) and os.path.exists(os.path.join(GOOD, target)):
            with open(os.path.join(GOOD, target)) as file:
                content = {**json.load(file), **fields}
        with open(os.path.join(model, target), "w") as file:
            json.dump(content, file)
    label = f"{target} {json.dumps(fields)}"
    code, refusals, warnings = run("nibble", "inspect", model)
    expect(code == (3 if verdict == "refused" else 0), f"inspect of {label}: exit code {code}: {refusals}")
    expect((not refusals and not warnings) if verdict == "silent" else any(text in line for line in refusals + warnings),
           f"inspect of {label} says {refusals + warnings}, not '{text}'")
    for command, (uses_text, line) in commands(model).items():
        if only_text and not uses_text:
            continue
        # An accepted checkpoint is compiled, which takes seconds.
        turn = ("import", "quantize") if verdict != "refused" else ("generate", "sft", "rl") if only_text else tuple(commands(model))
        if not ALL and command != turn[number % len(turn)]:
            continue
        found = run(*line)
        compared += 1
        expect(found == (code, refusals, warnings), f"{command} of {label}: {found}, but inspect: {(code, refusals, warnings)}")
print(f"{len(everything)} checkpoints, {compared} verdicts compared with inspect's")
sys.exit("\n".join(problems) if problems else 0)

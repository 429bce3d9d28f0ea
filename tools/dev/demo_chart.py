#!/usr/bin/env python3
"""Draws the rewards of a run as text and checks what the demonstration promises. The exit status is 1 when that fails."""
import json
import sys

HEIGHT, WIDTH = 12, 72


def chart(series, steps):
    """Lines of text for series of (mark, [(step, value 0..1)]). Later series are on top."""
    rows = [[" "] * WIDTH for _ in range(HEIGHT + 1)]
    for mark, points in series:
        for step, value in points:
            column = round(step / max(steps, 1) * (WIDTH - 1))
            rows[HEIGHT - round(min(max(value, 0), 1) * HEIGHT)][column] = mark
    for i, row in enumerate(rows):
        label = f"{1 - i / HEIGHT:4.2f}" if i % 3 == 0 else "    "
        yield f"{label} |{''.join(row).rstrip()}"
    yield "     +" + "-" * WIDTH
    yield f"      0{'step ' + str(steps):>{WIDTH - 1}}"


def main():
    folder = sys.argv[1]
    with open(f"{folder}/metrics.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    heldout = [(line["step"], line["heldout_reward"]) for line in lines if "heldout_reward" in line]
    sampled = [(line["step"], line["reward_mean"]) for line in lines if "reward_mean" in line]
    compared = [line for line in lines if "train_rollout_logprob_abs_diff" in line]
    print("reward: # held-out problems, . sampled in training")
    print("\n".join(chart([(".", sampled), ("#", heldout)], lines[-1]["step"])))
    tokens = sum(int(line["train_rollout_logprob_tokens"]) for line in compared)
    different = sum(int(line["train_rollout_logprob_mismatches"]) for line in compared)
    largest = max(line["train_rollout_logprob_abs_diff"] for line in compared)
    print(f"held-out reward  {heldout[0][1]:.3f} -> {heldout[-1][1]:.3f} in {lines[-1]['step']} steps")
    print(f"mismatch         {different} of {tokens} log-probabilities differ in a bit; largest mean difference {largest:g}")
    print(f"report           {folder}/report.html")
    promises = {
        "held-out reward begins under 0.4": heldout[0][1] < 0.4,
        "held-out reward ends over 0.9": heldout[-1][1] > 0.9,
        "every sampled token was compared and none differs": tokens > 0 and different == 0 and largest == 0,
    }
    for promise, kept in promises.items():
        print(f"{'yes' if kept else 'NO ':4} {promise}")
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

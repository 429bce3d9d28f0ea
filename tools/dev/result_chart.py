#!/usr/bin/env python3
"""Draws the picture of README.md: held-out reward and mismatch of the arms of the addition example.

    result_chart.py collect out/addition      writes docs/result.csv from the runs in that folder
    result_chart.py draw                      writes docs/result.svg from docs/result.csv, and prints README's table
    result_chart.py check [FOLDER]            compares the picture and the table with docs/result.csv; exit status 1 if they differ

The runs are those of docs/recipes.md, a folder for each arm. FOLDER holds README.md and docs/ (default: the repository).
"""
import csv
import json
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# Folder of the run, label, color, width of the line. Wider lines are drawn first, so lines at one place all show.
ARMS = (
    ("int4", "INT4", "#2463cf", 7.0),
    ("fp8", "FP8", "#128a6a", 4.0),
    ("bf16", "BF16", "#f0a63c", 1.6),
    ("slime", "INT4, float32 scales in training, bf16 in rollout", "#8752c4", 1.6),
    ("int4-without-qat", "BF16 in training, INT4 in rollout", "#c22f78", 1.6),
)
AGREEING = ("int4", "fp8", "bf16")
COLUMNS = ("arm", "step", "heldout_reward", "train_rollout_logprob_abs_diff", "train_rollout_logprob_mismatches", "train_rollout_logprob_tokens")

WIDTH, HEIGHT = 960, 444
TOP, BOTTOM = 132, 386
PANELS = ((62, 460), (540, 938))
TEXT, SOFT, GRID = "#1b2028", "#5c6573", "#e2e5ea"


def collect(runs, path):
    """Writes the series of all arms up to the last step of the agreeing ones. An arm that was interrupted before it is refused."""
    lines = {}
    for arm, *_ in ARMS:
        with open(os.path.join(runs, arm, "metrics.jsonl"), encoding="utf-8") as file:
            lines[arm] = [json.loads(line) for line in file]
    end = max(lines[arm][-1]["step"] for arm in AGREEING)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for arm, *_ in ARMS:
            finished = os.path.isdir(os.path.join(runs, arm, "model"))
            if not finished and lines[arm][-1]["step"] < end:
                sys.exit(f"{runs}/{arm}: ends at step {lines[arm][-1]['step']}, before step {end}; go on with nibble rl --resume")
            writer.writerows({"arm": arm, **line} for line in lines[arm] if line["step"] <= end)


def series(path):
    """{arm: rows}, numbers where the column has one at that step."""
    found = {arm: [] for arm, *_ in ARMS}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            arm = row.pop("arm")
            found[arm].append({name: float(value) for name, value in row.items() if value})
    return found


def points(rows, column):
    return [(row["step"], row[column]) for row in rows if column in row]


def line(panel, end, top_value, values, color, width):
    left, right = PANELS[panel]
    path = " ".join(
        f"{left + step / end * (right - left):.1f},{BOTTOM - value / top_value * (BOTTOM - TOP):.1f}" for step, value in values
    )
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"/>'


def text(x, y, said, size=13, color=TEXT, anchor="start", weight="normal"):
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" text-anchor="{anchor}" font-weight="{weight}">{said}</text>'


def axes(panel, title, unit, end, marks, top_value):
    left, right = PANELS[panel]
    yield text(left, TOP - 34, title, 16, weight="bold")
    yield text(left, TOP - 15, unit, 12, SOFT)
    for mark in marks:
        y = BOTTOM - mark / top_value * (BOTTOM - TOP)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
        yield text(left - 8, f"{y + 4:.1f}", f"{mark:g}", 12, SOFT, "end")
    for step in range(0, int(end) + 1, 50):
        x = left + step / end * (right - left)
        yield text(f"{x:.1f}", BOTTOM + 20, step, 12, SOFT, "middle")
    yield text((left + right) / 2, BOTTOM + 42, "steps of GRPO", 12, SOFT, "middle")


def picture(found):
    end = max(row["step"] for rows in found.values() for row in rows)
    mismatch = "train_rollout_logprob_abs_diff"
    largest = max(value for rows in found.values() for _, value in points(rows, mismatch))
    top_value = (int(largest / 0.02) + 1) * 0.02
    marks = [0.02 * i for i in range(round(top_value / 0.02) + 1)]
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif">'
    yield "<title>Held-out reward, and mismatch of training and rollout, of five arms of the addition example</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>'
    for row, arms in enumerate(([arm for arm in ARMS if arm[0] in AGREEING], [arm for arm in ARMS if arm[0] not in AGREEING])):
        place, y = PANELS[0][0], 28 + 24 * row
        for _, label, color, width in arms:
            yield f'<line x1="{place}" x2="{place + 22}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="{width}"/>'
            yield text(place + 29, y + 4.5, label)
            place += 58 + 7 * len(label)
    yield from axes(0, "Held-out reward", "share of 512 held-out additions that are right", end, [i / 5 for i in range(6)], 1)
    yield from axes(1, "Mismatch of training and rollout", "mean |log p (training) − log p (rollout)| of sampled tokens", end, marks, top_value)
    for arm, _, color, width in ARMS:
        yield line(0, end, 1, points(found[arm], "heldout_reward"), color, min(width, 3.0))
        yield line(1, end, top_value, points(found[arm], mismatch), color, width)
    yield text(PANELS[1][1], BOTTOM - 28, "INT4, FP8 and BF16: exactly 0 at every step", 13, ARMS[0][2], "end", "bold")
    yield "</svg>"


def table(found):
    """README's rows: what the picture shows, in numbers."""
    yield "| arm | held-out reward | steps | tokens compared | tokens that differ | mean mismatch |"
    yield "|---|---|---|---|---|---|"
    for arm, label, *_ in ARMS:
        rows = found[arm]
        reward = points(rows, "heldout_reward")
        compared = points(rows, "train_rollout_logprob_abs_diff")
        tokens = sum(int(count) for _, count in points(rows, "train_rollout_logprob_tokens"))
        different = sum(int(count) for _, count in points(rows, "train_rollout_logprob_mismatches"))
        mean = sum(value for _, value in compared) / len(compared)
        share = f"{100 * different / tokens:.1f} %" if different else "0"
        yield (
            f"| {label} | {reward[0][1]:.3f} to {reward[-1][1]:.3f} | {int(rows[-1]['step'])} | {tokens:,} | {share} | {mean:.2g} |"
        )


def main():
    command, arguments = sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]
    folder = os.path.abspath(arguments[0]) if command == "check" and arguments else ROOT
    path, image = os.path.join(folder, "docs", "result.csv"), os.path.join(folder, "docs", "result.svg")
    if command == "collect" and len(arguments) == 1:
        collect(arguments[0], path)
        return 0
    if command not in ("draw", "check") or len(arguments) > (command == "check"):
        print(__doc__, file=sys.stderr)
        return 2
    found = series(path)
    drawn, rows = "\n".join(picture(found)) + "\n", list(table(found))
    if command == "draw":
        with open(image, "w", encoding="utf-8") as file:
            file.write(drawn)
        print("\n".join(rows))
        return 0
    with open(image, encoding="utf-8") as file:
        same = file.read() == drawn
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
        shown = file.read().splitlines()
    missing = [row for row in rows if row not in shown] if same else []
    if not same:
        print("docs/result.svg is not what docs/result.csv draws; run tools/dev/result_chart.py draw")
    for row in missing:
        print(f"README.md lacks this row of docs/result.csv: {row}")
    if same and not missing:
        print(f"docs/result.svg and README.md show docs/result.csv: {sum(map(len, found.values()))} steps of {len(found)} arms")
    return 0 if same and not missing else 1


if __name__ == "__main__":
    sys.exit(main())

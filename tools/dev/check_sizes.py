"""House limits on size. C++ files: median <= 150 lines, 90th percentile <= 400, maximum 600. TableGen files: <= 400. A tool's main file: <=
60. A folder holds at most 24 source files.

A file that must be longer says why in its first comment, with the words "Longer than the limit because". It is listed, not refused.
"""

import collections
import os

import lint

MOST_FILES = 24
EXCUSE = "Longer than the limit because"


def limit_of(path):
    parts = path.split("/")
    if path.endswith(".td"):
        return 400
    if parts[0] == "tools" and len(parts) == 3 and parts[2] == parts[1] + ".cpp":
        return 60
    return 600


def first_comment(text):
    lines = []
    for line in text.splitlines():
        if not line.lstrip().startswith(("//", "/*", "*")):
            break
        lines.append(line)
    return "\n".join(lines)


def main():
    root = lint.root_argument()
    findings = []
    lengths = []
    folders = collections.Counter()
    for path in lint.files(root, ".h", ".cpp", ".c", ".td"):
        folders[os.path.dirname(path)] += 1
        text = lint.read(root, path)
        length = text.count("\n")
        if not path.endswith(".td"):
            lengths.append(length)
        if length <= limit_of(path):
            continue
        if EXCUSE in first_comment(text):
            print(f"{path}: {length} lines, and says why")
        else:
            findings.append(f"{path}:{limit_of(path) + 1}: {length} lines, the limit is {limit_of(path)}; split it by concept")
    for folder, count in sorted(folders.items()):
        if count > MOST_FILES:
            findings.append(f"{folder}: {count} files of sources, the limit is {MOST_FILES}; give a concept of them a folder")
    if lengths:
        lengths.sort()
        for name, share, limit in (("median", 0.5, 150), ("90th percentile", 0.9, 400)):
            value = lengths[int(share * (len(lengths) - 1))]
            print(f"C++ files: {name} {value} lines")
            if value > limit:
                findings.append(f"C++ files: the {name} is {value} lines, the limit is {limit}")
    lint.report(findings, f"{len(lengths)} C++ files" if lengths else "")


if __name__ == "__main__":
    main()

"""Every C++ file has the form that clang-format writes: LLVM's own style, 80 columns (.clang-format)."""

import os
import re
import shutil
import subprocess

import lint

FORMATTERS = ("clang-format-22", "clang-format")
# Limits the length of a command line.
BATCH = 200


def formatter():
    """The clang-format of LLVM 22, or None."""
    for name in FORMATTERS:
        path = shutil.which(name)
        if path and "version 22." in subprocess.run([path, "--version"], capture_output=True, text=True).stdout:
            return path
    return None


def main():
    root = lint.root_argument()
    tool = formatter()
    if tool is None:
        lint.report(["clang-format of LLVM 22 is not installed; ./dev setup does it"], "")
    findings = []
    paths = lint.files(root, ".h", ".cpp", ".c")
    for i in range(0, len(paths), BATCH):
        batch = [os.path.join(root, path) for path in paths[i : i + BATCH]]
        done = subprocess.run([tool, "--dry-run", "--style=file", *batch], cwd=root, capture_output=True, text=True)
        places = re.findall(r"^(.*?):(\d+):\d+: (?:warning|error): code should be clang-formatted", done.stderr, re.MULTILINE)
        findings += [f"{os.path.relpath(path, root)}:{line}: is not as clang-format writes it; run ./dev fmt" for path, line in places]
        if done.returncode != 0 and not places:
            findings.append(f"{tool}: {done.stderr.strip()}")
    lint.report(findings, f"{len(paths)} files" if paths else "")


if __name__ == "__main__":
    main()

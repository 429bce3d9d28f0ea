"""One name per pass, and a test under it.

`def HoistQuantizePass : Pass<"nibble-hoist-quantize", ...>` of passes/<Stage>/Passes.td is written in passes/<Stage>/HoistQuantize.cpp and
tested in test/passes/<Stage>/hoist-quantize.mlir, with hoist-quantize-invalid.mlir or hoist-quantize-no-match.mlir beside it. Likewise
of any other folder that has a Passes.td.
"""

import os
import re

import lint

PASS = re.compile(r'^def[ \t]+(\w+)[ \t]*:[ \t]*(?:Interface)?Pass<"([^"]+)"', re.MULTILINE)


def main():
    root = lint.root_argument()
    findings = []
    checked = 0
    for path in lint.files(root, "Passes.td"):
        folder = os.path.dirname(path)
        text = lint.read(root, path)
        for match in PASS.finditer(text):
            checked += 1
            name, flag = match.groups()
            where = f"{path}:{lint.line_of(text, match.start())}"
            stem = name.removesuffix("Pass")
            derived = "nibble-" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", stem).lower()
            if not name.endswith("Pass") or flag != derived:
                findings.append(f"{where}: pass {name} has the flag '{flag}', not '{derived}'")
            if not os.path.exists(os.path.join(root, folder, stem + ".cpp")):
                findings.append(f"{where}: pass {name} is not in {folder}/{stem}.cpp")
            test = f"test/{folder}/{flag.removeprefix('nibble-')}"
            if not os.path.exists(os.path.join(root, test + ".mlir")):
                findings.append(f"{where}: pass {name} has no {test}.mlir")
            if not any(os.path.exists(os.path.join(root, f"{test}-{kind}.mlir")) for kind in ("invalid", "no-match")):
                findings.append(f"{where}: pass {name} has no {test}-invalid.mlir or -no-match.mlir")
    lint.report(findings, f"{checked} passes" if checked else "")


if __name__ == "__main__":
    main()

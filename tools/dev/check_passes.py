"""One name per pass, and a test under it.

`def HoistQuantizePass : Pass<"nibble-hoist-quantize", ...>` of passes/<Stage>/Passes.td is written in passes/<Stage>/HoistQuantize.cpp.
Its test is test/passes/<Stage>/hoist-quantize.mlir, with hoist-quantize-invalid.mlir or hoist-quantize-no-match.mlir beside it. The same
holds for any other folder with a Passes.td.

The file's DEBUG_TYPE is the flag, so that -debug-only=nibble-hoist-quantize shows what the pass does. The file also has at least one
statistic, which --mlir-pass-statistics prints.
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
            source = os.path.join(folder, stem + ".cpp")
            if not os.path.exists(os.path.join(root, source)):
                findings.append(f"{where}: pass {name} is not in {source}")
            else:
                code = lint.read(root, source)
                if f'#define DEBUG_TYPE "{flag}"' not in code:
                    findings.append(f"{source}:1: DEBUG_TYPE is not '{flag}'")
                # MLIR's Pass::Statistic counts nothing in a release build.
                if "ALWAYS_ENABLED_STATISTIC(" not in code:
                    findings.append(f"{source}:1: pass {name} has no ALWAYS_ENABLED_STATISTIC")
            test = f"test/{folder}/{flag.removeprefix('nibble-')}"
            if not os.path.exists(os.path.join(root, test + ".mlir")):
                findings.append(f"{where}: pass {name} has no {test}.mlir")
            if not any(os.path.exists(os.path.join(root, f"{test}-{kind}.mlir")) for kind in ("invalid", "no-match")):
                findings.append(f"{where}: pass {name} has no {test}-invalid.mlir or -no-match.mlir")
    lint.report(findings, f"{checked} passes" if checked else "")


if __name__ == "__main__":
    main()

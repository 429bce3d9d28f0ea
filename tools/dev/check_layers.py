"""Layers: who may include whom.

Numerics <- dialects <- passes <- Driver <- tools; ABI.h <- {Target, runtime}; Numerics <- runtime. {Names, Objectives} <- {passes, runtime}.
KnownTargets <- {dialects, runtime}.

A stage of passes/ includes no other stage. passes/Weights and passes/Kernels are no stages, but hold what several stages share. runtime/
never includes MLIR or LLVM. A system header is included with angle brackets, a header of the repository by its path from the root.
"""

import os
import re

import lint

# The first match wins: files below the prefix may include paths that begin with one of these. {stage} is the first folder below passes/.
ALLOWED = [
    ("lib/Numerics/", ["lib/Numerics/"]),
    ("lib/Names/", ["lib/Names/"]),
    ("lib/KnownTargets/", ["lib/KnownTargets/"]),
    ("dialects/", ["dialects/", "lib/Numerics/", "lib/KnownTargets/", "mlir/", "llvm/"]),
    ("passes/Pipelines.", ["passes/", "dialects/", "mlir/", "llvm/"]),
    # ABI.h declares what generated code calls in the runtime.
    ("passes/LowerToHopper/", ["passes/LowerToHopper/", "passes/LowerToDevice/", "passes/Kernels/", "dialects/", "lib/Numerics/", "include/nibble/ABI.h", "mlir/", "llvm/"]),
    ("passes/Kernels/", ["passes/Kernels/", "dialects/", "lib/Numerics/", "mlir/", "llvm/"]),
    ("passes/LowerTo", ["passes/{stage}/", "passes/Kernels/", "dialects/", "lib/Numerics/", "include/nibble/ABI.h", "mlir/", "llvm/"]),
    ("passes/", ["passes/{stage}/", "passes/Weights/", "dialects/", "lib/Numerics/", "lib/Names/", "lib/Objectives/", "mlir/", "llvm/"]),
    ("lib/Objectives/", ["lib/Objectives/"]),
    ("lib/Frontend/", ["lib/Frontend/", "dialects/", "lib/Numerics/", "runtime/formats/", "runtime/core/", "mlir/", "llvm/"]),
    ("lib/Reference/", ["lib/Reference/", "dialects/", "lib/Numerics/", "mlir/", "llvm/"]),
    ("lib/Target/", ["lib/Target/", "passes/Pipelines.h", "dialects/", "lib/Numerics/", "lib/KnownTargets/", "runtime/bundle/", "runtime/core/", "include/nibble/", "mlir/", "llvm/"]),
    ("lib/Driver/", ["lib/", "passes/", "dialects/", "runtime/", "include/nibble/", "mlir/", "llvm/"]),
    ("include/nibble/", ["include/nibble/"]),
    ("runtime/", ["runtime/", "lib/Numerics/", "lib/Names/", "lib/KnownTargets/", "lib/Objectives/", "include/nibble/ABI.h", "include/nibble/Runtime.h"]),
    ("tools/", ["tools/", "lib/", "runtime/", "include/nibble/", "mlir/", "llvm/"]),
    ("benchmarks/", [""]),
    ("test/", [""]),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
TD_INCLUDE = re.compile(r'^[ \t]*include[ \t]*(")([^"]+)"', re.MULTILINE)


def allowed_for(path):
    for prefix, allowed in ALLOWED:
        if path.startswith(prefix):
            parts = path.split("/")
            return [entry.replace("{stage}", parts[1]) for entry in allowed]
    return None


def main():
    root = lint.root_argument()
    findings = []
    checked = 0
    for path in lint.files(root, ".h", ".cpp", ".c", ".td"):
        allowed = allowed_for(path)
        if allowed is None:
            findings.append(f"{path}:1: no layer holds this folder; say in check_layers.py what it may include")
            continue
        text = lint.read(root, path)
        for match in (TD_INCLUDE if path.endswith(".td") else INCLUDE).finditer(text):
            bracket, target = match.groups()
            checked += 1
            where = f"{path}:{lint.line_of(text, match.start(2))}"
            if bracket == "<":
                if target.startswith(("mlir/", "llvm/", "nibble/")) or os.path.exists(os.path.join(root, target)):
                    findings.append(f"{where}: <{target}> is written with quotes")
            elif not any(target.startswith(entry) for entry in allowed):
                findings.append(f"{where}: '{target}' breaks the layers; {os.path.dirname(path)} may include {', '.join(allowed)}")
            elif not target.startswith(("mlir/", "llvm/")) and not target.endswith(".inc"):
                if not os.path.exists(os.path.join(root, target)):
                    findings.append(f"{where}: '{target}' is no path from the root of the repository")
    lint.report(findings, f"{checked} includes" if checked else "")


if __name__ == "__main__":
    main()

"""What the compiler does not see: silent rejections, ignored results of drivers, process exits, notes to oneself."""

import re

import lint

DRIVER = re.compile(r"^[ \t]*(\(void\)\s*)?(mlir::)?(applyPatterns\w*|applyOpPatterns\w*|apply(Partial|Full)Conversion|walkAndApply\w+)\s*\(", re.MULTILINE)
WAY_OUT = re.compile(r"(?<![\w.>])((std::)?(exit|abort|_exit|_Exit|quick_exit)\s*\(|llvm::errs\b|std::cerr\b)")
NOTE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
SILENT = re.compile(r"\breturn\s+(mlir::)?failure\(\)\s*;")
EXPLAINED = re.compile(r"\breturn\s+\w+(\.|->)notifyMatchFailure\s*\(|\breturn\s+\w+(\.|->)emit\w*Error\s*\(|\breturn\s+emitError\s*\(")
PATTERN = re.compile(r"\bmatchAndRewrite\s*\(")

# Share of rejections that must say why. The other 5 % may be failures of something that has reported already.
SHARE = 0.95


def pattern_bodies(code):
    for match in PATTERN.finditer(code):
        opening = code.find("{", match.end())
        semicolon = code.find(";", match.end())
        if opening >= 0 and not 0 <= semicolon < opening:  # a definition, not a declaration or a call
            yield opening, lint.block_end(code, opening)


def main():
    root = lint.root_argument()
    findings = []
    sources = lint.files(root, ".h", ".cpp", ".c")
    silent, explained = [], 0
    for path in sources:
        text = lint.read(root, path)
        code = lint.without_comments(text)
        where = lambda position: f"{path}:{lint.line_of(code, position)}"
        for match in DRIVER.finditer(code):
            findings.append(f"{where(match.start(3))}: the result of {match.group(3)} is ignored")
        if not path.startswith(("tools/", "test/", "benchmarks/")):
            for match in WAY_OUT.finditer(code):
                findings.append(f"{where(match.start())}: {match.group().rstrip('( ')} outside tools; return a status or a diagnostic")
        for begin, end in pattern_bodies(code):
            silent += [where(begin + match.start()) for match in SILENT.finditer(code[begin:end])]
            explained += len(EXPLAINED.findall(code[begin:end]))
    exits = len(silent) + explained
    print(f"rejections of patterns: {explained} of {exits} explained")
    if exits and explained / exits < SHARE:
        findings += [f"{place}: the pattern does not say why; use notifyMatchFailure" for place in silent]
    for path in lint.files(root, ".h", ".cpp", ".c", ".td", ".py", ".mlir", ".test", ".txt", ".cmake", ".toml"):
        if path.startswith(("tools/dev/", "test/tools/dev/")):
            continue  # these files mention such notes
        text = lint.read(root, path)
        for match in NOTE.finditer(text):
            findings.append(f"{path}:{lint.line_of(text, match.start())}: {match.group()} without the number of an issue")
    lint.report(findings, f"{len(sources)} files" if sources else "")


if __name__ == "__main__":
    main()

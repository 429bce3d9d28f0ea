"""Every file begins with its purpose, and what comments and documents refer to exists.

A C++, TableGen, Python, shell or CUDA file begins with a comment. Comments and documents may only refer to things that exist: a path from
the repository's root, a file by its name, the target of a link and its heading. A rule of numerics (N1) must exist too. The number of a
section is no valid reference, because headings have none.
"""

import os
import re

import lint

CODE = (".cpp", ".h", ".td")
HASHED = (".py", ".sh", ".cmake", "CMakeLists.txt", ".toml", ".test", ".mlir", "/dev")
# These need the comment. The first line of a CMakeLists.txt names what it makes, and a test begins with what it runs.
BEGINS = (".cpp", ".h", ".td", ".py", ".sh", ".cu", ".cmake")
# Endings of names without a folder. A test or a user may call any file x.mlir or x.toml.
ENDINGS = r"(?:cpp|h|td|py|sh|cu|md|cmake|ptx|inc)"
BEFORE = r"(?<![\w./<>*{}$%~:-])"
PATH = re.compile(BEFORE + r"((?:" + "|".join(lint.FOLDERS + ("docs",)) + r")/[\w./<>*{}|,-]*)")
NAME = re.compile(BEFORE + r"([A-Za-z]\w*(?:[-.]\w+)*\." + ENDINGS + r")\b(?![\w/*-]|\.\w)")
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
SECTION = re.compile(r"(?:\.md`?|README),? section \d+")
RULE = re.compile(r"\bN(\d{1,2})\b|\(([A-Z]\d)\)")

# Pages that the build generates, in addition to the written ones.
GENERATED = re.compile(r"docs/(?:dialects|passes)\b|(?:docs/)?(?:command-line|configuration|completeness)\.md$")


def comments(text):
    """C++ or TableGen with everything but comments blanked. Positions stay."""
    kept = lint.without_comments(text, keep_strings=True)
    return "".join(a if a == "\n" or a != b else " " for a, b in zip(text, kept))


def prose(path, text):
    """The text of a file that a person reads. Positions stay."""
    if path.endswith(".td"):
        return text
    if path.endswith(CODE + (".cu",)):
        return comments(text)
    if path.endswith(".md"):
        return text
    return "\n".join(line if line.lstrip().startswith(("#", "//", '"""')) else "" for line in text.split("\n"))


def headings(text):
    lines = re.sub(r"(?ms)^```.*?^```", "", text).splitlines()
    return {re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-") for line in lines if line.startswith("#")}


class Repository:
    def __init__(self, root):
        self.root = root
        self.documents = [name for name in ("README.md",) if os.path.exists(os.path.join(root, name))]
        docs = os.path.join(root, "docs")
        self.documents += sorted(f"docs/{name}" for name in (os.listdir(docs) if os.path.isdir(docs) else []) if name.endswith(".md"))
        self.files = lint.files(root, "") + self.documents
        self.names = {os.path.basename(path) for path in self.files}
        numerics = os.path.join(root, "docs", "numerics.md")
        self.rules = set(re.findall(r"\*\*(N\d+)", lint.read(root, "docs/numerics.md"))) if os.path.exists(numerics) else set()

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def has_path(self, path):
        """Whether a file, a folder, or a file without its ending exists. A name with a placeholder stands for many."""
        path = path.rstrip("./,-")
        if GENERATED.match(path):
            return True
        head = re.split(r"[<*{|,]", path)[0]
        if head != path:
            return self.exists(os.path.dirname(head))
        folder, name = os.path.split(path)
        return self.exists(path) or any(os.path.dirname(file) == folder and os.path.basename(file).split(".")[0] == name for file in self.files)

    def findings_of(self, path):
        text = lint.read(self.root, path)
        if path.endswith(BEGINS):
            first = text.lstrip("\n")
            if first.startswith("#!"):
                first = first.partition("\n")[2]
            mark = '"""' if path.endswith(".py") and first.startswith('"""') else "//" if path.endswith(CODE + (".cu",)) else "#"
            if not first.startswith(mark):
                yield 0, "does not begin with a comment that says what the file is for"
        read = prose(path, text)
        for match in PATH.finditer(read):
            if not self.has_path(match.group(1)):
                yield match.start(1), f"there is no {match.group(1).rstrip('.,')}"
        for match in NAME.finditer(read):
            if match.group(1) not in self.names and not GENERATED.match(match.group(1)):
                yield match.start(1), f"no file is named {match.group(1)}"
        for match in SECTION.finditer(read):
            yield match.start(), f"'{match.group()}': name the heading"
        for match in RULE.finditer(read):
            rule = match.group(2) or "N" + match.group(1)
            if rule not in self.rules:
                yield match.start(), f"there is no rule {rule} in docs/numerics.md"
        if path.endswith(".md"):
            yield from self.links_of(path, text)

    def links_of(self, path, text):
        for match in LINK.finditer(text):
            target, _, heading = match.group(1).partition("#")
            if re.match(r"\w+:", target):
                continue
            place = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if GENERATED.match(place):
                continue
            if not self.exists(place):
                yield match.start(1), f"the link leads to no file: {target}"
            elif heading and heading not in headings(lint.read(self.root, place)):
                yield match.start(1), f"{place} has no heading #{heading}"


def main():
    root = lint.root_argument()
    repository = Repository(root)
    findings, checked = [], 0
    readable = [path for path in repository.files if path.endswith(CODE + HASHED + (".cu", ".md"))]
    for path in readable:
        # The lints and their tests mention files that do not exist.
        if path.startswith(("tools/dev/check_", "test/tools/dev/")):
            continue
        checked += 1
        text = lint.read(root, path)
        findings += [f"{path}:{lint.line_of(text, position)}: {what}" for position, what in sorted(repository.findings_of(path))]
    lint.report(findings, f"{checked} files" if checked else "")


if __name__ == "__main__":
    main()

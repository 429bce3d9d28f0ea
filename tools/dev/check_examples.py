"""Blocks of code in documents are cut from files of the repository, and are what stands there.

    check_examples.py [ROOT] [--write]

A mark before a block says where it comes from:

    <!-- from lib/Numerics/scheme.cpp: SchemeRow{.kind = Kind::kInt4, -->
    ```cpp
    ...
    ```

The block begins with the one line of that file that begins so. It goes on with the lines below that stand further in, and up to the
bracket that closes what the first line opens. The comment right above it comes with it. A text that is a comment means the paragraph that it begins. Without a text the
whole file is meant. A page that has marks has no block without one, but for commands (`sh`).

A list of names is made in the same way:

    <!-- names of runtime/formats/model/families/*.cpp -->`llama`, `qwen2`<!-- end -->

--write fills blocks and lists; else each that is another text is a finding.
"""

import glob
import os
import re
import sys
import textwrap

import lint

MARK = re.compile(r"^<!-- from ([\w./-]+)(?:: (.*?))? -->$")
FENCE = re.compile(r"^```(\w*)")
NAMES = re.compile(r"<!-- names of (\S+) -->(.*?)<!-- end -->", re.DOTALL)


class Unknown(Exception):
    """What a mark names is not there."""


def indentation(line):
    return len(line) - len(line.lstrip())


def is_comment(line):
    return line.lstrip().startswith(("//", "# "))


def opens(line):
    """Brackets that a line opens and does not close; of one that closes more it is negative."""
    return 0 if is_comment(line) else sum((c in "([{") - (c in ")]}") for c in line)


def block_of(lines, start):
    """The block that begins with the text `start`, without the indentation that its lines share."""
    begins = [i for i, line in enumerate(lines) if line.lstrip().startswith(start)]
    if len(begins) != 1:
        raise Unknown(f"{len(begins)} lines begin with '{start}'")
    first = last = begins[0]
    depth = indentation(lines[first])
    is_paragraph = is_comment(lines[first])
    opened = opens(lines[first])
    for line in lines[first + 1 :]:
        is_inside = opened > 0 or (is_paragraph and line.strip()) or (not is_paragraph and (not line.strip() or indentation(line) > depth))
        if not is_inside:
            break
        last += 1
        opened += opens(line)
    while not lines[last].strip():
        last -= 1
    while first > 0 and not is_paragraph and is_comment(lines[first - 1]) and indentation(lines[first - 1]) == depth:
        first -= 1
    block = lines[first : last + 1]
    return textwrap.dedent("\n".join(block)).split("\n")


def cut(root, path, start):
    if not os.path.isfile(os.path.join(root, path)):
        raise Unknown(f"there is no {path}")
    lines = lint.read(root, path).rstrip("\n").split("\n")
    try:
        return block_of(lines, start) if start else lines
    except Unknown as problem:
        raise Unknown(f"{path}: {problem}") from None


def names_of(root, pattern):
    paths = sorted(glob.glob(os.path.join(root, pattern)))
    if not paths:
        raise Unknown(f"no file is {pattern}")
    return ", ".join(f"`{os.path.splitext(os.path.basename(path))[0]}`" for path in paths)


class Page:
    """A document with its blocks and lists filled anew."""

    def __init__(self, root, path):
        self.path = path
        self.text = lint.read(root, path)
        self.findings = []
        self.checked = 0
        self.filled = NAMES.sub(lambda match: self.names(root, match), self.blocks(root))

    def finding(self, line, what):
        self.findings.append(f"{self.path}:{line}: {what}")

    def blocks(self, root):
        lines = self.text.split("\n")
        has_marks = any(MARK.match(line) for line in lines)
        out, mark, i = [], None, 0
        while i < len(lines):
            fence = FENCE.match(lines[i])
            if not fence:
                if mark and lines[i].strip():
                    self.finding(i + 1, "a mark stands before a block of code, and this is none")
                mark = MARK.match(lines[i])
                out.append(lines[i])
                i += 1
                continue
            end = next((j for j in range(i + 1, len(lines)) if lines[j] == "```"), len(lines))
            body = lines[i + 1 : end]
            if mark:
                body = self.block(root, i, mark, body)
            elif has_marks and fence.group(1) != "sh":
                self.finding(i + 1, "a block of code without the mark that says where it comes from")
            out += [lines[i], *body, *lines[end : end + 1]]
            mark, i = None, end + 1
        return "\n".join(out)

    def block(self, root, i, mark, body):
        self.checked += 1
        try:
            wanted = cut(root, mark.group(1), mark.group(2))
        except Unknown as problem:
            self.finding(i, problem)
            return body
        if wanted != body:
            self.finding(i, f"the block is not what stands in {mark.group(1)}; check_examples.py --write fills it")
        return wanted

    def names(self, root, match):
        self.checked += 1
        line = lint.line_of(self.text, self.text.index(match.group()))
        try:
            wanted = names_of(root, match.group(1))
        except Unknown as problem:
            self.finding(line, problem)
            return match.group()
        if wanted != match.group(2):
            self.finding(line, f"the list is not that of {match.group(1)}; check_examples.py --write fills it")
        return f"<!-- names of {match.group(1)} -->{wanted}<!-- end -->"


def main():
    write = "--write" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--write"]
    root = lint.root_argument()
    findings, checked = [], 0
    for path in ["README.md", *(f"docs/{name}" for name in sorted(os.listdir(os.path.join(root, "docs"))) if name.endswith(".md"))]:
        if not os.path.exists(os.path.join(root, path)):
            continue
        page = Page(root, path)
        if write and page.filled != page.text:
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(page.filled)
            page = Page(root, path)
        findings += page.findings
        checked += page.checked
    lint.report(findings, f"{checked} examples" if checked else "")


if __name__ == "__main__":
    main()

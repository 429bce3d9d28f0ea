"""Text for people is plain English: short sentences that begin with their subject.

In Markdown each sentence has a line of its own. It has at most 30 words and at most three figures, which are numbers with a unit or decimals; more
of them belong in a table. It does not begin with its object, like the telegrams "Of ..." and "For ...: the ...". In comments and in the
texts of TableGen a sentence has at most 30 words, and does not begin with "Of".

Code blocks, tables, headings, indented formulas and what FileCheck or lit reads are not checked. A code span counts as one word.

Usage: check_prose.py [repository [path...]]. Paths, which are files or folders within the repository, limit what is read.
"""

import ast
import io
import os
import re
import sys
import tokenize

import lint

WORDS = 30
FIGURES = 3

SLASHED = (".cpp", ".h", ".td", ".cu", ".c", ".mlir")
HASHED = (".sh", ".cmake", ".txt", ".toml")
SCRIPTS = ("dev", ".ci/run")

ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|resp|Fig|fig|Eq|eq|al)|\.\.)\.$")
SENTENCE_END = re.compile(r"[.!?]+[)\]\"'*_]*(?=\s|$)")
LIST_ITEM = re.compile(r"(?:[-*+]|\d+[.)]|\([a-z0-9]\))\s+")
UNIT = (
    r"(?:%|percent\b|times\b|x\b|×|(?:n|µ|u|m)?s\b|min\b|minutes?\b|seconds?\b|hours?\b|milliseconds?\b|microseconds?\b|nanoseconds?\b|[kKMGT]i?B\b|bytes\b|"
    r"[KMGT]?Hz\b|[MGTP]?FLOPS?\b|[MGT]?flop/s|tokens/s|tokens a second|W\b|ulps?\b)"
)
FIGURE = re.compile(rf"(?<![\w.])\d[\d,]*(?:\.\d+)?\s?{UNIT}|(?<![\w.])\d+\.\d+(?![\w.])")
TELEGRAM = re.compile(r"For [^.,;:`]{1,60}: (?=[a-z])")
CHECK = re.compile(r"[A-Z][A-Z0-9_-]+(?:\{[^}]*\})?:|expected-|-{3,}|={3,}|RUN\b|NOLINT|clang-format (?:on|off)|@")


class Block:
    """Lines of prose that belong together: a paragraph, an item of a list, a comment."""

    def __init__(self):
        self.lines = []

    def add(self, number, text):
        self.lines.append((number, text.strip()))

    def sentences(self):
        """(line of the first word, text, beginning as written) of each sentence. In the text a code span is one word."""
        written, numbers = "", []
        for number, line in self.lines:
            numbers += [number] * (len(line) + 1)
            written += line + " "
        text = re.sub(r"`[^`]+`", lambda m: "`" + "x" * (len(m.group()) - 2) + "`", written)
        text = re.sub(r"\]\([^)\s]*\)", lambda m: "]" + " " * (len(m.group()) - 1), text)
        begin = 0
        for end in [match.end() for match in SENTENCE_END.finditer(text) if ends(text, match)] + [len(text)]:
            sentence = text[begin:end]
            if sentence.strip():
                first = begin + len(sentence) - len(sentence.lstrip())
                said = written[first:end].split()
                yield numbers[first], sentence.strip(), " ".join(said[:6] + ["..."] * (len(said) > 6))
            begin = end


def ends(text, match):
    before, after = text[: match.start() + 1], text[match.end() :].lstrip()
    if match.group().startswith("..") or ABBREVIATION.search(before):
        return after[:1].isupper() and match.group().startswith("..")
    return True


def words(sentence):
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


def paragraphs(lines):
    """Blocks of Markdown-like lines (number, text): paragraphs and items, without code, tables and headings."""
    block, fence, content = Block(), False, None  # content: column of the text of the item that this line may go on with
    for number, text in lines:
        bare = text.strip()
        indent = len(text) - len(text.lstrip())
        item = LIST_ITEM.match(bare)
        quiet = fence or not bare or bare.startswith(("```", "~~~", "|", "#", "<", "![", "//===")) or re.match(r"\[[^\]]+\]:\s", bare)
        if bare.startswith(("```", "~~~")):
            fence = not fence
        if bare and not item and not fence and content is not None and indent < min(content, 2):
            content = None
            if block.lines:
                yield block
            block = Block()
        # Deeper lines are code or a formula; two spaces within a line align a table.
        deep = not item and indent >= (2 if content is None else content + 4)
        aligned = not item and re.search(r"\S(?<![.:!?])   *\S", bare)
        if quiet or deep or aligned or item:
            if block.lines:
                yield block
            block = Block()
        if quiet or deep or aligned or re.fullmatch(r"[-=*]{3,}", bare):
            continue
        if item:
            content = indent + item.end()
            bare = bare[item.end() :]
        block.add(number, bare)
    if block.lines:
        yield block


def dedent(lines):
    """Removes the common margin of lines (number, text)."""
    margins = [len(text) - len(text.lstrip()) for _, text in lines if text.strip()]
    margin = min(margins, default=0)
    return [(number, text[margin:]) for number, text in lines]


def comment_groups(text, mark):
    """Consecutive lines of comment at one column, as lists of (number, text)."""
    group, column = [], None
    for number, line in enumerate(text.split("\n"), 1):
        found = mark(line)
        alone = found is not None and not line[: found[0]].strip()
        if found is None or not alone or found[0] != column:
            if group:
                yield group
            group = []
        if found is None:
            column = None
            continue
        column = found[0]
        body = re.sub(r"^ ", "", found[1])
        if CHECK.match(body.lstrip()):
            if group:
                yield group
            group = []
            continue
        group.append((number, body))
    if group:
        yield group


def slashed(text, keep=None):
    """Groups of // and /* */ comments of C++, TableGen or MLIR."""
    kept = keep if keep is not None else lint.without_comments(text, keep_strings=True)
    original, code = text.split("\n"), kept.split("\n")
    places = {}
    inside = False
    for i, line in enumerate(original):
        rest = code[i] if i < len(code) else ""
        column = next((j for j, (a, b) in enumerate(zip(line, rest)) if a != b), None)
        if column is None:
            continue
        if inside or line.startswith("/*", column):
            body = line[column:]
            closed = "*/" in body
            if closed and body[body.index("*/") + 2 :].strip() and not inside:
                continue  # an argument's name within code
            body = body.replace("*/", "")
            body = re.sub(r"^/\*+", "  ", body) if not inside else " " * column + body
            inside = not closed
            places[i] = (0 if " " * column == line[:column] else column, re.sub(r"^\s*\* ?", "", body).strip() if body.strip() else "")
        elif line.startswith("//", column):
            places[i] = (column, re.sub(r"^/{2,}!?<?", "", line[column:]))
    numbered = iter(range(len(original)))

    def mark(_):
        return places.get(next(numbered))

    return comment_groups(text, mark)


def mlir(text):
    """Groups of // comments of MLIR, which stand alone or behind a space."""

    def mark(line):
        match = re.search(r"(?:^|\s)(//+)(?=\s|$)", line)
        return (match.start(1), line[match.end(1) :]) if match else None

    return comment_groups(text, mark)


def scripted(text):
    """Groups of the comments of a lit test, which begin a line with # or //."""

    def mark(line):
        match = re.match(r"(?:#+|//+)(?=\s|$)", line)
        return (0, line[match.end() :]) if match else None

    return comment_groups(text, mark)


def hashed(text):
    """Groups of # comments of shell, CMake and TOML."""

    def mark(line):
        match = re.search(r"(?:^|(?<=\s))#(?=\s|$)", line)
        if not match or line[: match.start()].count('"') % 2 or line[: match.start()].count("'") % 2:
            return None
        return match.start(), line[match.end() :]

    return comment_groups(text, mark)


def python(text):
    """Comments and documentation strings of Python."""
    lines = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            lines[token.start[0]] = (token.start[1], token.string[1:])
    numbered = iter(range(1, text.count("\n") + 2))

    def mark(_):
        return lines.get(next(numbered))

    yield from comment_groups(text, mark)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, False) is not None:
            string = node.body[0].value
            said = text.split("\n")[string.lineno - 1 : string.end_lineno]
            said[0] = re.sub(r'^\s*[rR]?("""|\'\'\'|")', "", said[0])
            said[-1] = re.sub(r'("""|\'\'\'|")\s*$', "", said[-1])
            first, rest = [(string.lineno, said[0])], list(enumerate(said[1:], string.lineno + 1))
            yield first + dedent(rest)


def tablegen(text):
    """Descriptions, then other strings that are prose, then comments."""
    rest = text
    for match in re.finditer(r"\blet\s+(?:description|summary)\s*=\s*\[\{(.*?)\}\]", text, re.DOTALL):
        line = lint.line_of(text, match.start(1))
        yield dedent(list(enumerate(match.group(1).split("\n"), line)))
        rest = rest[: match.start(1)] + re.sub(r"[^\n]", " ", match.group(1)) + rest[match.end(1) :]
    bare = lint.without_comments(rest, keep_strings=True)
    for match in re.finditer(r'"(?:[^"\\\n]|\\.)*"(?:\s*#?\s*"(?:[^"\\\n]|\\.)*")*', bare):
        said = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', match.group()))
        if not re.search(r"\$_|::|->|&&|\|\||[;{}]", said) and words(said) > 5:
            yield [(lint.line_of(text, match.start()), said.replace("\\", " "))]
    yield from slashed(rest, bare)


def blocks_of(path, text):
    if path.endswith(".md"):
        yield from paragraphs(list(enumerate(text.split("\n"), 1)))
        return
    if path.endswith(".td"):
        groups = tablegen(text)
    elif path.endswith(".mlir"):
        groups = mlir(text)
    elif path.endswith(".test"):
        groups = scripted(text)
    elif path.endswith(SLASHED):
        groups = slashed(text)
    elif path.endswith(".py"):
        groups = python(text)
    else:
        groups = hashed(text)
    for group in groups:
        yield from paragraphs(group)


def findings_of(path, text):
    markdown = path.endswith(".md")
    for block in blocks_of(path, text):
        if markdown:
            yield from lines_of(block)
        for number, sentence, begin in block.sentences():
            count = words(sentence)
            if count > WORDS:
                yield number, f"a sentence of {count} words: {begin}"
            plain = re.sub(r"^(?:\*\*[^*]+\*\*\s*)?[(\"]?", "", sentence)
            if re.match(r"Of (?!course\b)", plain) or (markdown and TELEGRAM.match(plain)):
                yield number, f"a sentence that begins with its object: {begin}"
            if markdown:
                figures = len(FIGURE.findall(re.sub(r"`[^`]*`", "", sentence)))
                if figures > FIGURES:
                    yield number, f"a sentence of {figures} figures, which are a table: {begin}"


def lines_of(block):
    """Sentences of Markdown that share a line or go over its end. A label in bold type before the sentence is none."""
    seen, begins, first = set(), set(), True
    for number, sentence, begin in block.sentences():
        label = first and re.fullmatch(r"\*\*[^*]+\*\*", sentence)
        first = False
        if label:
            continue
        if number in begins and number not in seen:
            seen.add(number)
            yield number, f"two sentences in a line: {begin}"
        begins.add(number)
    for number, _ in block.lines:
        if number not in begins and number != block.lines[0][0]:
            yield number, "a sentence goes over the end of a line; keep it in one"


def chosen(root, names):
    paths = [path for path in SCRIPTS + ("README.md", "CMakeLists.txt") if os.path.isfile(os.path.join(root, path))]
    docs = os.path.join(root, "docs")
    paths += sorted(f"docs/{name}" for name in (os.listdir(docs) if os.path.isdir(docs) else []) if name.endswith(".md"))
    for path in lint.files(root, ".py", ".md", ".test", *SLASHED, *HASHED):
        # Other .txt files hold text of others; tests of lints hold bad examples.
        is_text = path.endswith(".txt") and os.path.basename(path) != "CMakeLists.txt"
        if not is_text and not path.startswith("test/tools/dev/"):
            paths.append(path)
    if names:
        names = [os.path.relpath(name, root) if os.path.isabs(name) else os.path.normpath(name) for name in names]
        return [path for path in paths if any(path == name or path.startswith(name + "/") or name == "." for name in names)]
    return paths


def main():
    root = lint.root_argument()
    findings, checked = [], 0
    for path in chosen(root, sys.argv[2:]):
        checked += 1
        found = sorted(set(findings_of(path, lint.read(root, path))))
        findings += [f"{path}:{number}: {what}" for number, what in found]
    lint.report(findings, f"{checked} files" if checked else "")


if __name__ == "__main__":
    main()

"""Declarations: one declarator a line where initializers differ, and names of members.

`int rows = 0, columns = 0;` and `int rows, columns;` say the same thing of both names. `int rows = 0, columns = 1;` does not, so each name
gets a line of its own. The head of a `for` is exempt.

A private or protected data member of a class ends in an underscore. A public member does not, which includes every member of a struct.
Protected members of a test's fixture serve its tests and have no underscore either.
"""

import re

import lint

QUALIFIERS = r"(?:(?:const|constexpr|static|inline|mutable|thread_local|unsigned|signed|long|alignas\([^()]*\))\s+)*"
TYPE = QUALIFIERS + r"(?:[A-Za-z_][\w:]*)(?:<[^;{}]*>)?(?:::\w+)?(?:\s+const)?(?:\s*[*&]+\s*|\s+)"
DECLARATION = re.compile(r"(?:(?<=[;{})])|(?<=[^:]:))\s*(" + TYPE + r")(?!(?:override|final)\b)(\w+)\s*(?=[=,{\[;(])")
NO_TYPE = re.compile(
    r"^(?:return|else|case|goto|using|delete|throw|typedef|namespace|new|operator|template|friend|typename|struct|class|enum|union|public|private"
    r"|protected|default|if|while|do|extern|explicit|virtual)\b"
)
DECLARATOR = re.compile(r"^[*&\s]*(\w+)\s*((?:\[[^\]]*\]\s*)*)(=.*|\{.*\}|\(.*\))?$", re.DOTALL)
RECORD = re.compile(r"(?<!enum )\b(class|struct)\s+(?:\[\[\w+\]\]\s*)?(?:alignas\([^()]*\)\s*)?(\w+)?(?:<[^;{}()]*>)?\s*(?:final\s*)?(?::[^:;{}][^;{}]*)?\{")
ACCESS = re.compile(r"\b(public|private|protected)\s*:(?!:)")
CLOSERS = {"(": ")", "[": "]", "{": "}"}


def parts_of(code, start):
    """The declarators from `start` to the semicolon, or None when this is no list of declarators."""
    parts, begin, depth, angle = [], start, 0, 0
    for i in range(start, min(len(code), start + 4000)):
        character = code[i]
        if character in CLOSERS:
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and character == "<" and re.match(r"\w", code[i - 1]):
            angle += 1
        elif depth == 0 and character == ">" and angle and code[i - 1] != "-":
            angle -= 1
        elif depth == 0 and not angle and character == ",":
            parts.append(code[begin:i])
            begin = i + 1
        elif depth == 0 and character == ";":
            return parts + [code[begin:i]]
    return None


def declarators(code, match):
    parts = parts_of(code, match.start(2))
    matches = [DECLARATOR.match(part.strip()) for part in parts or []]
    return matches if matches and all(matches) else []


def without_bodies(code):
    """A record's body with the content of inner braces blanked, which leaves the record's own level."""
    out, depth = [], 0
    for character in code:
        if character == "}":
            depth -= 1
        out.append(character if depth == 0 or character == "\n" else " ")
        if character == "{":
            depth += 1
    return "".join(out)


def records(code):
    """(position of the body, body, access at its start) of each class and struct."""
    for match in RECORD.finditer(code):
        end = lint.block_end(code, match.end() - 1)
        yield match.end(), code[match.end() : end - 1], "public" if match.group(1) == "struct" else "private"


def members(body, access):
    """(position, name, access) of each data member of a record's body."""
    flat = ";" + without_bodies(body)
    labels = [(label.end(), label.group(1)) for label in ACCESS.finditer(flat)]
    for match in DECLARATION.finditer(flat):
        if NO_TYPE.match(match.group(1)) or re.search(r"\b(?:static|constexpr)\b", match.group(1)):
            continue
        if flat[match.end() : match.end() + 1] == "(":
            continue  # a function
        now = access
        for position, label in labels:
            now = label if position <= match.start(2) else now
        for declarator in declarators(flat, match):
            yield match.start(2) - 1, declarator.group(1), now


def main():
    root = lint.root_argument()
    findings, checked = [], 0
    for path in lint.files(root, ".h", ".cpp"):
        text = lint.read(root, path)
        # A preprocessor directive ends with its line. A semicolon separates it from what follows.
        code = re.sub(r"(?m)^[ \t]*#.*?(?<!\\)$", lambda match: " " * (len(match.group()) - 1) + ";", lint.without_comments(text))
        where = lambda position: f"{path}:{lint.line_of(code, position)}"
        for match in DECLARATION.finditer(code):
            if NO_TYPE.match(match.group(1)):
                continue
            found = declarators(code, match)
            if len(found) == 1 and code[match.end() : match.end() + 1] == "(":
                continue  # a function, or a single variable
            checked += len(found)
            if len({(one.group(3) or "").strip() for one in found}) > 1:
                names = ", ".join(one.group(1) for one in found)
                findings.append(f"{where(match.start(2))}: {names}: initializers differ; give each a line")
        for position, body, access in records(code):
            for offset, name, now in members(body, access):
                if now == "protected" and path.startswith("test/"):
                    continue
                if now == "public" and name.endswith("_"):
                    findings.append(f"{where(position + offset)}: public member {name} ends in '_'")
                elif now != "public" and not name.endswith("_"):
                    findings.append(f"{where(position + offset)}: {now} member {name} does not end in '_'")
    lint.report(findings, f"{checked} declarations" if checked else "")


if __name__ == "__main__":
    main()

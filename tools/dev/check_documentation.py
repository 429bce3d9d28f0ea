"""Every op and every pass has a summary, a description and an example; every attribute and type a summary and a description.

The description of an op names each operand, attribute and result in backticks, with its shape, type or unit.
"""

import re

import lint

DEFINITION = re.compile(r"^def[ \t]+(\w+)[ \t\n]*:[ \t\n]*(\w+)[ \t\n]*<", re.MULTILINE)


def kind_of(base):
    if base in ("Pass", "InterfacePass"):
        return "pass"
    if base == "Op" or base.endswith("_Op"):
        return "op"
    if base in ("AttrDef", "TypeDef") or base.endswith(("_Attr", "_Type")):
        return "attribute or type"
    return None


def body_of(code, start):
    """The definition's braces; empty when it ends with a semicolon."""
    depth = 0
    for i in range(start, len(code)):
        if code[i] in "<[(":
            depth += 1
        elif code[i] in ">])":
            depth -= 1
        elif depth <= 0 and code[i] == "{":
            return i, lint.block_end(code, i)
        elif depth <= 0 and code[i] == ";":
            break
    return start, start


def unnamed_values(body):
    """Operands, attributes and results that the description does not name."""
    description = re.search(r"\blet description\s*=\s*\[\{(.*?)\}\]", body, re.DOTALL)
    said = set(re.findall(r"`([^`\n]*)`", description.group(1))) if description else set()
    for field in ("arguments", "results"):
        declared = re.search(rf"\blet {field}\s*=\s*\((.*?)\)\s*;", body, re.DOTALL)
        for name in re.findall(r"(?<=:)\$(\w+)", declared.group(1) if declared else ""):
            if name not in said:
                yield name


def main():
    root = lint.root_argument()
    findings = []
    checked = 0
    for path in lint.files(root, ".td"):
        text = lint.read(root, path)
        code = re.sub(r'"(?:[^"\\\n]|\\.)*"', lambda m: " " * len(m.group()), text)
        for match in DEFINITION.finditer(text):
            kind = kind_of(match.group(2))
            if kind is None:
                continue
            checked += 1
            begin, end = body_of(code, match.end(2))
            body = text[begin:end]
            missing = [field for field in ("summary", "description") if not re.search(rf"\blet {field}\s*=", body)]
            if kind != "attribute or type" and "Example" not in body:
                missing.append("example")
            where = f"{path}:{lint.line_of(text, match.start())}"
            if kind == "op" and "description" not in missing:
                findings += [f"{where}: op {match.group(1)} does not say what `{name}` is" for name in unnamed_values(body)]
            if missing:
                findings.append(f"{where}: {kind} {match.group(1)} has no {', no '.join(missing)}")
    lint.report(findings, f"{checked} definitions" if checked else "")


if __name__ == "__main__":
    main()

"""Code that the lints share: the files of the repository and the form of a finding."""

import os
import sys

# Folders with our own text. Lints ignore a build folder or a foreign checkout beside them.
FOLDERS = ("benchmarks", "cmake", "dialects", "examples", "include", "lib", "passes", "runtime", "test", "tools")


def root_argument():
    """The repository: the first argument, else the folder two above this file."""
    return os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", ".."))


def files(root, *suffixes):
    """Paths relative to root, sorted, of the files whose names end with one of the suffixes."""
    found = []
    for folder in FOLDERS:
        for directory, names, entries in os.walk(os.path.join(root, folder)):
            names[:] = [name for name in names if name != "__pycache__"]
            for entry in entries:
                if entry.endswith(suffixes):
                    found.append(os.path.relpath(os.path.join(directory, entry), root))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def without_comments(text, keep_strings=False):
    """C++ or TableGen with comments blanked, and string literals too unless they are kept. Positions and lines stay."""
    out = list(text)
    i, end = 0, len(text)

    def blank(begin, stop):
        for j in range(begin, min(stop, end)):
            if out[j] != "\n":
                out[j] = " "

    while i < end:
        is_comment = text.startswith(("//", "/*"), i)
        if text.startswith("//", i):
            stop = text.find("\n", i)
            stop = end if stop < 0 else stop
        elif text.startswith("/*", i):
            stop = text.find("*/", i + 2)
            stop = end if stop < 0 else stop + 2
        elif text[i] == '"' and text[i - 1 : i] == "R" and "(" in text[i : i + 18]:
            delimiter = text[i + 1 : text.index("(", i)]
            stop = text.find(")" + delimiter + '"', i)
            stop = end if stop < 0 else stop + len(delimiter) + 2
        elif text[i] == '"' or (text[i] == "'" and not text[i - 1 : i].isalnum()):
            stop = i + 1
            while stop < end and text[stop] != text[i] and text[stop] != "\n":
                stop += 2 if text[stop] == "\\" else 1
            stop += 1
        else:
            i += 1
            continue
        if is_comment or not keep_strings:
            blank(i, stop)
        i = stop
    return "".join(out)


def block_end(text, opening):
    """Position after the brace that closes the one at `opening`."""
    depth = 0
    for i in range(opening, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


def report(findings, checked):
    """Prints the findings and exits. The status is 1 when there is a finding, or when nothing was checked, which means that the lint is
    broken."""
    for finding in findings:
        print(finding)
    if not checked:
        print("nothing to check: is the folder right?")
    print(f"{len(findings)} findings in {checked}")
    sys.exit(1 if findings or not checked else 0)

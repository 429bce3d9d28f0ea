#!/usr/bin/env python3
"""Writes the pages of the manual that the tools themselves print.

    manual_page.py command-line OUT NIBBLE NIBBLE_RUN NIBBLE_TRAIN     --help of every command
    manual_page.py configuration OUT NIBBLE               every key, as `nibble config` prints them

Fails when a command or an option has no description, or a key has no meaning.
"""

import os
import re
import subprocess
import sys


def said(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout.strip("\n")


def section(title, help_text):
    lines = help_text.splitlines()
    for line, below in zip(lines, lines[1:] + [""]):
        # The line is "  --name TYPE      description", or the description comes alone on the next line. CLI11 leaves one space when the
        # name fills its column.
        described = re.match(r"  \S.*\S {2,}\S", line) or re.match(r"  \S.* Excludes:( --[-\w]+)+ \w", line)
        if re.match(r"  [-\w]", line) and not re.match(r" {10}", below) and not described:
            sys.exit(f"{title}: has no description: {line.strip()}")
    return f"## {title}\n\n{lines[0]}\n\n```\n" + "\n".join(lines[1:]).strip("\n") + "\n```\n"


def command_line(nibble, run, train):
    overview = said(nibble, "--help")
    commands = re.findall(r"^  (\w+) {2,}\S", overview.split("Subcommands:")[1], re.MULTILINE)
    page = "# Command line\n\n" + """Exit codes: 0 ok, 1 failed, 2 usage, 3 bad input, 4 environment (cannot write, disk full, no memory), 130 interrupted and saved. An error is
one line on standard error that says what, where, why and how to mend it. `nibble-opt` takes the flags of the [passes](passes/) and those of MLIR's
own `mlir-opt`; `nibble-run-mlir` is what `nibble-run` hands a module in text over to; `nibble-train` takes the subcommands `sft` and `rl` of
`nibble`; `nibble-lsp-server` and `nibble-reduce` are MLIR's tools with Nibble's dialects.
"""
    page += "\n" + section("nibble", overview)
    for command in commands:
        page += "\n" + section(f"nibble {command}", said(nibble, command, "--help"))
    return page + "\n" + section("nibble-run", said(run, "--help")) + "\n" + section("nibble-train", said(train, "--help")), f"{len(commands)} commands"


def configuration(nibble):
    text = said(nibble, "config")
    keys, meaning = 0, ""
    for line in text.splitlines():
        if line.startswith("#"):
            meaning = line
        elif " = " in line:
            keys += 1
            if not re.match(r"# \S.* \(.+\)$", meaning):
                sys.exit(f"key without meaning and range: {line}")
            meaning = ""
    page = "# Configuration\n\n" + """What `nibble sft` and `nibble rl` read: one TOML file, in which every key may be left out. Here each has its default, below its meaning and its
range or choices in brackets. `nibble config` prints this, `nibble config FILE` the values of a file; `--set section.key=value` on the command line
comes over the file. An unknown key is an error that names its line.
"""
    return page + f"\n```toml\n{text}\n```\n", f"{keys} keys"


kind, out, *tools = sys.argv[1:]
page, what = {"command-line": command_line, "configuration": configuration}[kind](*tools)
with open(out, "w") as file:
    file.write(page)
print(f"{os.path.basename(out)}: {what}")

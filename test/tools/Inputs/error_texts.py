"""Checks an error line of a tool: it names the subject, and ends with what to do (test/error_texts.txt)."""

import os
import re

with open(os.path.join(os.path.dirname(__file__), "..", "..", "error_texts.txt"), encoding="utf-8") as file:
    words, phrases = ([line for line in part.split("\n") if line and not line.startswith("#")] for part in file.read().split("\n\n"))


def problems_of(line):
    """Checks one line of text, without the tool's name before it."""
    clauses = line.split("; ")
    # A note on what was saved may follow what to do.
    end = "; " + "; ".join(clauses[max(1, len(clauses) - 2) :]) if len(clauses) > 1 else ": " + line.rpartition(": ")[2] if ": " in line else ""
    problems = []
    if not re.search(r"['\"`/0-9]|: ", line):
        problems.append("names nothing")
    if not any(phrase in line for phrase in phrases) and not any(
        word in words for word in re.findall(r"(?:; |: |, (?:or |and )?)([^ ,;:]*)", end)
    ):
        problems.append("does not say what to do")
    return problems

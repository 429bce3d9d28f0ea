#!/usr/bin/env python3
"""Prints the tests that took longest in the last run of `./dev test`.

    slowest_tests.py BUILD [COUNT]

Reads the times that lit and the GoogleTest programs leave below BUILD/test.
"""

import glob
import json
import os
import sys


def lit_times(folder):
    """Pairs of seconds and name, from lit's own record."""
    path = os.path.join(folder, ".lit_test_times.txt")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        for line in file:
            seconds, _, name = line.strip().partition(" ")
            yield float(seconds), name


def unit_times(folder):
    """Pairs of seconds and name, from GoogleTest's reports."""
    for path in glob.glob(os.path.join(folder, "times", "*.json")):
        program = os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        for suite in report["testsuites"]:
            for test in suite["testsuite"]:
                yield float(test["time"].rstrip("s")), f"{program} {suite['name']}.{test['name']}"


def main():
    folder = os.path.join(sys.argv[1], "test")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    times = sorted([*lit_times(folder), *unit_times(folder)], reverse=True)
    print(f"The slowest of {len(times)} tests:")
    for seconds, name in times[:count]:
        print(f"{seconds:8.1f} s  {name}")


if __name__ == "__main__":
    main()

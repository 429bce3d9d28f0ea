#!/usr/bin/env python3
"""Checks the output of `nibble compile --kernel-report` on a machine with ptxas.

    kernel_report.py REPORT     every kernel has registers and no spills, and ptxas warned of nothing; prints how many there are

Reports the first line of C7510 to C7519 ("wgmma serialized") and of any other warning of ptxas.
"""

import sys

with open(sys.argv[1]) as file:
    lines = file.read().splitlines()
head = next((i for i, line in enumerate(lines) if line.split()[:4] == ["threads", "shared", "registers", "spills"]), None)
if head is None:
    sys.exit(f"{sys.argv[1]}: has no table of kernels")
if not lines[head - 1].endswith("registers and spills by ptxas"):
    sys.exit(f"{sys.argv[1]}: was made without ptxas: {lines[head - 1]}")
kernels, wrong = 0, []
for line in lines[head + 1:]:
    words = line.split()
    if line.startswith("compiled in"):
        continue
    if len(words) < 9 or not all(word.isdigit() for word in words[:5]):
        wrong.append(line)  # a warning, or an unknown number
        continue
    kernels += 1
    if int(words[2]) == 0 or int(words[3]) != 0:
        wrong.append(line)
if kernels == 0:
    sys.exit(f"{sys.argv[1]}: lists no kernel")
if wrong:
    sys.exit(f"{len(wrong)} lines are not those of a kernel without spills, the first: {wrong[0]}")
print(f"{kernels} kernels, no spills, no warnings")

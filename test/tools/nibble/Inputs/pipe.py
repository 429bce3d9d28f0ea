#!/usr/bin/env python3
"""Runs a command whose output file is a pipe, and keeps what passes through.

    pipe.py PIPE COPY COMMAND...

Creates the pipe and copies to COPY what the command writes into it. The exit code is the command's. It is an error when the pipe is no
longer a pipe, or when a temporary file stands beside it.
"""

import os
import stat
import subprocess
import sys
import time

pipe, copy, command = sys.argv[1], sys.argv[2], sys.argv[3:]
if os.path.lexists(pipe):
    os.remove(pipe)
os.mkfifo(pipe)
# Open without blocking, because a command that never opens the pipe must not hang this one.
reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
process = subprocess.Popen(command)
content = b""
while True:
    ended = process.poll() is not None
    try:
        piece = os.read(reader, 1 << 20)
    except BlockingIOError:
        piece = b""
    content += piece
    if not piece and ended:
        break
    if not piece:
        time.sleep(0.01)
with open(copy, "wb") as file:
    file.write(content)
if not stat.S_ISFIFO(os.lstat(pipe).st_mode):
    sys.exit(f"{pipe} is no pipe any more")
folder, name = os.path.split(os.path.abspath(pipe))
left = [entry for entry in os.listdir(folder) if entry.startswith(name + ".")]
if left:
    sys.exit(f"left {left}")
sys.exit(process.returncode)

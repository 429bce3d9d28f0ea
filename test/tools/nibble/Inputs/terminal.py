#!/usr/bin/env python3
"""Runs a training command as on a terminal of 100 columns, and checks its line of progress.

    terminal.py COMMAND...

The line is redrawn in place, is never longer than the terminal, and shows the remaining time. The final messages begin on a line of their
own. Prints how often the line was drawn, the first and the last one.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
text = b""
while True:
    try:
        # Linux returns EIO when the other side is closed.
        read = os.read(terminal, 65536)
    except OSError:
        break
    if not read:
        break
    text += read
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if code != 0:
    sys.exit(f"exit code {code}: {text.decode()}")
drawn = re.findall(r"\r\x1b\[K([^\r\n]*)", text.decode())
last = text.decode().split("\r\x1b[K")[-1]
print(f"drawn {len(drawn)} times: {drawn[0] if drawn else ''} | {drawn[-1] if drawn else ''}")
if len(drawn) < 2 or not re.match(r"rl  1/4  25%  reward .* left ", drawn[0]) or not re.match(r"rl  4/4  100%  ", drawn[-1]):
    sys.exit(f"not redrawn as it should be: {text!r}")
if not re.match(r"rl  4/4[^\n]*\r\n\S+/model: the trained weights\r\n", last):
    sys.exit(f"the end does not begin on a line of its own: {last!r}")
if max(map(len, drawn)) > 99:
    sys.exit(f"longer than the terminal: {max(drawn, key=len)}")

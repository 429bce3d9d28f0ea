#!/usr/bin/env python3
"""Runs a command while this process holds the lock of a run's folder, as a second run would find it.

    busy_folder.py RUN COMMAND...       {me} in COMMAND becomes this process's id
"""

import fcntl
import os
import subprocess
import sys

run, command = sys.argv[1], sys.argv[2:]
os.makedirs(run, exist_ok=True)
with open(os.path.join(run, "lock"), "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(str(os.getpid()))
    lock.flush()
    sys.exit(subprocess.run([word.replace("{me}", str(os.getpid())) for word in command]).returncode)

#!/usr/bin/env python3
"""Puts something else under the names of the entries of a program cache.

    cache_entries.py swap CACHE           each entry gets the content of the next
    cache_entries.py link CACHE TARGET    each entry becomes a symbolic link to TARGET
    cache_entries.py pipe CACHE           each entry becomes a named pipe
"""

import os
import sys

how, cache = sys.argv[1:3]
paths = sorted(os.path.join(cache, name) for name in os.listdir(cache))
if not paths:
    sys.exit(f"{cache} is empty")
if how == "swap":
    contents = [open(path, "rb").read() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1]):
        with open(path, "wb") as file:
            file.write(content)
else:
    for path in paths:
        os.remove(path)
        os.symlink(sys.argv[3], path) if how == "link" else os.mkfifo(path)

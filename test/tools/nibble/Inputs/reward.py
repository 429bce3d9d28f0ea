#!/usr/bin/env python3
"""A reward for models that know nothing: a number in 0 .. 1 that depends on every byte of the response."""

import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    score = sum((i + 1) * byte for i, byte in enumerate(request["response"].encode())) % 17 / 16
    print(json.dumps({"id": request["id"], "reward": score}), flush=True)

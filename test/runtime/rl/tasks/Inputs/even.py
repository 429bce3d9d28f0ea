"""A reward program that returns 1 for a response with an even number of characters. It does not answer prompts that begin with 7."""
import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    if request["prompt"].startswith("7"):
        sys.exit(1)
    print(json.dumps({"id": request["id"], "reward": 1 - len(request["response"]) % 2}), flush=True)

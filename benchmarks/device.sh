#!/bin/sh
# On a machine with an H200: runs the conformance suite, the kernels' recorded tests and the demonstration's loop, and times the kernels. It
# takes at most ten minutes.
#
#     benchmarks/device.sh KIT OUT      KIT: the folder made by device_kit.sh; OUT: folder for logs and results.json
kit=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
export LD_LIBRARY_PATH="$kit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export NIBBLE_TEST_DATA="$kit/data"
status=0

say() { echo "== $*"; }

say conformance
timeout 60 "$kit/bin/RuntimeConformanceTests" --gtest_filter='*cuda*' > "$out/conformance.log" 2>&1 || status=1
grep -E '^\[  (PASSED|FAILED|SKIPPED)|tests ran|Failure' "$out/conformance.log" | head -20

say recorded tests
timeout 120 "$kit/bin/nibble-replay" cuda "$kit"/cases/*/ > "$out/replay.log" 2>&1 || status=1
grep -v '^ok' "$out/replay.log" | head -40

if [ -d "$kit/demo/model" ]; then
  say loop
  cd "$kit/demo" && timeout 120 "$kit/bin/nibble-train" --training train.nbl --rollout rollout.nbl rl int4.toml --model model --out "$out/loop" --target cuda \
    --set rl.steps=20 > "$out/loop.log" 2>&1 || { status=1; tail -3 "$out/loop.log"; }
  tail -1 "$out/loop/metrics.jsonl" 2> /dev/null | cut -c1-300
  grep -o '"train_rollout_logprob_mismatches":[0-9]*' "$out/loop/metrics.jsonl" | sort | uniq -c
  grep -o '"train_rollout_logprob_tokens":[0-9]*' "$out/loop/metrics.jsonl" | cut -d: -f2 | awk "{ sum += \$1 } END { print sum, \"tokens compared\" }"
  tail -2 "$out/loop/timings.jsonl" | cut -c1-300
  cp "$out/loop/metrics.jsonl" "$out/loop_metrics.jsonl"
  rm -rf "$out/loop"
fi

say kernels
timeout 290 python3 "$root/benchmarks/device_times.py" "$kit" "$out/results.json" 2> "$out/times.err" || { status=1; tail -5 "$out/times.err"; }
exit $status

#!/bin/sh
# On a machine with an H200: runs racecheck, memcheck, synccheck and initcheck of compute-sanitizer over recorded tests that cover every
# kernel. Prints a line for each tool, then its findings and their places. It takes at most nine minutes. The exit status is 1 when anything
# was found or did not end.
#
#     benchmarks/device_sanitize.sh KIT OUT      KIT: made by device_kit.sh with sanitize or cases; OUT: folder for logs
#
# Environment variables: COMPUTE_SANITIZER is the program (by default found in PATH or below the toolkit). NIBBLE_SANITIZE_TARGET is the
# target (cuda). JOBS is the number of parallel processes (16).
set -u
[ $# -eq 2 ] || { echo "usage: device_sanitize.sh KIT OUT" >&2; exit 2; }
kit=$(cd "$1" && pwd) || exit 3
mkdir -p "$2"
out=$(cd "$2" && pwd)
[ -s "$kit/sanitize.txt" ] || { echo "device_sanitize: $kit/sanitize.txt lists no cases; device_kit.sh --only sanitize makes it" >&2; exit 3; }
sanitizer=${COMPUTE_SANITIZER:-$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin command -v compute-sanitizer)}
[ -n "$sanitizer" ] || { echo "device_sanitize: no compute-sanitizer in PATH or ${CUDA_HOME:-/usr/local/cuda}/bin" >&2; exit 4; }
export sanitizer kit out
export target="${NIBBLE_SANITIZE_TARGET:-cuda}"
export LD_LIBRARY_PATH="$kit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export NIBBLE_CACHE_DIR="$out/kernels"
tools="racecheck memcheck synccheck initcheck"
jobs=${JOBS:-16}
rm -f "$out"/*.log "$out"/*.batch

# Each tool gets an equal number of processes, which share its cases. Most of a process's time is its start.
batches=$(((jobs + 3) / 4))
for tool in $tools; do
  awk -v n="$batches" -v name="$out/$tool" -v kit="$kit" '{ print kit "/cases/" $0 > (name "-" NR % n ".batch") }' "$kit/sanitize.txt"
done
ls "$out"/*.batch | xargs -P "$jobs" -I BATCH sh -c '
  batch=BATCH; tool=$(basename "${batch%-*}")
  case $tool in racecheck) more="--racecheck-report all" ;; *) more= ;; esac
  timeout 500 "$sanitizer" --tool "$tool" $more --print-limit 20 "$kit/bin/nibble-replay" "$target" $(cat "$batch") > "${batch%.batch}.log" 2>&1
  echo "exit $?" >> "${batch%.batch}.log"'

status=0
for tool in $tools; do
  # A run that did not end has no summary. The reports of a case come before its own line.
  cat "$out/$tool"-*.log | awk -v tool="$tool" -v wanted="$(wc -l < "$kit/sanitize.txt")" -v batches="$(ls "$out/$tool"-*.batch | wc -l)" '
    /^(ok  |FAIL) / { ++cases; if (/^FAIL/) { ++failed; print "  " $0 } if (said != "") print "  in " $0 ":" said; said = "" }
    /^=========.*(SUMMARY)/ { ++summaries; if (match($0, /SUMMARY: [0-9]+/)) errors += substr($0, RSTART + 9, RLENGTH - 9); next }
    /^========= / && !/COMPUTE-SANITIZER/ && lines[tool] < 200 { if (!/^=========  /) { ++lines[tool]; said = said "\n    " $0 } }
    END { if (said != "") print "  in the last case:" said
      if (summaries < batches) print "  " batches - summaries " of " batches " runs have no summary"
      printf "%s: %d of %d cases, %d errors, %d wrong results\n", tool, cases, wanted, errors, failed
      exit cases != wanted || errors + failed > 0 || summaries < batches }' > "$out/$tool.txt" || status=1
  tail -1 "$out/$tool.txt"
done
for tool in $tools; do [ "$(wc -l < "$out/$tool.txt")" -eq 1 ] || { echo "== $tool"; sed '$d' "$out/$tool.txt" | head -40; }; done

# Show what racecheck can judge: 0 and 1 are in order by the ISA, 2 is a race (benchmarks/racecheck_limits.cu).
limits=$(cd "$(dirname "$0")" && pwd)/racecheck_limits.cu
if nvcc=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin command -v nvcc) && [ "$target" = cuda ] &&
  "$nvcc" -arch=sm_90a -o "$out/racecheck_limits" "$limits" > "$out/racecheck_limits.log" 2>&1; then
  echo "== racecheck_limits"
  for release in 0 1 2; do
    "$sanitizer" --tool racecheck --racecheck-report all "$out/racecheck_limits" $release 2>&1 | sed -n "s/^=* RACECHECK/  $release: RACECHECK/p"
  done
fi
exit $status

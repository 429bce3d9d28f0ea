#!/bin/sh
# Collects in one folder everything that a machine with a GPU and without a compiler needs. These are programs and the libraries that they
# link, the conformance suite with its inputs, recorded tests, compiled kernels to time, and the demonstration's checkpoint and programs.
# The folder may be moved: benchmarks/device.sh and benchmarks/device_sanitize.sh find everything in it.
#
#     benchmarks/device_kit.sh BUILD OUT [--only PART,...]
#
# BUILD is a complete build folder (build/release). PART is conformance, cases, sanitize (a selection of cases that covers all kernels),
# bench or demo. Without --only the kit has all parts except sanitize.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
usage="usage: device_kit.sh BUILD OUT [--only conformance,cases,sanitize,bench,demo]"
[ $# -eq 2 ] || { [ $# -eq 4 ] && [ "$3" = --only ]; } || { echo "$usage" >&2; exit 2; }
parts=,${4:-conformance,cases,bench,demo},
for part in $(echo "$parts" | tr , ' '); do
  case $part in conformance | cases | sanitize | bench | demo) ;; *) echo "device_kit: no part '$part'; $usage" >&2; exit 2 ;; esac
done
has() { case $parts in *,"$1",*) ;; *) return 1 ;; esac; }

build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
rm -rf "$out/bin" "$out/lib" "$out/data" "$out/cases" "$out/bench" "$out/demo"
mkdir -p "$out/bin" "$out/lib"

if has conformance; then
  cp "$build/test/bin/RuntimeConformanceTests" "$out/bin"
  mkdir -p "$out/data/runtime/cts"
  cp "$root/test/error_texts.txt" "$out/data"
  cp -r "$root/test/runtime/cts/kernels.ptx" "$root/test/runtime/cts/Inputs" "$out/data/runtime/cts"
fi
if has cases || has sanitize; then cp "$build/test/bin/nibble-replay" "$out/bin"; fi
if has bench; then cp "$build/bin/nibble-run" "$out/bin"; fi
if has demo; then cp "$build/bin/nibble-train" "$out/bin"; fi
strip "$out"/bin/*
# Leave out the C library, since the machine has one that is as new or newer.
for binary in "$out"/bin/*; do
  ldd "$binary" | awk '$2 == "=>" { print $3 }'
done | sort -u | grep -vE '/(libc|libm|libdl|libpthread|ld-linux[^/]*)\.so' | while read -r library; do cp -L "$library" "$out/lib"; done

if has cases || has sanitize; then
  NIBBLE_TEST_PTXAS=0 NIBBLE_RECORD="$out/cases" "$build/test/bin/LowerToHopperTests" > "$out/cases.log" || { tail -5 "$out/cases.log" >&2; exit 1; }
  python3 "$root/benchmarks/device_cover.py" "$out/cases" > "$out/sanitize.txt"
  if ! has cases; then
    for case in "$out"/cases/*; do grep -qx "$(basename "$case")" "$out/sanitize.txt" || rm -r "$case"; done
  fi
fi

if has bench; then
  mkdir -p "$out/bench"
  python3 "$root/benchmarks/device_cases.py" "$out/bench"
  for module in "$out"/bench/*.mlir; do
    "$build/bin/nibble" compile "$module" --program none --target cuda -o "${module%.mlir}.nbl" --kernel-report > "${module%.mlir}.report"
  done
  # Only the shape of a model is needed here. Its weights are made where they are used.
  for model in qwen3-0.6b qwen3-8b-4-layers; do
    rm -rf "$out/shape"
    python3 "$root/benchmarks/device_models.py" "$model" "$out/shape"
    "$build/bin/nibble" compile "$out/shape" --program rollout --group-size 128 --target cuda -o "$out/bench/decode-$model.nbl" > /dev/null
  done
  rm -rf "$out/shape"
fi

if has demo && [ -f "$root/out/addition/warm/model/config.json" ]; then
  mkdir -p "$out/demo"
  cp -r "$root/out/addition/warm/model" "$out/demo/model"
  cp "$root/examples/addition/int4.toml" "$out/demo"
  "$build/bin/nibble" compile "$out/demo/model" --config "$out/demo/int4.toml" --program train --target cuda -o "$out/demo/train.nbl" > /dev/null
  "$build/bin/nibble" compile "$out/demo/model" --config "$out/demo/int4.toml" --program rollout --target cuda -o "$out/demo/rollout.nbl" > /dev/null
elif has demo; then
  echo "device_kit: no out/addition/warm/model (./dev demo makes it): the demonstration's loop is left out" >&2
fi
du -sh "$out" | cut -f1

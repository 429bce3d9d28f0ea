#!/bin/sh
# Everything that benchmarks/device.sh needs on a machine with a GPU and without a compiler, in one folder: programs and the
# libraries that they link, recorded tests, compiled kernels to time, the demonstration's checkpoint and programs.
#
#     benchmarks/device_kit.sh BUILD OUT      BUILD: a build folder with everything in it (build/release)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
rm -rf "$out/bin" "$out/lib" "$out/cases" "$out/bench" "$out/demo"
mkdir -p "$out/bin" "$out/lib" "$out/cases" "$out/bench" "$out/demo"

cp "$build/bin/nibble-run" "$build/bin/nibble-train" "$build/test/bin/nibble-replay" "$build/test/bin/RuntimeConformanceTests" "$out/bin"
strip "$out"/bin/*
# Not the C library: the machine has one that is as new or newer.
for binary in "$out"/bin/*; do
  ldd "$binary" | awk '$2 == "=>" { print $3 }'
done | sort -u | grep -vE '/(libc|libm|libdl|libpthread|ld-linux[^/]*)\.so' | while read -r library; do cp -L "$library" "$out/lib"; done

NIBBLE_RECORD="$out/cases" "$build/test/bin/LowerToHopperTests" > "$out/cases.log" || { tail -5 "$out/cases.log" >&2; exit 1; }

python3 "$root/benchmarks/device_cases.py" "$out/bench"
for module in "$out"/bench/*.mlir; do
  "$build/bin/nibble" compile "$module" --program none --target cuda -o "${module%.mlir}.nbl" --kernel-report > "${module%.mlir}.report"
done
# Of a model its shape alone is needed; the weights are made where they are used.
for model in qwen3-0.6b qwen3-8b-4-layers; do
  rm -rf "$out/shape"
  python3 "$root/benchmarks/device_models.py" "$model" "$out/shape"
  "$build/bin/nibble" compile "$out/shape" --program rollout --group-size 128 --target cuda -o "$out/bench/decode-$model.nbl" > /dev/null
done
rm -rf "$out/shape"

if [ -f "$root/out/addition/warm/model/config.json" ]; then
  cp -r "$root/out/addition/warm/model" "$out/demo/model"
  cp "$root/examples/addition/int4.toml" "$out/demo"
  "$build/bin/nibble" compile "$out/demo/model" --config "$out/demo/int4.toml" --program train --target cuda -o "$out/demo/train.nbl" > /dev/null
  "$build/bin/nibble" compile "$out/demo/model" --config "$out/demo/int4.toml" --program rollout --target cuda -o "$out/demo/rollout.nbl" > /dev/null
else
  echo "device_kit: no out/addition/warm/model (./dev demo makes it): the demonstration's loop is left out" >&2
fi
du -sh "$out" | cut -f1

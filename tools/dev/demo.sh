#!/usr/bin/env bash
# The demonstration: a small model with random weights learns to add, in INT4 all the way. It learns first a little from answers, then from
# rewards. Prints the rising held-out reward, and the mismatch between training and rollout, which stays 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  cat <<TXT
usage: ./dev demo [--seed N] [--out FOLDER] [--threads N]
  --seed     of weights, problems and samples (default 1)
  --out      folder of the demonstration (default out/addition, whose warm/model the examples begin with; out/addition-N of
             another seed); what an earlier one left there is replaced
  --threads  default: one for each core
TXT
}

seed=1 out="" threads=()
while [ $# -gt 0 ]; do
  case "$1" in
  --seed | --out | --threads)
    [ $# -ge 2 ] || { echo "demo: $1 needs a value" >&2; exit 2; }
    case "$1" in --seed) seed=$2 ;; --out) out=$2 ;; --threads) threads=(--threads "$2") ;; esac
    shift 2
    ;;
  -h | --help) usage; exit ;;
  *) echo "demo: there is no option '$1'; see ./dev demo --help" >&2; exit 2 ;;
  esac
done
[[ $seed =~ ^[0-9]+$ ]] || { echo "demo: --seed is '$seed': give a whole number" >&2; exit 2; }
if [ -z "$out" ]; then
  out=out/addition
  [ "$seed" = 1 ] || out=out/addition-$seed
fi
nibble=${NIBBLE:-build/release/bin/nibble}
examples=examples/addition

rm -rf "$out/start" "$out/warm" "$out/int4"
mkdir -p "$out"
SECONDS=0
echo "== 1. a qwen3 model of random weights"
"$nibble" create --config $examples/model --deviation 0.06 --seed "$seed" --out "$out/start"
echo "== 2. supervised warm-up, until it is right sometimes"
"$nibble" sft $examples/sft.toml --model "$out/start" --seed "$seed" --out "$out/warm" "${threads[@]}"
echo "== 3. reinforcement learning: GRPO, INT4 in training and in rollout"
"$nibble" rl $examples/int4.toml --model "$out/warm/model" --seed "$seed" --out "$out/int4" "${threads[@]}"
echo "== 4. what was measured ($SECONDS s in all)"
python3 tools/dev/demo_chart.py "$out/int4"

"""Times of the packed linears on a device, beside the floor of docs/speed.md and what PyTorch takes for the same product.

    device_times.py KIT RESULTS.json

Every time is the median of replays of a recorded graph that walks over several weights.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import torch

COPY = 4.3e12  # bytes/s, read plus written, and
MATRIX = 790e12  # operations/s, measured on an H200 on random data
TOKENS = [1, 16, 64, 256, 2048]
GROUP = 128


def safetensors(path, name, tensor):
    data = tensor.contiguous().view(torch.uint8).cpu().numpy().tobytes()
    header = json.dumps({name: {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + data)


def floor(m, n, k):
    memory = (n * k * (0.5 + 2 / GROUP) + 2 * m * k + 2 * m * n) / COPY
    return max(memory, 2 * m * n * k / MATRIX)


def timed(call, repeats=5):
    graph = torch.cuda.CUDAGraph()
    call()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        call()
    seconds = []
    for _ in range(repeats + 1):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3)
    return sorted(seconds[1:])[repeats // 2]


def peer(m, n, k, copies):
    x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
    weights = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]

    def products():
        for _ in range(4):
            for w in weights:
                torch.nn.functional.linear(x, w)

    return timed(products) / (4 * copies)


def ours(kit, bundle, m, n, k, copies):
    with tempfile.TemporaryDirectory() as folder:
        safetensors(folder + "/x.safetensors", "x", torch.randn(m, k, device="cuda", dtype=torch.bfloat16))
        out = subprocess.run(
            [kit + "/bin/nibble-run", bundle, "--entry", "f", "--target", "cuda", "--random", "1", "--inputs", folder + "/x.safetensors",
             "--profile", "20", "--out", folder + "/y.safetensors"], capture_output=True, text=True, check=False)
    if out.returncode:
        raise RuntimeError(f"{bundle}: {out.stderr}")
    return float(re.search(r"([0-9.]+) us a call", out.stderr).group(1)) * 1e-6 / copies, out.stderr


def main():
    kit, results = sys.argv[1], sys.argv[2]
    rows = []
    print(torch.cuda.get_device_name(), flush=True)
    print(f"{'case':<24}{'us':>9}{'floor':>9}{'of it':>7}{'cuBLAS bf16':>13}  TFLOP/s", flush=True)
    for file in sorted(os.listdir(kit + "/bench")):
        match = re.fullmatch(r"linear_(\d+)x(\d+)_(\d+)\.nbl", file)
        if not match:
            continue
        n, k, copies = map(int, match.groups())
        for m in TOKENS:
            seconds, log = ours(kit, f"{kit}/bench/{file}", m, n, k, copies)
            row = {"case": f"int4 {m}x{n}x{k}", "seconds": seconds, "floor": floor(m, n, k), "peer": peer(m, n, k, copies)}
            rows.append(row)
            print(f"{row['case']:<24}{1e6 * seconds:>9.1f}{1e6 * row['floor']:>9.1f}{row['floor'] / seconds:>7.2f}{1e6 * row['peer']:>13.1f}"
                  f"{2e-12 * m * n * k / seconds:>9.0f}", flush=True)
            with open(results, "w", encoding="utf-8") as out:
                json.dump({"device": torch.cuda.get_device_name(), "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()

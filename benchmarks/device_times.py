"""Times of kernels on a device, beside the floor of docs/speed.md and what PyTorch takes for the same.

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
TOKENS = [1, 16, 64, 256, 2048, 8192]
GROUP = 128


DTYPES = {torch.bfloat16: "BF16", torch.uint8: "U8", torch.int32: "I32"}


def safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.contiguous().view(torch.uint8).cpu().numpy().tobytes()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        blobs.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for blob in blobs:
            file.write(blob)


def timed(call, repeats=5):
    """Seconds of one replay of the recorded call: the median."""
    call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
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


class Runner:
    """Calls of nibble-run --profile: seconds of a call, a recorded graph replayed."""

    def __init__(self, kit, folder):
        self.kit, self.folder = kit, folder

    def seconds(self, bundle, inputs, repeats):
        files = []
        for i, tensors in enumerate(inputs):
            path = tensors if isinstance(tensors, str) else f"{self.folder}/in{i}.safetensors"
            if not isinstance(tensors, str):
                safetensors(path, tensors)
            files += ["--inputs", path]
        out = subprocess.run(
            [self.kit + "/bin/nibble-run", f"{self.kit}/bench/{bundle}", "--entry", "f", "--target", "cuda", "--profile", str(repeats),
             "--out", f"{self.folder}/out.safetensors"] + files, capture_output=True, text=True, check=False)
        if out.returncode:
            raise RuntimeError(f"{bundle}: {out.stderr}")
        return float(re.search(r"([0-9.]+) us a call", out.stderr).group(1)) * 1e-6


def packed(n, k, copies):
    """Any codes from 1 to 15, scales between 2^-8 and 2^-7."""
    codes = torch.randint(0, 15, (copies, n * k // 2, 2), device="cuda", dtype=torch.uint8)
    codes = (codes[..., 0] + 1) + 16 * (codes[..., 1] + 1)
    scales = torch.randint(0, 128, (copies, n * k // GROUP), device="cuda", dtype=torch.int32)
    scales = (scales + 0x3B80).to(torch.int16).view(torch.uint8).reshape(copies, -1)
    return {f"w{i}": torch.cat([codes[i], scales[i]]) for i in range(copies)}


def linear_rows(runner, bundle, n, k, copies):
    weights = runner.folder + "/weights.safetensors"
    safetensors(weights, packed(n, k, copies))
    dense = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
    for m in TOKENS:
        x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
        seconds = runner.seconds(bundle, [{"x": x}, weights], 20 if m < 1000 else 4) / copies
        memory = (n * k * (0.5 + 2 / GROUP) + 2 * m * k + 2 * m * n) / COPY
        peer = timed(lambda: [torch.nn.functional.linear(x, w) for w in dense]) / copies
        yield {"case": f"int4 linear {m}x{n}x{k}", "seconds": seconds, "floor": max(memory, 2 * m * n * k / MATRIX), "peer": peer,
               "peer_name": "cuBLAS bf16", "operations": 2 * m * n * k}


def int4_peer(n, k):
    """torch's own INT4 weight kernel, when this build has it."""
    rows = []
    try:
        w = torch.randint(0, 255, (n, k // 2), device="cuda", dtype=torch.uint8)
        weight = torch.ops.aten._convert_weight_to_int4pack(w, 8)
        scales = torch.randn(k // GROUP, n, 2, device="cuda", dtype=torch.bfloat16)
        for m in (1, 16, 64):
            x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
            rows.append((m, timed(lambda: [torch.ops.aten._weight_int4pack_mm(x, weight, GROUP, scales) for _ in range(8)]) / 8))
    except (RuntimeError, AttributeError) as error:
        print(f"torch's _weight_int4pack_mm: {str(error).splitlines()[0]}", flush=True)
    return rows


def quantize_rows(runner, bundle, n, k, copies):
    weights = {f"w{i}": torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for i in range(copies)}
    states = {f"p{i}": torch.zeros(n * k // 2 + 2 * n * k // GROUP, device="cuda", dtype=torch.uint8) for i in range(copies)}
    seconds = runner.seconds(bundle, [weights, states], 20) / copies
    yield {"case": f"quantize {n}x{k}", "seconds": seconds, "floor": n * k * (2.5 + 2 / GROUP) / COPY, "peer": None, "peer_name": "",
           "operations": 0}


def attention_rows(runner, bundle, heads, kv_heads, head):
    for length, count in ((4096, 4), (16384, 1)):
        tokens = length * count
        q = torch.randn(tokens, heads * head, device="cuda", dtype=torch.bfloat16)
        k, v = (torch.randn(tokens, kv_heads * head, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        positions = torch.arange(length, dtype=torch.int32).repeat(count)
        sequences = torch.arange(0, tokens + 1, length, dtype=torch.int32)
        seconds = runner.seconds(bundle, [{"q": q, "k": k, "v": v, "positions": positions, "sequences": sequences}], 5)
        operations = 4 * head * heads * count * length * (length + 1) // 2
        shape = lambda x, h: x.view(count, length, h, head).transpose(1, 2)
        peer = timed(lambda: torch.nn.functional.scaled_dot_product_attention(
            shape(q, heads), shape(k, kv_heads), shape(v, kv_heads), is_causal=True, enable_gqa=True))
        yield {"case": f"attention {count}x{length}", "seconds": seconds, "floor": operations / MATRIX, "peer": peer, "peer_name": "torch SDPA",
               "operations": operations}


def main():
    kit, results = sys.argv[1], sys.argv[2]
    makers = {"linear": linear_rows, "quantize": quantize_rows, "attention": attention_rows}
    rows = []
    print(torch.cuda.get_device_name(), flush=True)
    print(f"{'case':<30}{'us':>10}{'floor':>10}{'of it':>7}{'peer us':>10}{'TFLOP/s':>9}", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        runner = Runner(kit, folder)
        for file in sorted(os.listdir(kit + "/bench")):
            match = re.fullmatch(r"([a-z]+)_([0-9x_]+)\.nbl", file)
            if not match:
                continue
            for row in makers[match.group(1)](runner, file, *map(int, re.split("[x_]", match.group(2)))):
                rows.append(row)
                peer = f"{1e6 * row['peer']:>10.1f}" if row["peer"] else f"{'-':>10}"
                print(f"{row['case']:<30}{1e6 * row['seconds']:>10.1f}{1e6 * row['floor']:>10.1f}{row['floor'] / row['seconds']:>7.2f}{peer}"
                      f"{1e-12 * row['operations'] / row['seconds']:>9.0f}  {row['peer_name']}", flush=True)
                with open(results, "w", encoding="utf-8") as out:
                    json.dump({"device": torch.cuda.get_device_name(), "rows": rows}, out, indent=1)
    for m, seconds in int4_peer(8192, 8192):
        print(f"torch _weight_int4pack_mm {m}x8192x8192: {1e6 * seconds:.1f} us", flush=True)


if __name__ == "__main__":
    main()

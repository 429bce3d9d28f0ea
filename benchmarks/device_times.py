"""Times of kernels on a device, beside the floor of docs/speed.md and PyTorch's time for the same work.

    device_times.py KIT RESULTS.json

Every time is the median of replays of a recorded graph that walks over several weights, or of a whole decoding step.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import torch

from device_models import GROUP, MODELS, SLOTS, decode_work, packed_bytes, tensors as tensors_of

# bytes/s and operations/s of floors, set from the kit's kernel report.
COPY = MATRIX = 0.0
TOKENS = [1, 16, 64, 256, 2048, 8192]
FEW_TOKENS = [1, 16]  # for weights that are larger than these
LARGE = 1 << 28  # in elements
# Tokens, and the tiles that could serve them, to measure the price of batch invariance.
# Number of tokens that each sequence has before it decodes one more.
INVARIANCE = {1: (8,), 16: (8, 16), 128: (32, 64, 128), 2048: (128, 256)}
SEQUENCES = [1, 16, 64]
CONTEXT = 256


DTYPES = {torch.bfloat16: "BF16", torch.uint8: "U8", torch.int32: "I32", torch.int64: "I64", torch.float32: "F32", torch.float64: "F64"}


def read_rates(kit):
    """Reads the first line of a kernel report (lib/Driver/KernelReport.h)."""
    global COPY, MATRIX
    path = next(f"{kit}/bench/{name}" for name in sorted(os.listdir(kit + "/bench")) if name.endswith(".report"))
    with open(path, encoding="utf-8") as file:
        found = re.search(r"floors of (\S+) bytes/s and (\S+) operations/s", file.read())
    COPY, MATRIX = float(found.group(1)), float(found.group(2))


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


def timed(call, repeats=1):
    """Seconds of the recorded call: the median of five replays of `repeats` calls, after one to warm up. nibble-run --profile measures the
    same way and must use the same number: under its power limit an H200 slows down within tens of milliseconds.
    """
    call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            call()
    seconds = []
    for _ in range(6):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3 / repeats)
    return sorted(seconds[1:])[2]


class Runner:
    """Calls nibble-run --profile. Returns the seconds of a call, replayed as a graph."""

    def __init__(self, kit, folder):
        self.kit, self.folder = kit, folder

    def seconds(self, bundle, inputs, repeats, entry="f"):
        files = []
        for i, tensors in enumerate(inputs):
            path = tensors if isinstance(tensors, str) else f"{self.folder}/in{i}.safetensors"
            if not isinstance(tensors, str):
                safetensors(path, tensors)
            files += ["--inputs", path]
        out = subprocess.run(
            [self.kit + "/bin/nibble-run", f"{self.kit}/bench/{bundle}", "--entry", entry, "--target", "cuda", "--profile", str(repeats)] + files, capture_output=True, text=True, check=False)
        if out.returncode:
            raise RuntimeError(f"{bundle}: {out.stderr}")
        return float(re.search(r"([0-9.]+) us a call", out.stderr).group(1)) * 1e-6


def packed(n, k, copies):
    """Random codes from 1 to 15, and scales between 2^-8 and 2^-7."""
    codes = torch.randint(0, 15, (copies, n * k // 2, 2), device="cuda", dtype=torch.uint8)
    codes = (codes[..., 0] + 1) + 16 * (codes[..., 1] + 1)
    scales = torch.randint(0, 128, (copies, n * k // GROUP), device="cuda", dtype=torch.int32)
    scales = (scales + 0x3B80).to(torch.int16).view(torch.uint8).reshape(copies, -1)
    return {f"w{i}": torch.cat([codes[i], scales[i]]) for i in range(copies)}


def linear_rows(runner, bundle, n, k, copies):
    weights = runner.folder + "/weights.safetensors"
    safetensors(weights, packed(n, k, copies))
    dense = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
    for m in FEW_TOKENS if n * k > LARGE else TOKENS:
        x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
        repeats = 20 if m < 1000 else 4
        seconds = runner.seconds(bundle, [{"x": x}, weights], repeats) / copies
        memory = (n * k * (0.5 + 2 / GROUP) + 2 * m * k + 2 * m * n) / COPY
        peer = timed(lambda: [torch.nn.functional.linear(x, w) for w in dense], repeats) / copies
        yield {"case": f"int4 linear {m}x{n}x{k}", "seconds": seconds, "floor": max(memory, 2 * m * n * k / MATRIX), "peer": peer,
               "peer_name": "cuBLAS bf16", "operations": 2 * m * n * k}


def invariance_rows(runner, files):
    """The cost of one choice of splits for every number of tokens, compared with a tile and splits chosen for that number."""
    variants = {}
    for file in files:
        if match := re.fullmatch(r"variant_(\d+)x(\d+)_(\d+)_(\d+)_(\d+)\.nbl", file):
            n, k, copies, tile, splits = map(int, match.groups())
            variants.setdefault((n, k, copies), []).append((file, tile, splits))
    for (n, k, copies), choices in variants.items():
        weights = runner.folder + "/weights.safetensors"
        safetensors(weights, packed(n, k, copies))
        for m, tiles in INVARIANCE.items():
            inputs = [{"x": torch.randn(m, k, device="cuda", dtype=torch.bfloat16)}, weights]
            repeats = 20 if m < 1000 else 4
            seconds = runner.seconds(f"linear_{n}x{k}_{copies}.nbl", inputs, repeats) / copies
            best, tile, splits = min((runner.seconds(file, inputs, repeats) / copies, t, s) for file, t, s in choices if t in tiles)
            memory = (n * k * (0.5 + 2 / GROUP) + 2 * m * k + 2 * m * n) / COPY
            yield {"case": f"invariance {m}x{n}x{k}", "seconds": seconds, "floor": max(memory, 2 * m * n * k / MATRIX), "peer": best,
                   "peer_name": f"free: tile {tile}, splits {splits}, {best / seconds:.2f} of ours", "operations": 2 * m * n * k}


def decode_rows(runner, name):
    model = MODELS[name]
    weights = {}
    for key, (shape, is_packed) in tensors_of(model).items():
        if is_packed:
            weights[key] = packed(*shape, 1)["w0"]
            assert weights[key].numel() == packed_bytes(shape)
        elif len(shape) == 1:
            weights[key] = torch.ones(*shape, dtype=torch.bfloat16)
        else:
            weights[key] = torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.02
    path = runner.folder + "/weights.safetensors"
    safetensors(path, weights)
    columns = (CONTEXT + SLOTS - 1) // SLOTS
    for count in SEQUENCES:
        # Assign pages in arbitrary order.
        inputs = {"tokens": torch.arange(count, dtype=torch.int32), "positions": torch.full((count,), CONTEXT - 1, dtype=torch.int32),
                  "sequences": torch.arange(count + 1, dtype=torch.int32), "rows": torch.arange(count, dtype=torch.int32),
                  "pages": torch.randperm(count * columns).to(torch.int32).reshape(count, columns)}
        caches = {}
        for layer in range(model["layers"]):
            caches[f"key_cache:{layer}"] = {"zeros": [count * columns, model["kv_heads"], model["head"], SLOTS]}
            caches[f"value_cache:{layer}"] = {"zeros": [count * columns, model["kv_heads"], SLOTS, model["head"]]}
        zeros = runner.folder + "/caches.json"
        with open(zeros, "w", encoding="utf-8") as file:
            json.dump(caches, file)
        seconds = runner.seconds(f"decode-{name}.nbl", [inputs, path, zeros], 10, entry="forward")
        bytes_read, operations = decode_work(model, count, CONTEXT)
        yield {"case": f"decode {name} x{count}", "seconds": seconds, "floor": max(bytes_read / COPY, operations / MATRIX), "peer": None,
               "peer_name": f"{count / seconds:.0f} tokens/s", "operations": operations, "bytes": bytes_read, "context": CONTEXT}
    os.remove(path)


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


def update_rows(runner, bundle, n, k, copies):
    """The floor reads and writes master and moments, reads the gradient, and writes the weight and its packed form."""
    state, inputs = {}, {"hyper": torch.tensor([1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0, 0.1, 0.05])}
    for i in range(2 * copies):
        shape = (n, k) if i < copies else (k,)
        for kind in ("master", "moment1", "moment2", "gradient"):
            values = torch.randn(*shape, device="cuda")
            state[f"{kind}:{i}"] = values.abs() if kind == "moment2" else values
        state[f"weight:{i}"] = torch.zeros(*shape, device="cuda", dtype=torch.bfloat16)
        if i < copies:
            state[f"packed:{i}"] = torch.zeros(n * k // 2 + 2 * n * k // GROUP, device="cuda", dtype=torch.uint8)
    seconds = runner.seconds(bundle, [inputs, state], 20) / copies
    masters = [torch.nn.Parameter(state[f"master:{i}"]) for i in range(copies)]
    weights = [state[f"weight:{i}"] for i in range(copies)]
    for i, master in enumerate(masters):
        master.grad = state[f"gradient:{i}"]
    optimizer = torch.optim.AdamW(masters, fused=True, capturable=True)

    def step():
        optimizer.step()
        torch._foreach_copy_(weights, [master.detach() for master in masters])

    yield {"case": f"update {n}x{k}", "seconds": seconds, "floor": n * k * (30.5 + 2 / GROUP) / COPY, "peer": timed(step, 20) / copies,
           "peer_name": "torch fused AdamW and bf16, not quantized", "operations": 0}


def squares_rows(runner, bundle, n, k, copies):
    gradients = [torch.randn(n, k, device="cuda") for _ in range(copies)]
    seconds = runner.seconds(bundle, [{f"gradient:{i}": gradient for i, gradient in enumerate(gradients)}], 20) / copies
    peer = timed(lambda: torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))), 20) / copies
    yield {"case": f"gradient norm {n}x{k}", "seconds": seconds, "floor": n * k * 4 / COPY, "peer": peer, "peer_name": "torch foreach norm",
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
            shape(q, heads), shape(k, kv_heads), shape(v, kv_heads), is_causal=True, enable_gqa=True), 5)
        yield {"case": f"attention {count}x{length}", "seconds": seconds, "floor": operations / MATRIX, "peer": peer, "peer_name": "torch SDPA",
               "operations": operations}


def sample_rows(runner, bundle, vocabulary):
    """Draws from rows without a filter, and with top_k and top_p. The floor reads the logits once."""
    for rows, filtered in ((1, False), (64, False), (64, True)):
        ones = torch.ones(rows if filtered else 0, dtype=torch.float64)
        inputs = {"logits": 3 * torch.randn(rows, vocabulary), "temperature": torch.ones(rows), "bits": torch.randint(-2**63, 2**63 - 1, (rows,)),
                  "filtered": torch.arange(len(ones), dtype=torch.int32), "top_k": torch.full((len(ones),), 1000, dtype=torch.int32),
                  "top_p": 0.9 * ones, "min_p": 0 * ones}
        seconds = runner.seconds(bundle, [inputs], 50)
        yield {"case": f"sample {rows}x{vocabulary}" + (" top_k, top_p" if filtered else ""), "seconds": seconds,
               "floor": 4 * rows * vocabulary / COPY, "peer": None, "peer_name": "", "operations": 0}


def timed_alone(call, repeats=5):
    """Seconds of a call that cannot be recorded, as a median."""
    call()
    seconds = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        seconds.append(begin.elapsed_time(end) * 1e-3)
    return sorted(seconds)[repeats // 2]


def gradient_rows(runner, bundle, heads, kv_heads, head):
    for length, count in ((4096, 4), (16384, 1)):
        tokens = length * count
        dy, q, y = (torch.randn(tokens, heads * head, device="cuda", dtype=torch.bfloat16) for _ in range(3))
        k, v = (torch.randn(tokens, kv_heads * head, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        positions = torch.arange(length, dtype=torch.int32).repeat(count)
        # About the value for scores of standard normal numbers, so that probabilities are as small as in training.
        # 2.5 times the operations of forward.
        lse = (torch.log1p(positions.float()) + 0.5)[:, None].repeat(1, heads)
        sequences = torch.arange(0, tokens + 1, length, dtype=torch.int32)
        inputs = {"dy": dy, "q": q, "k": k, "v": v, "y": y, "lse": lse, "positions": positions, "sequences": sequences}
        seconds = runner.seconds(bundle, [inputs], 5)
        operations = 10 * head * heads * count * length * (length + 1) // 2
        shape = lambda x, h: x.view(count, length, h, head).transpose(1, 2)
        leaves = [shape(x, h).detach().requires_grad_() for x, h in ((q, heads), (k, kv_heads), (v, kv_heads))]
        peer = None
        try:
            # Builds whose kernel has no such backward pass.
            out = torch.nn.functional.scaled_dot_product_attention(*leaves, is_causal=True, enable_gqa=True)
            peer = timed_alone(lambda: torch.autograd.grad(out, leaves, shape(dy, heads), retain_graph=True))
        except RuntimeError as error:
            print(f"torch SDPA backward: {str(error).splitlines()[0]}", flush=True)
        yield {"case": f"attention gradient {count}x{length}", "seconds": seconds, "floor": operations / MATRIX, "peer": peer,
               "peer_name": "torch SDPA backward", "operations": operations}


def rows_of(runner, kit):
    """All rows, in the order of the table."""
    makers = {"linear": linear_rows, "quantize": quantize_rows, "update": update_rows, "squares": squares_rows, "attention": attention_rows, "gradient": gradient_rows, "sample": sample_rows}
    files = sorted(os.listdir(kit + "/bench"))
    for file in files:
        match = re.fullmatch(r"([a-z]+)_([0-9x_]+)\.nbl", file)
        if match and match.group(1) in makers:
            yield from makers[match.group(1)](runner, file, *map(int, re.split("[x_]", match.group(2))))
    yield from invariance_rows(runner, files)
    for name in MODELS:
        yield from decode_rows(runner, name)


def main():
    kit, results = sys.argv[1], sys.argv[2]
    read_rates(kit)
    rows = []
    print(torch.cuda.get_device_name(), flush=True)
    print(f"{'case':<34}{'us':>10}{'floor':>10}{'of it':>7}{'peer us':>10}{'TFLOP/s':>9}", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        for row in rows_of(Runner(kit, folder), kit):
            rows.append(row)
            peer = f"{1e6 * row['peer']:>10.1f}" if row["peer"] else f"{'-':>10}"
            print(f"{row['case']:<34}{1e6 * row['seconds']:>10.1f}{1e6 * row['floor']:>10.1f}{row['floor'] / row['seconds']:>7.2f}{peer}"
                  f"{1e-12 * row['operations'] / row['seconds']:>9.0f}  {row['peer_name']}", flush=True)
            with open(results, "w", encoding="utf-8") as out:
                json.dump({"device": torch.cuda.get_device_name(), "rows": rows}, out, indent=1)
    for m, seconds in int4_peer(8192, 8192):
        print(f"torch _weight_int4pack_mm {m}x8192x8192: {1e6 * seconds:.1f} us", flush=True)


if __name__ == "__main__":
    main()

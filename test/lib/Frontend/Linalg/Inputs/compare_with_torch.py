"""Runs every forward in a folder through recognize, quantize, differentiate and nibble-run, and compares the results with torch's.

    compare_with_torch.py <folder of modules> <work folder> [--all] [name ...]

Prints a table with the number of recognized linears, and the largest differences of results and of gradients. Differences are relative to
the largest magnitude of the tensor. The weights of linears are on the int4 grid; --all also runs these forwards with plain weights. The
exit code is 1 when a difference exceeds 1e-5, a linear was not recognized, or something did not run.
"""
import json
import os
import struct
import subprocess
import sys

LIMIT = 1e-5


def flat(value):
    return [number for part in value for number in flat(part)] if isinstance(value, list) else [value]


def shape_of(value):
    return [len(value)] + shape_of(value[0]) if isinstance(value, list) else []


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack_from("<Q", data)[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            halves = struct.unpack(f"<{(end - begin) // 2}H", data[begin:end])
            tensors[name] = [struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves]
        else:
            code, size = {"F32": ("f", 4), "F64": ("d", 8)}[entry["dtype"]]
            tensors[name] = list(struct.unpack(f"<{(end - begin) // size}{code}", data[begin:end]))
    return tensors


def difference(actual, expected):
    """Largest difference divided by the largest magnitude; infinity for a different count of elements or a NaN."""
    if len(actual) != len(expected):
        return float("inf")
    largest = max(abs(number) for number in expected)
    worst = max(abs(a - e) for a, e in zip(actual, expected))
    return worst / largest if largest > 0 and worst == worst else (0.0 if worst == 0 else float("inf"))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout


def compare(module, record, work, scheme):
    """(linears recognized, difference of results, difference of gradients)."""
    names = record["inputs"] + record["parameters"]
    parameters = ",".join(f"{names.index(name)}:{name}" for name in record["parameters"])
    passes = [f"nibble-recognize-linear{{function=main parameters={parameters}}}"]
    if scheme != "plain":
        passes.append(f"nibble-quantize{{scheme={scheme} group-size=16}}")
    expected = record[scheme]
    numbers = ",".join(str(i) for i, name in enumerate(names) if name in expected["gradients"])
    text = run(["nibble-opt", module, "--pass-pipeline=builtin.module(" + ",".join(passes) + ")"])
    linears = text.count(" nn.linear ")
    if linears != len(record["linears"]) or (scheme != "plain" and text.count(" qat.fake_quant ") != linears):
        raise RuntimeError(f"{module}: {linears} linears are recognized, of {record['linears']}")
    passes.append(f"nibble-differentiate{{function=main wrt=args={numbers}}}")
    bound = {}
    for number, name in enumerate(names):
        is_parameter = name in record["parameters"]
        bound[name if is_parameter else f"arg{number}"] = record["arguments"][name]
        if is_parameter and name in expected["gradients"]:
            bound["gradient:" + name] = {"zeros": shape_of(record["arguments"][name])}
    inputs, out = os.path.join(work, "inputs.json"), os.path.join(work, "out.safetensors")
    with open(inputs, "w") as file:
        json.dump(bound, file)
    run(["nibble-run", module, "--entry=train_step", "--pipeline=" + ",".join(passes), "--inputs=" + inputs, "--out=" + out])
    tensors = read_safetensors(out)
    results = max(difference(tensors[f"result{i}"], flat(result)) for i, result in enumerate(expected["results"]))
    gradients = 0.0
    for name, gradient in expected["gradients"].items():
        key = name if name in record["parameters"] else f"arg{names.index(name)}"
        gradients = max(gradients, difference(tensors["gradient:" + key], flat(gradient)))
    return linears, results, gradients


def main():
    folder, work, wanted = sys.argv[1], sys.argv[2], [argument for argument in sys.argv[3:] if argument != "--all"]
    os.makedirs(work, exist_ok=True)
    failures = []
    print(f"{'forward':24} {'weights':8} {'linears':>7} {'results':>9} {'gradients':>9}")
    for file in sorted(os.listdir(folder)):
        name, extension = os.path.splitext(file)
        if extension != ".json" or (wanted and name not in wanted):
            continue
        with open(os.path.join(folder, file)) as stream:
            record = json.load(stream)
        schemes = ["int4"] if "int4" in record else ["plain"]
        if "--all" in sys.argv and "int4" in record:
            schemes.insert(0, "plain")
        for scheme in schemes:
            try:
                linears, results, gradients = compare(os.path.join(folder, name + ".mlir"), record, work, scheme)
            except RuntimeError as error:
                failures.append(str(error))
                print(f"{name:24} {scheme:8} failed")
                continue
            print(f"{name:24} {scheme:8} {linears:7} {results:9.1e} {gradients:9.1e}", flush=True)
            if not (results <= LIMIT and gradients <= LIMIT):
                failures.append(f"{name} with {scheme} weights: the difference is above {LIMIT}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())

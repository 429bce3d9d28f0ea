"""A module whose @main calls one private function for each op and checks the results. The arguments are constants, and the calls prevent
folding.

The scripts beside this file use it to print such modules. Tensors are nested lists, and T is an element type of MLIR.
"""

import itertools
import math
import struct


def rounded(x, T):
    """x in the type T, as a Python number."""
    if T == "f32":
        try:
            return struct.unpack("f", struct.pack("f", x))[0]
        except OverflowError:
            return math.copysign(math.inf, x)
    if T == "f16":
        return struct.unpack("e", struct.pack("e", x))[0]
    if T == "bf16":
        bits = struct.unpack("I", struct.pack("f", x))[0]
        return struct.unpack("f", struct.pack("I", (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000))[0]
    return x


def shape(a):
    return (len(a),) + shape(a[0]) if isinstance(a, (list, tuple)) and a else (0,) if isinstance(a, (list, tuple)) else ()


def tensor(*extents, f):
    """The tensor whose elements are f(indices)."""
    if not extents:
        return f()
    return [tensor(*extents[1:], f=lambda *rest, i=i: f(i, *rest)) for i in range(extents[0])]


def at(a, *indices):
    for i in indices:
        a = a[i]
    return a


def each(a, f):
    return [each(x, f) for x in a] if isinstance(a, list) else f(a)


def whole(*extents, seed=1, most=3):
    """Integers from -most to most, the same ones every time."""
    count = itertools.count(seed)
    return tensor(*extents, f=lambda *_: next(count) * 5 % (2 * most + 1) - most)


def sums(extents, terms, f):
    """The tensor whose element at each index is the sum of f(index, term) over all terms."""
    return tensor(*extents, f=lambda *i: sum(f(i, t) for t in itertools.product(*map(range, terms))))


def _literal(x, T):
    if T == "i1":
        return "true" if x else "false"
    if T[0] == "i":
        return str(int(x))
    x = float(x)
    if math.isnan(x) or math.isinf(x):
        width = {"bf16": 4, "f32": 8, "f64": 16}[T]
        bits = struct.pack(">d" if T == "f64" else ">f", x).hex()[:width]
        return "0x" + bits.upper()
    text = repr(x)
    return text if "." in text else text.replace("e", ".0e") if "e" in text else text + ".0"


def _dense(a, T):
    return "[" + ", ".join(_dense(x, T) for x in a) + "]" if isinstance(a, (list, tuple)) else _literal(a, T)


def typeOf(a, T):
    return "tensor<" + "".join(f"{n}x" for n in shape(a)) + T + ">"


class Module:
    def __init__(self, head=""):
        self.head, self.functions, self.main = head, [], []

    def op(self, name, arguments, body, expected, T, check="eq", types=(), result=None):
        """A function `name` of `arguments` (pairs of tensor and element type). Its `body` computes %r. The result must equal `expected`, in
        elements of T: bit for bit, or as `check` says ("ulp = 4 : i64"). `types` and `result` are alternative types with open extents.
        """
        declared = [types[i] if i < len(types) and types[i] else typeOf(a, t) for i, (a, t) in enumerate(arguments)]
        given = typeOf(expected, T)
        result = result or given
        signature = ", ".join(f"%a{i}: {t}" for i, t in enumerate(declared))
        lines = "\n".join("  " + line.strip() for line in body.strip().splitlines())
        self.functions.append(f"func.func private @{name}({signature}) -> {result} {{\n{lines}\n  return %r : {result}\n}}\n")
        values = []
        for i, (a, t) in enumerate(arguments):
            values.append(self._constant(f"%{name}_{i}", a, t, declared[i]))
        self.main.append(f"  %{name} = call @{name}({', '.join(values)}) : ({', '.join(declared)}) -> {result}")
        wanted = self._constant(f"%{name}_expected", expected, T, result)
        op = "expect_eq" if check == "eq" else "expect_close"
        self.main.append(f"  check.{op} %{name}, {wanted}{'' if check == 'eq' else ' {' + check + '}'} : {result} loc(\"{name}\":1:1)")

    def _constant(self, name, a, T, wanted):
        given = typeOf(a, T)
        self.main.append(f"  {name} = arith.constant dense<{_dense(a, T)}> : {given}")
        if wanted == given:
            return name
        self.main.append(f"  {name}_open = tensor.cast {name} : {given} to {wanted}")
        return name + "_open"

    def print(self, tail=""):
        print(self.head + "\n".join(self.functions) + "\nfunc.func @main() {\n" + "\n".join(self.main) + "\n  return\n}" + tail)

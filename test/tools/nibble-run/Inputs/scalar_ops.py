"""The scalar operations that exporters write into bodies, in each type that the runtime can pass, and in f16 inside a program."""

import math

from op_module import Module, each, rounded

m = Module("#v = affine_map<(i) -> (i)>\n")


def body(name, op, arguments, T, expected, result=None, check="eq"):
    """%y from %x (and %z), element by element. The arguments are lists of T."""
    n, result = len(arguments[0]), result or T
    ins = ", ".join(f"%a{i}" for i in range(len(arguments)))
    types = ", ".join([f"tensor<{n}x{T}>"] * len(arguments))
    block = ", ".join(f"%{v}: {T}" for v in "xz"[: len(arguments)])
    m.op(name, [(a, T) for a in arguments],
         f"""%e = tensor.empty() : tensor<{n}x{result}>
         %r = linalg.generic {{indexing_maps = [{", ".join(["#v"] * (len(arguments) + 1))}], iterator_types = ["parallel"]}} ins({ins} : {types}) outs(%e : tensor<{n}x{result}>) {{
         ^bb0({block}, %o: {result}):
         {op}
         linalg.yield %y : {result}
         }} -> tensor<{n}x{result}>""", expected, result, check)


def ulp(n, T):
    return "eq" if n == 0 else f"ulp = {min(n, 2) if T == 'bf16' else n} : i64"


SIGNED, POSITIVE = [-2.5, -1.5, -0.75, -0.0, 0.25, 0.5, 3.5], [0.0625, 0.5, 0.875, 1.0, 1.75, 2.5, 7.0]
INSIDE, ABOVE = [-0.875, -0.5, -0.125, 0.0, 0.25, 0.75, 0.875], [1.0, 1.5, 2.5, 4.0, 10.0, 1.25, 7.0]
UNARY = {  # name: arguments, function, tolerance in units in the last place
    "absf": (SIGNED, abs, 0), "acos": (INSIDE, math.acos, 16), "acosh": (ABOVE, math.acosh, 16), "asin": (INSIDE, math.asin, 16),
    "asinh": (SIGNED, math.asinh, 16), "atan": (SIGNED, math.atan, 16), "atanh": (INSIDE, math.atanh, 16), "cbrt": (POSITIVE, lambda x: x ** (1 / 3), 16),
    "ceil": (SIGNED, lambda x: math.copysign(math.ceil(x), x), 0), "cos": (SIGNED, math.cos, 16), "cosh": (SIGNED, math.cosh, 16), "erf": (SIGNED, math.erf, 16),
    "erfc": (POSITIVE, math.erfc, 64), "exp": (SIGNED, math.exp, 16), "exp2": (SIGNED, lambda x: 2.0**x, 16), "expm1": (SIGNED, math.expm1, 16),
    "floor": (SIGNED, lambda x: math.copysign(math.floor(x), x), 0), "log": (POSITIVE, math.log, 16), "log10": (POSITIVE, math.log10, 16),
    "log1p": (POSITIVE, math.log1p, 16), "log2": (POSITIVE, math.log2, 16), "round": (SIGNED, lambda x: math.copysign(math.floor(abs(x) + 0.5), x), 0),
    "roundeven": (SIGNED, lambda x: math.copysign(round(x), x), 0), "rsqrt": (POSITIVE, lambda x: 1 / math.sqrt(x), 16), "sin": (SIGNED, math.sin, 16),
    "sinh": (SIGNED, math.sinh, 16), "sqrt": (POSITIVE, math.sqrt, 1), "tan": (SIGNED, math.tan, 16), "tanh": (SIGNED, math.tanh, 16),
    "trunc": (SIGNED, lambda x: math.copysign(math.trunc(x), x), 0),
}
LEFT, RIGHT = [-2.5, -1.5, 0.75, 1.0, 2.5, 3.0], [0.5, -0.5, 2.0, -3.0, 2.5, -1.0]
BINARY = {
    "arith.addf": (lambda x, z: x + z, 0), "arith.subf": (lambda x, z: x - z, 0), "arith.mulf": (lambda x, z: x * z, 0), "arith.divf": (lambda x, z: x / z, 0),
    "arith.remf": (math.fmod, 0), "arith.maximumf": (max, 0), "arith.minimumf": (min, 0), "arith.maxnumf": (max, 0), "arith.minnumf": (min, 0),
    "math.atan2": (math.atan2, 16), "math.copysign": (math.copysign, 0),
}
SPECIAL = [1.0, math.inf, -math.inf, math.nan, 0.0]

for T in ("f32", "f64", "bf16"):
    for name, (xs, f, away) in UNARY.items():
        body(f"{name}_{T}", f"%y = math.{name} %x : {T}", [xs], T, [rounded(f(x), T) for x in xs], check=ulp(away, T))
    for name, (f, away) in BINARY.items():
        expected = [rounded(f(x, z), T) for x, z in zip(LEFT, RIGHT)]
        body(f"{name.split('.')[1]}_{T}", f"%y = {name} %x, %z : {T}", [LEFT, RIGHT], T, expected, check=ulp(away, T))
    powers = [2.0, 0.5, 3.0, -1.0, 0.0, 1.5, -0.5]
    body(f"powf_{T}", f"%y = math.powf %x, %z : {T}", [POSITIVE, powers], T, [rounded(x**p, T) for x, p in zip(POSITIVE, powers)], check=ulp(64, T))
    bases = [-2.5, -0.5, 1.0, 1.5, 2.5]
    for k in (2, 3, -1, 0, 5000):
        xs = [-1.0, 1.0, 0.5] if k == 5000 else bases
        body(f"fpowi_{'minus_' if k < 0 else ''}{abs(k)}_{T}", f"%k = arith.constant {k} : i64\n%y = math.fpowi %x, %k : {T}, i64", [xs], T,
             [rounded(x**k, T) for x in xs], check=ulp(2, T))
    for I in ("i32", "i64"):  # an exponent that is unknown at compile time
        body(f"fpowi_{I}_{T}", f"%k = arith.fptosi %x : {T} to {I}\n%y = math.fpowi %x, %k : {T}, {I}", [[-2.5, -1.0, 2.5, 3.0, 0.5]], T,
             [rounded(x ** math.trunc(x), T) for x in (-2.5, -1.0, 2.5, 3.0, 0.5)], check=ulp(2, T))
    body(f"fma_{T}", f"%k = arith.constant 3.0 : {T}\n%y = math.fma %x, %k, %k : {T}", [SIGNED], T, [rounded(3 * x + 3, T) for x in SIGNED])
    body(f"clampf_{T}", f"%a = arith.constant -0.5 : {T}\n%b = arith.constant 1.5 : {T}\n%y = math.clampf %x to [%a, %b] : {T}", [SIGNED], T,
         [min(max(x, -0.5), 1.5) for x in SIGNED])
    body(f"negf_{T}", f"%y = arith.negf %x : {T}", [SIGNED], T, [-x for x in SIGNED])
    for name, f in (("isnan", math.isnan), ("isinf", math.isinf), ("isfinite", math.isfinite)):
        body(f"{name}_{T}", f"%y = math.{name} %x : {T}", [SPECIAL], T, [f(x) for x in SPECIAL], "i1")
    body(f"unordered_{T}", f"%y = arith.cmpf uno, %x, %x : {T}", [SPECIAL], T, [math.isnan(x) for x in SPECIAL], "i1")
    body(f"select_{T}", f"%c = arith.cmpf ogt, %x, %z : {T}\n%y = arith.select %c, %x, %z : {T}", [LEFT, RIGHT], T, [max(x, z) for x, z in zip(LEFT, RIGHT)])
    for I, values in (("i1", [0, 1]), ("i8", [-7, 0, 3, 100]), ("i32", [-7, 0, 3, 100]), ("i64", [-7, 0, 3, 100])):
        body(f"sitofp_{I}_{T}", f"%y = arith.sitofp %x : {I} to {T}", [values], I, [-v for v in values] if I == "i1" else values, T)
        body(f"uitofp_{I}_{T}", f"%y = arith.uitofp %x : {I} to {T}", [each(values, abs)], I, each(values, abs), T)
        if I != "i1":
            body(f"fptosi_{T}_{I}", f"%y = arith.fptosi %x : {T} to {I}", [[-2.75, -1.0, 0.5, 99.5]], T, [-2, -1, 0, 99], I)
            body(f"fptoui_{T}_{I}", f"%y = arith.fptoui %x : {T} to {I}", [[0.5, 1.0, 99.5, 127.0]], T, [0, 1, 99, 127], I)

for narrow, wide in (("bf16", "f32"), ("bf16", "f64"), ("f32", "f64")):
    body(f"extf_{narrow}_{wide}", f"%y = arith.extf %x : {narrow} to {wide}", [SIGNED], narrow, SIGNED, wide)
    xs = [1.0, 1.00390625, 1.01171875, -3.1415926, 0.001]
    body(f"truncf_{wide}_{narrow}", f"%y = arith.truncf %x : {wide} to {narrow}", [xs], wide, [rounded(rounded(x, wide), narrow) for x in xs], narrow)

for T in ("f32", "f64"):
    half = lambda x: rounded(rounded(x, T), "f16")
    xs = [1.0, 1.0004, -3.1415926, 65504.0, 0.0001]
    body(f"half_{T}", f"%h = arith.truncf %x : {T} to f16\n%y = arith.extf %h : f16 to {T}", [xs], T, each(xs, half))
    xs = [1.5, 0.1, -2.7, 33.3]
    body(f"half_arithmetic_{T}", f"""%h = arith.truncf %x : {T} to f16
         %p = arith.mulf %h, %h : f16
         %s = arith.addf %p, %h : f16
         %y = arith.extf %s : f16 to {T}""", [xs], T, [rounded(rounded(half(x) * half(x), "f16") + half(x), "f16") for x in xs])
    for name in ("tanh", "exp", "erf", "sqrt", "log1p", "cosh"):
        body(f"half_{name}_{T}", f"%h = arith.truncf %x : {T} to f16\n%p = math.{name} %h : f16\n%y = arith.extf %p : f16 to {T}", [[0.5, 1.5]], T,
             [getattr(math, name)(x) for x in (0.5, 1.5)], check="relative = 1.0e-3 : f64")
    for I in ("i8", "i32", "i64"):
        body(f"half_from_{I}_{T}", f"%k = arith.fptosi %x : {T} to {I}\n%h = arith.sitofp %k : {I} to f16\n%y = arith.extf %h : f16 to {T}", [[-3.0, 100.0]], T,
             [-3, 100])
        body(f"half_to_{I}_{T}", f"%h = arith.truncf %x : {T} to f16\n%k = arith.fptosi %h : f16 to {I}\n%y = arith.sitofp %k : {I} to {T}", [[-3.5, 100.0]], T,
             [-3, 100])

for T in ("i8", "i32", "i64"):
    bits = int(T[1:])
    unsigned = lambda v: v % (1 << bits)
    signed = lambda v: (v + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
    xs, zs = [-7, -1, 0, 5, 100, 37], [3, -2, 5, -4, 7, -11]
    toward_zero = lambda x, z: abs(x) // abs(z) * (1 if (x < 0) == (z < 0) else -1)
    for name, f in {
        "addi": lambda x, z: x + z, "subi": lambda x, z: x - z, "muli": lambda x, z: x * z, "divsi": toward_zero, "remsi": lambda x, z: x - z * toward_zero(x, z),
        "divui": lambda x, z: unsigned(x) // unsigned(z), "remui": lambda x, z: unsigned(x) % unsigned(z), "ceildivsi": lambda x, z: -(-x // z),
        "ceildivui": lambda x, z: -(-unsigned(x) // unsigned(z)), "floordivsi": lambda x, z: x // z, "andi": lambda x, z: x & z, "ori": lambda x, z: x | z,
        "xori": lambda x, z: x ^ z, "maxsi": max, "minsi": min, "maxui": lambda x, z: max(x, z, key=unsigned), "minui": lambda x, z: min(x, z, key=unsigned),
    }.items():
        body(f"{name}_{T}", f"%y = arith.{name} %x, %z : {T}", [xs, zs], T, [signed(f(x, z)) for x, z in zip(xs, zs)])
    by = [0, 1, 3, 2, 1, 4]
    for name, f in {"shli": lambda x, s: x << s, "shrsi": lambda x, s: x >> s, "shrui": lambda x, s: unsigned(x) >> s}.items():
        body(f"{name}_{T}", f"%y = arith.{name} %x, %z : {T}", [xs, by], T, [signed(f(x, s)) for x, s in zip(xs, by)])
    body(f"ipowi_{T}", f"%y = math.ipowi %x, %z : {T}", [[-2, -1, 3, 2], [3, 2, 0, 5]], T, [-8, 1, 1, 32])
    for name, f in {"absi": abs, "ctpop": lambda x: bin(unsigned(x)).count("1"), "ctlz": lambda x: bits - unsigned(x).bit_length(),
                    "cttz": lambda x: (unsigned(x) & -unsigned(x)).bit_length() - 1 if x else bits}.items():
        body(f"{name}_{T}", f"%y = math.{name} %x : {T}", [xs], T, each(xs, f))
    body(f"cmpi_{T}", f"%y = arith.cmpi slt, %x, %z : {T}", [xs, zs], T, [x < z for x, z in zip(xs, zs)], "i1")
    body(f"index_cast_{T}", f"%k = arith.index_cast %x : {T} to index\n%y = arith.index_cast %k : index to {T}", [xs], T, xs)

for narrow, wide in (("i1", "i32"), ("i1", "i64"), ("i8", "i32"), ("i32", "i64")):
    bit = narrow == "i1"
    xs = [0, 1] if bit else [-5, 0, 7]
    body(f"extsi_{narrow}_{wide}", f"%y = arith.extsi %x : {narrow} to {wide}", [xs], narrow, [0, -1] if bit else xs, wide)
    body(f"extui_{narrow}_{wide}", f"%y = arith.extui %x : {narrow} to {wide}", [xs], narrow, xs if bit else [(1 << int(narrow[1:])) - 5, 0, 7], wide)
    body(f"trunci_{wide}_{narrow}", f"%y = arith.trunci %x : {wide} to {narrow}", [[0, 1, 6, -5]], wide, [0, 1, 0, 1] if bit else [0, 1, 6, -5], narrow)
body("bitcast", "%y = arith.bitcast %x : f32 to i32", [[1.0, -2.0]], "f32", [0x3F800000, -0x40000000], "i32")

xs = [1.0, -2.0, 0.5]
body("complex_mul", """%one = arith.constant 1.0 : f32
     %c = complex.create %x, %one : complex<f32>
     %d = complex.mul %c, %c : complex<f32>
     %y = complex.re %d : complex<f32>""", [xs], "f32", [x * x - 1 for x in xs])
body("complex_abs", "%c = complex.create %x, %x : complex<f32>\n%y = complex.abs %c : complex<f32>", [xs], "f32", [abs(x) * math.sqrt(2) for x in xs],
     check="ulp = 4 : i64")
body("complex_exp", """%half = arith.constant 0.5 : f32
     %c = complex.create %half, %x : complex<f32>
     %d = complex.exp %c : complex<f32>
     %y = complex.im %d : complex<f32>""", [xs], "f32", [math.exp(0.5) * math.sin(x) for x in xs], check="ulp = 16 : i64")
body("sincos", "%s, %c = math.sincos %x : f32\n%y = arith.addf %s, %c : f32", [xs], "f32", [math.sin(x) + math.cos(x) for x in xs], check="ulp = 16 : i64")
m.print()

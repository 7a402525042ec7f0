#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a C program that checks our placement and layout against the
compiler's: random types and signatures, declared once as a manifest and once
for the compiler. The program calls each function through an assembly stub
that keeps the registers, and asks the manifest's expressions for every scalar
that was passed or returned. The seed is fixed: the program is always the
same."""
import random
import sys

rng = random.Random(20260303)
SCALARS = [("char", 1, True), ("signed char", 1, True), ("unsigned char", 1, False),
           ("short", 2, True), ("unsigned short", 2, False), ("int", 4, True),
           ("unsigned int", 4, False), ("long", 8, True), ("unsigned long", 8, False),
           ("_Bool", 1, False), ("int32_t", 4, True), ("size_t", 8, False),
           ("enum state", 4, True)]
FLOATS = [("float", 4), ("double", 8)]


class Record:
    def __init__(self, name, members, text):
        self.name, self.members, self.text = name, members, text


def scalar(float_share=0.3):
    if rng.random() < float_share:
        name, size = rng.choice(FLOATS)
        return {"kind": "float", "c": name, "size": size}
    name, size, signed = rng.choice(SCALARS)
    return {"kind": "int", "c": name, "size": size, "signed": signed}


def make_record(number, known):
    """A struct or union; members is a list of (path, leaf) of all scalars."""
    union = rng.random() < 0.12
    tag = f"{'union' if union else 'struct'} r{number}"
    lines, leaves = [], []
    for m in range(rng.choice([1, 1, 2, 2, 3, 4, 6])):
        name = f"m{m}"
        roll = rng.random()
        if roll < 0.15 and known:
            inner = rng.choice(known)
            lines.append(f"{inner.name} {name};")
            leaves.append([(f"{name}.{p}", leaf) for p, leaf in inner.members])
        elif roll < 0.25:
            leaf, count = scalar(), rng.choice([1, 2, 3])
            lines.append(f"{leaf['c']} {name}[{count}];")
            leaves.append([(f"{name}[{i}]", dict(leaf, indexed=True)) for i in range(count)])
        elif roll < 0.40:
            base, bits, signed = rng.choice([("int", 32, True), ("unsigned int", 32, False),
                                             ("long", 64, True), ("unsigned char", 8, False),
                                             ("short", 16, True), ("_Bool", 1, False)])
            width = rng.randint(1, bits)
            if rng.random() < 0.2:
                lines.append(f"{base} : {rng.choice([0, width])};")
            lines.append(f"{base} {name} : {width};")
            leaves.append([(name, {"kind": "int", "c": base, "size": max(1, bits // 8),
                                   "signed": signed, "bits": width})])
        elif roll < 0.47 and not union:
            leaf = scalar()
            lines.append(f"struct {{ {leaf['c']} {name}; }};")
            leaves.append([(name, leaf)])
        elif roll < 0.52:
            leaf = scalar()
            align = rng.choice([8, 16])
            lines.append(f"{leaf['c']} {name} __attribute__((aligned({align})));")
            leaves.append([(name, leaf)])
        else:
            leaf = scalar(0.4)
            lines.append(f"{leaf['c']} {name};")
            leaves.append([(name, leaf)])
    if union:
        leaves = [rng.choice(leaves)]
    packed = " __attribute__((packed))" if rng.random() < 0.1 else ""
    flat = [x for group in leaves for x in group]
    return Record(tag, flat, f"{tag} {{ {' '.join(lines)} }}{packed};")


def value(leaf):
    if leaf["kind"] == "float":
        return str(rng.randint(-1000, 1000) / 8)
    if leaf["c"] == "_Bool":
        return str(rng.randint(0, 1))
    if leaf["c"] == "enum state":
        return rng.choice(["5", "-3", "0"])
    bits = leaf.get("bits", leaf["size"] * 8)
    if leaf["signed"]:
        n = rng.randint(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    else:
        n = rng.randint(0, (1 << bits) - 1)
    if n == -(1 << 63):
        n += 1
    return f"{n}L" if n < 1 << 63 else f"{n}UL"


def check(path, leaf, c_expr):
    """One comparison of an expression's value with C's."""
    if leaf["kind"] == "float":
        kind = "float" if leaf["size"] == 4 else "double"
        return f"    {{ {kind} v = {c_expr}; uint64_t bits = 0; memcpy(&bits, &v, {leaf['size']}); check(d, \"{path}\", bits, __LINE__); }}"
    return f"    check(d, \"{path}\", (uint64_t)(int64_t)({c_expr}), __LINE__);"


def main():
    records = []
    for n in range(120):
        records.append(make_record(n, [r for r in records if len(r.members) < 5]))
    manifest = ["enum state { FIVE = 5, NEG = -3 };"] + [r.text for r in records]
    functions, calls = [], []
    for n in range(240):
        params, setup, checks, items, args = [], [], [], [], []
        # Every tenth has mostly floating point: more than eight of them.
        floats = n % 10 == 0
        for i in range(14 if floats else rng.choice([1, 2, 3, 5, 8, 12])):
            name, roll = f"p{i}", rng.random()
            if roll < (0.8 if floats else 0.45):
                leaf = scalar(0.9 if floats else 0.3)
                params.append(f"{leaf['c']} {name}")
                setup.append(f"    {leaf['c']} {name} = ({leaf['c']})({value(leaf)});")
                items.append(f"{name} = {name}")
                checks.append(check(name, leaf, name))
            elif roll < 0.5:
                params.append(f"long double {name}")
                setup.append(f"    long double {name} = {n}.25L;")
                checks.append(f"    check_wide(d, \"{name}\", {name}, __LINE__);")
                items.append(f"{name} = {name}")
            elif roll < 0.55:
                params.append(f"__int128 {name}")
                setup.append(f"    __int128 {name} = 7;")
            else:
                record = rng.choice(records)
                by_pointer = rng.random() < 0.25
                params.append(f"{record.name} {'*' if by_pointer else ''}{name}")
                raw = f"v{i}" if by_pointer else name
                setup.append(f"    {record.name} {raw}; memset(&{raw}, 0x5a, sizeof({raw}));")
                if by_pointer:
                    setup.append(f"    {record.name} *{name} = &{raw};")
                for path, leaf in record.members:
                    setup.append(f"    {raw}.{path} = {value(leaf)};")
                for j, (path, leaf) in enumerate(record.members):
                    # An array in registers has no address to index.
                    if leaf.get("indexed") and not by_pointer or "[" in path and not by_pointer:
                        continue
                    key = f"{name}_{j}"
                    items.append(f"{key} = {name}{'->' if by_pointer else '.'}{path}")
                    checks.append(check(key, leaf, f"{raw}.{path}"))
            args.append(name)
        result = rng.choice(["void", "int", "record", "record", "record", "float", "double",
                             "unsigned char", "_Bool"])
        outputs, out_checks, body = [], [], ""
        if result == "record":
            record = rng.choice(records)
            result = record.name
            body = f"    static {record.name} v; memset(&v, 0x5a, sizeof(v));\n" + "\n".join(
                f"    v.{path} = {value(leaf)};" for path, leaf in record.members) + "\n    made = &v; return v;"
            for j, (path, leaf) in enumerate(record.members):
                if "[" in path:
                    continue
                outputs.append(f"r_{j} = return.{path}")
                out_checks.append(check(f"r_{j}", leaf, f"(({record.name} *)made)->{path}"))
        elif result != "void":
            leaf = ({"kind": "float", "size": 4 if result == "float" else 8, "c": result}
                    if result in ("float", "double") else
                    {"kind": "int", "c": result, "signed": result == "int",
                     "size": 4 if result == "int" else 1})
            body = f"    static {result} v; v = ({result})({value(leaf)}); made = &v; return v;"
            outputs.append("r = return")
            out_checks.append(check("r", leaf, f"*({result} *)made"))
        attrs = ["span"]
        if items:
            attrs.append(f"input({', '.join(items[:250])})")
        if outputs:
            attrs.append(f"output({', '.join(outputs)})")
        manifest.append(f"[[{', '.join(attrs)}]] {result} f{n}({', '.join(params)});")
        functions.append(f"static {result} f{n}({', '.join(params)})\n{{\n"
                         + "".join(f"    (void){a};\n" for a in args) + body + "\n}")
        # The stub calls probe_target and keeps the registers before and after.
        calls.append("static void call%d(void)\n{\n    const struct manifest_decl *d = decl(%d);\n%s\n    probe_target = (void *)f%d;\n    %s((%s (*)(%s))(void *)probe)(%s);\n    leave();\n%s\n%s\n%s}" % (
            n, n, "\n".join(setup), n, "" if result == "void" else f"volatile {result} kept = ", result, ", ".join(params), ", ".join(args),
            "\n".join(checks), "\n".join(out_checks),
            "" if result == "void" else "    (void)kept;\n"))
    quoted = "\n".join('    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"' for line in manifest)
    with open(sys.argv[1], "w") as out:
        out.write('#include "place_probe.h"\n')
        out.write("enum state { FIVE = 5, NEG = -3 };\n" + "\n".join(r.text for r in records) + "\n")
        out.write("static void *made;\nconst char place_manifest[] =\n" + quoted + ";\n")
        out.write("\n".join(functions) + "\n" + "\n".join(calls) + "\n")
        sizes = "\n".join(f"    check_size(\"{r.name}\", sizeof({r.name}), _Alignof({r.name}));" for r in records)
        out.write("void place_run(void)\n{\n" + sizes + "\n" + "\n".join(f"    call{n}();" for n in range(240)) + "\n}\n")


main()

# SPDX-License-Identifier: Apache-2.0
"""In gdb: arguments and locals of each frame, in the notation of handspan, as
JSON after a mark."""
import json
import os

import gdb

SCALARS = {gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_RANGE}
STRINGS, ELEMENTS, DEPTH = 120, 8, 4


def is_char(t):
    return t.sizeof == 1 and t.code in SCALARS and "char" in str(t)


def quoted(data, limit):
    end = data.find(b"\0")
    cut = data[:end] if end >= 0 else data[:limit]
    out = "".join(
        "\\" + chr(c) if c in b'"\\' else chr(c) if 32 <= c < 127
        else f"\\{c:03o}" for c in cut)
    return f'"{out}"' + ("" if end >= 0 else "...")


def pointer(value, t):
    text = hex(int(value) & (1 << 64) - 1)
    target = t.target().strip_typedefs().unqualified()
    if not is_char(target):
        return text
    try:
        data = gdb.selected_inferior().read_memory(int(value), STRINGS)
    except gdb.error:
        return text
    return f"{text} {quoted(bytes(data), STRINGS)}"


def number(value, t):
    if t.code == gdb.TYPE_CODE_BOOL:
        return "true" if int(value) else "false"
    if t.code == gdb.TYPE_CODE_FLT:
        return {4: "%.9g", 8: "%.17g"}.get(t.sizeof, "%.18g") % float(value)
    return str(int(value))


def last(name):
    """Without namespaces: std::vector<std::string> is vector<std::string>."""
    depth, start = 0, 0
    for i, c in enumerate(name or ""):
        depth += (c == "<") - (c == ">")
        if depth == 0 and name[i:i + 2] == "::":
            start = i + 2
    return name[start:] if name else name


def record(value, t, depth):
    if depth >= DEPTH:
        return "{...}"
    parts = []
    for field in t.fields():
        if not hasattr(field, "bitpos"):
            continue  # static
        left = f"<{last(field.name)}>" if field.is_base_class else field.name
        text = show(value[field], depth + 1)
        parts.append(f"{left} = {text}" if left else text)
    return "{" + ", ".join(parts) + "}"


def array(value, t, depth):
    element = t.target().strip_typedefs().unqualified()
    if is_char(element):
        return quoted(bytes(int(value[i]) & 255 for i in
                            range(t.range()[1] + 1)), STRINGS)
    if element.code == gdb.TYPE_CODE_ARRAY or depth >= DEPTH:
        return "{...}"
    count = t.range()[1] + 1
    parts = [show(value[i], depth + 1) for i in range(min(count, ELEMENTS))]
    return "{" + ", ".join(parts + ["..."] * (count > ELEMENTS)) + "}"


def show(value, depth=0):
    t = value.type.strip_typedefs().unqualified()
    if value.is_optimized_out:
        return "(optimized out)"
    if t.code == gdb.TYPE_CODE_PTR:
        return pointer(value, t)
    if t.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return pointer(value.referenced_value().address, t)
    if t.code == gdb.TYPE_CODE_ENUM:
        return value.format_string().split("::")[-1]
    if t.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return record(value, t, depth)
    if t.code == gdb.TYPE_CODE_ARRAY:
        return array(value, t, depth)
    return number(value, t)


def variables(frame):
    out, block = {}, frame.block()
    while block is not None:
        for symbol in block:
            if (symbol.is_argument or symbol.is_variable) and \
                    symbol.name not in out:
                try:
                    text = show(symbol.value(frame))
                except gdb.error as e:
                    text = f"(error: {e})"
                out[symbol.name] = text
        if block.function is not None:
            return out
        block = block.superblock
    return out


def frames():
    frame, out = gdb.newest_frame(), []
    while frame is not None:
        try:
            found = variables(frame)
        except RuntimeError:
            found = None  # no debug information
        if found is not None and frame.type() != gdb.TAILCALL_FRAME:
            place = frame.find_sal().symtab
            out.append({"function": frame.name(), "values": found,
                        "file": os.path.basename(place.filename)
                        if place else None})
        frame = frame.older()
    return out


print("\n@@" + json.dumps(frames()))

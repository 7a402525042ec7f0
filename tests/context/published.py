#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a profiler sees of a thread: OTEP 4947 read from outside.

usage: published.py BUILD_DIR PROGRAM

As its reading protocol says: /proc/PID/maps for OTEL_CTX and for a file whose
dynamic symbols have otel_thread_ctx_v1, its relocation for the place from the
thread pointer, then the thread stopped by ptrace and its memory read.
"""
import ctypes
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

SYMBOL = "otel_thread_ctx_v1"
SEIZE, INTERRUPT, GETREGS, DETACH = 0x4206, 0x4207, 12, 17
WALL = 0x40000000
FS_BASE = 21  # of struct user_regs_struct
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2


def read(pid, at, size):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(at)
        return memory.read(size)


def maps(pid):
    """(low address, offset in the file, path) of each mapping."""
    for line in open(f"/proc/{pid}/maps"):
        part = line.split(None, 5)
        low = int(part[0].split("-")[0], 16)
        yield low, int(part[2], 16), part[5].strip() if len(part) > 5 else ""


def fields(data):
    """Protobuf: (number, value) of length-delimited fields."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        assert tag & 7 == 2 and size < 128, data
        yield tag >> 3, data[at + 2:at + 2 + size]
        at += 2 + size


def announced(pid):
    """The attributes of the process context; None: there is none."""
    found = [low for low, _, path in maps(pid) if re.match(
        r"(/memfd:|\[anon_shmem:|\[anon:)OTEL_CTX", path)]
    if not found:
        return None
    assert len(found) == 1, found
    signature, version, size, when, payload = struct.unpack(
        "8sIIQQ", read(pid, found[0], 32))
    assert (signature, version) == (b"OTEL_CTX", 2) and when, signature
    said = {}
    for number, attribute in fields(read(pid, payload, size)):
        assert number == 2, number
        key, value = dict(fields(attribute)).values()
        said[key.decode()] = dict(fields(value))
    return said


def offset(pid):
    """Where the variable stands from the thread pointer; None: no symbol."""
    for low, file_offset, path in maps(pid):
        if file_offset or not path.startswith("/") or not os.path.exists(path):
            continue
        shown = subprocess.run(["readelf", "-rW", "--dyn-syms", path],
                               capture_output=True, text=True).stdout
        if SYMBOL not in shown:
            continue
        found = re.search(r"^(\w+) .*R_X86_64_TPOFF64 .*" + SYMBOL, shown,
                          re.M)
        return struct.unpack("q", read(pid, low + int(found[1], 16), 8))[0]
    return None


def thread_pointer(tid):
    assert libc.ptrace(SEIZE, tid, None, None) == 0, ctypes.get_errno()
    assert libc.ptrace(INTERRUPT, tid, None, None) == 0
    os.waitpid(tid, WALL)
    words = (ctypes.c_uint64 * 27)()
    assert libc.ptrace(GETREGS, tid, None, ctypes.addressof(words)) == 0
    return words[FS_BASE]


def look(pid, tid):
    """The traceparent that its record makes; None: no valid record."""
    at = offset(pid)
    pointer = thread_pointer(tid)
    try:
        record, = struct.unpack("Q", read(pid, pointer + at, 8))
        if not record:
            return None
        trace, span, valid, flags, size = struct.unpack(
            "<16s8sBBH", read(pid, record, 28))
        assert size == 0
        return f"00-{trace.hex()}-{span.hex()}-{flags:02x}" if valid else None
    finally:
        libc.ptrace(DETACH, tid, None, None)


class Program:
    def __init__(self, build, program, folder, **environment):
        os.mkdir(folder, 0o700)
        manifest = pathlib.Path(folder) / "m"
        manifest.write_text("[[object(main)]];\n[[span]] int handler(int n);\n"
                            "[[span]] int inner(const char *where);\n")
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("HANDSPAN", "TRACE"))}
        env.update(environment, HANDSPAN_DIR=str(folder),
                   HANDSPAN_MANIFEST=str(manifest), HANDSPAN_SIDECAR="off",
                   LD_PRELOAD=str(build / "lib" / "libhandspan.so"))
        self.process = subprocess.Popen([program], env=env, text=True,
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def stops(self, look):
        """What `look` saw at each stop, and the truth."""
        for line in self.process.stdout:
            where, pid, tid = line.split()
            seen = look(int(pid), int(tid))
            self.process.stdin.write("x")
            self.process.stdin.flush()
            yield where, seen, self.process.stdout.readline().strip()
        assert self.process.wait() == 0


def check_on(program):
    attributes = {"threadlocal.schema_version": {1: b"tlsdesc_v1_dev"},
                  "threadlocal.attribute_key_map": {5: b""}}
    places, spans = [], set()
    for where, (said, seen), told in program.stops(
            lambda pid, tid: (announced(pid), look(pid, tid))):
        assert said == attributes, (where, said)
        expect = None if where == "fiber" else told
        assert seen == expect, (where, seen, told)
        places.append(where)
        spans.add(told)
    assert places == ["inner", "handler", "child", "process", "thread",
                      "fiber"], places
    assert len(spans) == len(places), spans


def check_off(program):
    for where, seen, told in program.stops(
            lambda pid, _: (announced(pid), offset(pid))):
        assert told and seen == (None, None), (where, seen)


def main():
    build, program = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="handspan-published-") as temp:
        check_on(Program(build, program, temp + "/on",
                         HANDSPAN_THREAD_CONTEXT="on"))
        check_off(Program(build, program, temp + "/off"))


main()

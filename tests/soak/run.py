#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs under a manifest that takes whatever it can get: output
and exit status as untraced, byte for byte; each in the store; nothing left.

  run.py BUILD_FOLDER [few]

few: the share of `ci`. A program that is not installed is skipped and named.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

OBJECTS = ("libz.so*", "liblzma.so*", "libbz2.so*", "libzstd.so*",
           "libcrypto.so*", "libssl.so*", "libglib-2.0.so*", "libsqlite3.so*",
           "libstdc++.so*", "libpng16.so*", "libjson-c.so*", "libmagic.so*",
           "libbfd*.so*")
# each: what is traced, and the arguments; {} is a folder with input files
FEW = (
    ("xz", ["-9c", "{}/text"]),
    ("sqlite3", ["-batch", ":memory:", "select sum(length(hex(value))) "
                 "from generate_series(1,5000);"]),
    ("bash", ["-c", "for i in 1 2 3 4 5 6; do echo $i | wc -c; done; exit 3"]),
    ("git", ["hash-object", "{}/text", "{}/none"]),
    ("file", ["-b", "{}/text", "/bin/sh"]),
)
MORE = (
    ("perl", ["-e", "print join ',', sort map { $_ * 7 % 101 } 1..999"]),
    ("/usr/bin/python3", ["-c", "import zlib,hashlib,sqlite3,json;"
                          "print(zlib.crc32(b'x'*99999),"
                          "hashlib.sha256(b'y').hexdigest())"]),
    ("gcc", ["-O2", "-S", "-o", "-", "{}/prog.c"]),
    ("ld", ["--verbose"]),
    ("gdb", ["-nx", "-batch", "-ex", "info line main", "/bin/true"]),
    ("gzip", ["-nc", "{}/text"]),
    ("zstd", ["-qc", "{}/text"]),
    ("bzip2", ["-c", "{}/text"]),
    ("tar", ["-C", "{}", "-czf", "-", "--mtime=@0", "text", "prog.c"]),
    ("ffmpeg", ["-v", "error", "-f", "lavfi", "-i",
                "testsrc=d=0.2:s=64x64:r=5", "-f", "framemd5", "-"]),
    ("samtools", ["view", "-h", "{}/small.sam"]),
    ("gst-launch-1.0", ["-q", "fakesrc", "num-buffers=3", "!", "fakesink"]),
    ("tesseract", ["--list-langs"]),
    ("pdftoppm", ["-v"]),
    ("curl", ["--silent", "--show-error", "file://{}/text"]),
    ("openssl", ["dgst", "-sha256", "{}/text"]),
    ("cmake", ["-E", "sha256sum", "{}/text"]),
    ("node", ["-e", "console.log(require('zlib').deflateSync('a'.repeat(9999))"
              ".toString('hex'));process.exitCode=4"]),
    ("sort", ["--parallel=2", "-r", "{}/text"]),
    ("awk", ["{ n += length($0) } END { print n; exit 2 }", "{}/text"]),
    ("ssh", ["-V"]),
    ("java", ["-version"]),
    ("valgrind", ["-q", "/bin/true"]),
    ("objdump", ["-d", "--start-address=0x4000", "--stop-address=0x4200",
                 "/bin/true"]),
    ("find", ["{}", "-name", "*.c", "-printf", "%f %s\\n"]),
    ("vim", ["-u", "NONE", "-es", "-c", "%print", "-c", "q!", "{}/text"]),
    ("jq", ["-n", "[range(99)] | add"]),
)


def write_input(folder):
    with open(folder + "/text", "w", encoding="utf-8") as f:
        f.writelines(f"{i * 7919 % 10007} line {i}\n" for i in range(20000))
    with open(folder + "/prog.c", "w", encoding="utf-8") as f:
        f.write("int f(int n) { int s = 0; while (n--) s += n * n; "
                "return s; }\n")
    with open(folder + "/small.sam", "w", encoding="utf-8") as f:
        f.write("@SQ\tSN:c\tLN:99\nr\t0\tc\t1\t9\t4M\t*\t0\t0\tACGT\tIIII\n")
    with open(folder + "/broad.manifest", "w", encoding="utf-8") as f:
        for name in ("main", *OBJECTS):
            scope = name if name == "main" else f'"{name}"'
            f.write(f'[[object({scope})]];\n[[span, match("*")]];\n')


def run(argv, env, cwd):
    done = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def is_left(folder):
    """Processes that have our folder in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if folder.encode() in f.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def wait_until(is_true, what):
    end = time.monotonic() + 300
    while not is_true():
        if time.monotonic() > end:
            return [f"still so after 60 s: {what}"]
        time.sleep(0.05)
    return []


def main():
    build = os.path.abspath(sys.argv[1])
    programs = FEW if "few" in sys.argv[2:] else FEW + MORE
    memory = os.environ.get("TEST_MEMORY")
    top = tempfile.mkdtemp(prefix="handspan-soak-", dir=memory)
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN_", "LD_"))}
    bare.update(LC_ALL="C", HOME=top)
    handspan, faults, traced_programs = build + "/bin/handspan", [], []
    lanes, store = top + "/lanes", top + "/store.db"
    ours = dict(bare, HANDSPAN_DIR=lanes, HANDSPAN_STORE=store)
    env = dict(ours, HANDSPAN_MANIFEST=top + "/broad.manifest",
               LD_PRELOAD=build + "/lib/libhandspan.so")
    write_input(top)
    try:
        for name, args in programs:
            path = shutil.which(name)
            if path is None:
                print(f"{name}: not installed")
                continue
            argv = [path, *(a.replace("{}", top) for a in args)]
            want, begin = run(argv, bare, top), time.monotonic()
            files, got = set(os.listdir(top)), run(argv, env, top)
            print(f"{name}: {time.monotonic() - begin:.2f} s, exit {got[0]}",
                  flush=True)
            traced_programs.append(os.path.basename(path))
            for what, a, b in zip(("status", "stdout", "stderr"), want, got):
                if a != b:
                    faults.append(f"{name}: {what} {b[-300:]!r} untraced "
                                  f"{a[-300:]!r}" if what != "status" else
                                  f"{name}: status {b}, untraced {a}")
            left = set(os.listdir(top)) - files - {"lanes", "store.db",
                                                   "store.db-wal",
                                                   "store.db-shm"}
            # (what comes too fast waits beside the store)
            left = {n for n in left if not n.startswith("store.db-spool-")}
            if left:
                faults.append(f"{name}: left {left}")
        faults += wait_until(lambda: not any(
            n.startswith("session-") for n in os.listdir(lanes)), "sessions")
        faults += wait_until(lambda: not is_left(top), "processes")
        faults += [f"left {n}" for n in os.listdir(top) if "-spool-" in n]
        out = subprocess.run([handspan, "list", "--json", "--limit", "9999"],
                             env=ours, capture_output=True, text=True,
                             check=False).stdout
        rows = [json.loads(line) for line in out.splitlines()][1:]
        known = " ".join(json.dumps(row) for row in rows)
        faults += [f"not in the list: {n}" for n in traced_programs
                   if n not in known]
        spans = sum(row.get("spans") or 0 for row in rows)
        if spans < 1000:
            faults.append(f"only {spans} spans: the manifest takes nothing")
        print(len(traced_programs), "programs,", len(rows), "traces,", spans,
              "spans")
    finally:
        alive.remove(top)
    print("\n".join(faults) or "all as untraced")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())

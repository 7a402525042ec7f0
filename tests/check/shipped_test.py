#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manifests that come with handspan, taken in by include from a file that
stands elsewhere: no message, every declaration finds its function, and an
unmodified program is traced through them with what it printed unchanged.

usage: shipped_test.py HANDSPAN CASE
"""
import subprocess
import sys

from common import Place, expect

SQL = ("create table t(x); insert into t values(1),(2); "
       "select sum(x) from t;")
ZLIB = ("import zlib; b = bytes(100000); "
        "c = zlib.compressobj(); z = c.compress(b) + c.flush(); "
        "print(len(zlib.decompressobj().decompress(z)))")
# program, exit status, {handler: calls, None: at least one}
CASES = {
    "sqlite3": (["sqlite3", "x.db", SQL], 0,
                {"sqlite3_prepare_v2": None, "sqlite3_step": None}),
    "libcurl": (["curl", "-s", "file:///etc/debian_version"], 0,
                {"curl_easy_perform": 1}),
    "libpq": (["psql", "-h", "/nonexistent", "-c", "select 1"], 2,
              {"PQfinish": 1}),
    "zlib": (["/usr/bin/python3", "-S", "-c", ZLIB], 0,
             {"deflate": None, "inflate": None}),
}


def main():
    name = sys.argv[2]
    command, status, called = CASES[name]
    with Place() as p:
        p.write("m", f'[[include("{name}.manifest")]];\n')
        rows = p.rows("-m", "m", command[0])
        unbound = {n: r["remark"] for n, r in rows.items()
                   if r["status"] not in ("ok", "later")}
        expect(unbound, {}, "declarations that are not seen whole")
        out = p.handspan("check", "-m", "m", command[0]).stdout
        expect("warning" in out or "error:" in out, False, out)
        plain = subprocess.run(command, cwd=p.at, env=p.env, check=False,
                               capture_output=True)
        p.sh("rm -f x.db")
        traced = p.handspan("run", "-m", "m", "--summary", "never", "--",
                            *command, status=status)
        expect(traced.stdout, plain.stdout.decode(), "what it printed")
        p.sh("for i in $(seq 1000); do ls dir | grep -q ^session || exit 0; "
             "sleep 0.02; done; exit 1")
        after = p.rows("--trace", "latest")
        for handler, calls in called.items():
            seen = after[handler]["calls"]
            expect(seen == calls if calls else bool(seen), True,
                   f"calls of {handler}: {seen}")


main()

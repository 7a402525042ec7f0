#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the views and exports of one large trace cost: CPU time and peak memory
of each command, least of the rounds, of a store that a real run has made (seven
handlers nested by up to three, one of them with values and now and then a
failure; nothing is dropped: the run waits for room).

  views.py BUILD_FOLDER [--spans 1000000] [--rounds 3] [--store FILE]

--store: keep the store there, and take it if it is there already.
"""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = """
#include <stdio.h>
#include <stdlib.h>
#define HANDLER __attribute__((noinline, noclone))
volatile long sink;
HANDLER int leaf_read(const char *name, int n)
{ sink += n + name[0]; __asm__ volatile(""); return n % 997 == 0 ? -2 : n; }
HANDLER int leaf_hash(long n)
{ for (int i = 0; i < 20; i++) sink = sink * 31 + n; return (int)(sink & 7); }
HANDLER int leaf_emit(long n) { sink ^= n; __asm__ volatile(""); return 0; }
HANDLER int stage_parse(long i)
{
    char name[64];
    int sum = leaf_hash(i);
    snprintf(name, sizeof name, "input-%ld-part.csv", i);
    for (int j = 0; j < 4; j++)
        sum += leaf_read(name, (int)(i * 4 + j));
    return sum;
}
HANDLER int stage_write(long i)
{
    int sum = leaf_hash(i);
    for (int j = 0; j < 3; j++)
        sum += leaf_emit(i + j);
    return sum;
}
HANDLER int process_record(long i) { return stage_parse(i) + stage_write(i); }
HANDLER int worker(long n)
{
    int sum = 0;
    for (long i = 0; i < n; i++)
        sum += process_record(i);
    return sum;
}
int main(int argc, char **argv)
{ return argc > 1 && worker(atol(argv[1]) / 12) == 77777; }
"""
MANIFEST = """[[object(main)]];
[[span, input(name, n), fails(return < 0, -return)]]
int leaf_read(const char *name, int n);
[[span]] int leaf_hash(long n);
[[span]] int leaf_emit(long n);
[[span, input(i)]] int stage_parse(long i);
[[span]] int stage_write(long i);
[[span]] int process_record(long i);
[[span]] int worker(long n);
"""
COMMANDS = ["show", "stats", "errors", "spans -n 1000", "show --spans",
            "export -f csv", "export -f chrome", "export -f otlp",
            "export -f otlp-protobuf"]


def environment(top, store):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    return dict(env, HANDSPAN_DIR=top + "/lanes", HANDSPAN_STORE=store,
                HANDSPAN_CONFIG="/dev/null", HANDSPAN_KEEP_SIZE="off",
                HANDSPAN_KEEP_AGE="off", HANDSPAN_THIN_AGE="off")


def make(build, top, store, spans):
    """A traced run, its sidecar beside it."""
    for name, text in ("program.c", SOURCE), ("manifest", MANIFEST):
        with open(f"{top}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-o",
                    top + "/program", top + "/program.c"], check=True)
    env = environment(top, store)
    os.mkdir(top + "/lanes", 0o700)
    side = subprocess.Popen([build + "/bin/handspan", "sidecar", "--stay"],
                            env=env)
    try:
        subprocess.run([top + "/program", str(spans)], check=True, env=dict(
            env, LD_PRELOAD=build + "/lib/libhandspan.so",
            HANDSPAN_SIDECAR="off", HANDSPAN_WAIT_MS="60000",
            HANDSPAN_MANIFEST=top + "/manifest"))
        while any(n.startswith("session-") for n in os.listdir(top + "/lanes")):
            time.sleep(0.1)
    finally:
        side.terminate()
        side.wait()


def measure(argv, env):
    """(CPU seconds, peak MB) of one command."""
    with open(os.devnull, "wb") as out:
        process = subprocess.Popen(argv, env=env, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{argv}: {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--spans", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    top = tempfile.mkdtemp(prefix="handspan-views-")
    store = os.path.abspath(args.store) if args.store else top + "/store.db"
    try:
        if not os.path.exists(store):
            make(build, top, store, args.spans)
        with sqlite3.connect(store) as db:
            count, dropped = db.execute(
                "SELECT (SELECT count(*) FROM span_rows),"
                " (SELECT sum(dropped_calls) FROM rollups)").fetchone()
        if dropped:
            sys.exit(f"{dropped} calls have no span")
        size = os.path.getsize(store)
        print(f"{count} spans, {size / count:.0f} bytes each")
        env = environment(top, store)
        for command in COMMANDS:
            runs = [measure([build + "/bin/handspan", *command.split()], env)
                    for _ in range(args.rounds)]
            print(f"{command:24} {min(r[0] for r in runs):7.2f} s "
                  f"{min(r[1] for r in runs):6.0f} MB", flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()

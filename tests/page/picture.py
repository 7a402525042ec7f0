#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The picture of the page in the README, out of a real run: samtools sorts a
file with a damaged line, with four threads.

usage: picture.py HANDSPAN SOURCE FOLDER OUT.png   (FOLDER: that of browser_test.py,
                                                    with its packages)
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../common")
import alive

HANDSPAN, SOURCE, FOLDER, OUT = map(os.path.abspath, sys.argv[1:])
EXAMPLE = f"{SOURCE}/examples/samtools"
MOST_BYTES = 150_000


def run(folder, *command, **more):
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, text=True, **more)


def trace(folder):
    """A failed trace in a store of its own; its id."""
    with open(f"{folder}/in.sam", "w") as reads:
        run(folder, "awk", "-v", "reads=30000", "-f", f"{EXAMPLE}/make_sam.awk",
            stdout=reads, check=True)
    with open(f"{folder}/in.sam", "r+b") as reads:
        reads.seek(os.path.getsize(reads.name) * 3 // 4)
        reads.write(b"\nread?\n")
    failed = run(folder, HANDSPAN, "run", "-m", f"{EXAMPLE}/handlers.manifest", "--",
                 "samtools", "sort", "--no-PG", "-m", "2M", "-@", "4", "-o", "out.bam",
                 "in.sam")
    assert failed.returncode == 1, failed
    rows = run(folder, HANDSPAN, "list", "--json", stdout=subprocess.PIPE).stdout
    return json.loads(rows.splitlines()[1])["trace_id"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/lanes", 0o700)
        os.environ.update(HANDSPAN_DIR=f"{folder}/lanes",
                          HANDSPAN_STORE=f"{folder}/store.db")
        wanted = trace(folder)
        server = subprocess.Popen([HANDSPAN, "serve"], text=True, stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        try:
            url = re.search(r"http\S+", server.stdout.readline()).group()
            subprocess.run(["node", f"{SOURCE}/tests/page/picture.mjs", FOLDER, url, wanted,
                            OUT], check=True, stdin=subprocess.DEVNULL)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
            alive.end(folder)
    size = os.path.getsize(OUT)
    print(f"{OUT}: {size} bytes")
    return size > MOST_BYTES


if __name__ == "__main__":
    sys.exit(main())

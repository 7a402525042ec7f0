# SPDX-License-Identifier: Apache-2.0
"""Many threads with a little each lose nothing at the default budget, also where
no sidecar takes anything away meanwhile.

    many_threads.py BUILD PROGRAM THREADS CALLS
"""
import os
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "common"))
import alive  # noqa: E402


def main():
    build, program, threads, calls = sys.argv[1:]
    top = tempfile.mkdtemp(prefix="handspan-threads-")
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN_", "LD_"))}
    env.update(HANDSPAN_DIR=top + "/d", HANDSPAN_STORE=top + "/s.db",
               HANDSPAN_MANIFEST=top + "/m", HANDSPAN_SIDECAR="off",
               HANDSPAN_CONFIG="/dev/null")
    with open(top + "/m", "w", encoding="utf-8") as f:
        f.write("[[object(main)]];\n"
                "[[span, input(text)]] long answer(const char *text);\n")
    try:
        subprocess.run([program, threads, calls], check=True, timeout=300,
                       env=dict(env, LD_PRELOAD=build + "/lib/libhandspan.so"))
        subprocess.run([build + "/bin/handspan", "sidecar"], env=env, check=True,
                       capture_output=True, timeout=300)
        db = sqlite3.connect(top + "/s.db")
        seen = db.execute("SELECT count(*), count(input) FROM spans").fetchone()
        losses = db.execute("SELECT kind, sum(count) FROM losses GROUP BY 1"
                            ).fetchall()
        db.close()
    finally:
        alive.end(top)
        alive.remove(top)
    want = int(threads) * int(calls)
    print(f"{want} calls, {seen[0]} spans, {seen[1]} with their text, {losses}")
    return 0 if seen == (want, want) and not losses else 1


if __name__ == "__main__":
    sys.exit(main())

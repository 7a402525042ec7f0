#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manifests of asynchronous libraries, from where handspan was installed:
`check` has nothing to say against any; the first program is traced through its.

  installed.py BUILD PROGRAM=MANIFEST...
"""
import importlib
import os
import shutil
import subprocess
import sys

common = importlib.import_module("async")


def main():
    build = os.path.abspath(sys.argv[1])
    with common.Place(build) as place:
        prefix = place.at + "/prefix"
        subprocess.run(["cmake", "--install", build, "--prefix", prefix],
                       check=True, capture_output=True)
        place.build = prefix
        shutil.copy(build + "/lib/libhandspan.so", place.at)  # no manifests
        for pair in sys.argv[2:]:
            program, name = pair.split("=")
            path = place.at + "/m"
            with open(path, "w", encoding="utf-8") as f:
                f.write(f'[[include("{name}.manifest")]];\n')
            done = subprocess.run(
                [prefix + "/bin/handspan", "check", "-m", path, program],
                env=place.env, capture_output=True, text=True, check=False)
            rows = [line.split()[0] for line in done.stdout.splitlines()
                    if line[:1].isalpha()]
            bad = "warning" in done.stdout or "error" in done.stdout or \
                done.returncode != 0 or done.stderr
            common.check(bool(bad), False, done.stdout + done.stderr)
            common.check(rows.count("ok") > 0 and not {"NONE", "part", "later"}
                         & set(rows), True, done.stdout)
            if pair != sys.argv[2]:
                continue
            truth = place.at + "/truth"
            run = subprocess.run(
                [prefix + "/bin/handspan", "run", "--summary", "never", "-m",
                 path, "--", program, truth], env=place.env,
                capture_output=True, text=True, check=False, timeout=300)
            common.check((run.returncode, run.stderr), (0, ""), name)
            place.handspan("sidecar")
            seen = place.rows("check", "--trace", "latest")
            common.check({r["status"] for r in seen} & {"ok"}, {"ok"}, seen)
            common.check(any(r["calls"] for r in seen), True, seen)
        print("ok:", *sys.argv[2:])


if __name__ == "__main__":
    main()

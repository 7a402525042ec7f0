#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README's "Your own program", as it stands: its manifest and its commands, of
an `./etl-nightly` with a library that has the handlers it names.

usage: readme_test.py SOURCE HANDSPAN
"""
import json
import os
import re
import subprocess
import sys
import tempfile

SOURCE, HANDSPAN = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.path.insert(0, os.path.join(SOURCE, "tests/common"))
import alive  # noqa: E402

HEADER = r"""
struct job { long id; };
int extract(struct job *job, const char *path, char **out);
int stage_load(const char *day);
int stage_sum(int n);
"""
LIBRARY = r"""
#include "etl.h"
#include <string.h>
__attribute__((noinline)) int extract(struct job *job, const char *path, char **out)
{ *out = (char *)path; __asm__ volatile(""); return job->id > 7 ? -2 : 0; }
__attribute__((noinline)) int stage_load(const char *day)
{ __asm__ volatile(""); return (int)strlen(day); }
__attribute__((noinline)) int stage_sum(int n)
{ __asm__ volatile(""); return n + 1; }
"""
PROGRAM = r"""
#include "etl.h"
int main(int argc, char **argv)
{ char *out; struct job good = {7}, bad = {8};
  extract(&good, "/data/a.csv", &out); extract(&bad, "/data/x.csv", &out);
  return argc != 3 || stage_sum(stage_load(argv[2])) != 11; }
"""


def chapter():
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as f:
        return re.search(r"(?s)\n## Your own program\n(.*?)\n## ", f.read())[1]


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r}, want {want!r}")


class Place:
    def __init__(self, top):
        self.top = top
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HANDSPAN")}
        self.env.update(HANDSPAN_DIR=top + "/lanes", HANDSPAN_STORE=top + "/store.db",
                        HANDSPAN_CONFIG="/dev/null", HOME=top,
                        PATH=os.path.dirname(HANDSPAN) + ":" + os.environ["PATH"])
        os.mkdir(top + "/lanes", 0o700)

    def write(self, name, text):
        with open(os.path.join(self.top, name), "w", encoding="utf-8") as f:
            f.write(text)

    def sh(self, command):
        done = subprocess.run(["bash", "-ec", command], cwd=self.top, env=self.env,
                              text=True, stdin=subprocess.DEVNULL, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        expect(done.returncode, 0, f"{command}\n{done.stdout}\nstatus")
        return done.stdout

    def build(self):
        self.write("etl.h", HEADER)
        self.write("etl.c", LIBRARY)
        self.write("main.c", PROGRAM)
        self.sh("${CC:-cc} -O1 -g -shared -fPIC -o libetl.so.1 -Wl,-soname,libetl.so.1 etl.c; "
                "${CC:-cc} -O1 -g -o etl-nightly main.c ./libetl.so.1 "
                "-Wl,-rpath,$PWD")

    def spans(self):
        """Of the latest trace, by name."""
        lines = self.sh("handspan spans --json --limit 0 latest").splitlines()
        found = {}
        for row in map(json.loads, lines[1:]):
            found.setdefault(row["name"], []).append(row)
        return found


def check_spans(found):
    first, second = found["extract"]
    expect([first["input"].get(k) for k in ("path", "job_id")], ["/data/a.csv", 7],
           "the first call's input")
    expect((first["status"], second["status"]), ("ok", "error"), "states")
    expect(second["error"]["type"], "ENOENT", "-return is an errno")
    expect([len(found[n]) for n in ("stage_load", "stage_sum")], [1, 1], "stages")


def main():
    text = chapter()
    console, preload = re.findall(r"(?ms)^```\n(.*?)^```$", text)[:2]
    manifest = console[:console.index("\n\n")].split("\n", 1)[1] + "\n"
    commands = re.findall(r"(?m)^\$ (handspan .*)$", console)
    expect([c.split()[1] for c in commands], ["suggest", "check", "run", "show"], "commands")
    top = os.path.realpath(tempfile.mkdtemp(prefix="readme-"))
    try:
        p = Place(top)
        p.build()
        for command in commands:
            if " check " in command:  # the manifest as README shows it, not the draft
                expect("extract" in p.sh("cat etl.manifest"), True, "the draft has it")
                p.write("etl.manifest", manifest)
            said = p.sh(command)
        expect("extract" in said and "Complete:" in said, True, said)
        check_spans(p.spans())
        library = os.path.join(os.path.dirname(HANDSPAN), "../lib/libhandspan.so")
        p.sh(preload.strip().replace("/usr/lib/handspan/libhandspan.so", library) +
             " --day 2026-03-03")
        p.sh("flock -w 300 lanes/sidecar.lock true; handspan sidecar --once")
        expect(len(p.sh("handspan list --json").splitlines()), 1 + 2, "traces")
        check_spans(p.spans())
    finally:
        alive.remove(top)
    print(f"ok: {len(commands) + 1} commands")


if __name__ == "__main__":
    main()

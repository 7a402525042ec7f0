#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Command lines of Debian's programs, each untraced and traced: what they say
and return, the files they leave, their signals, the system calls they make,
descriptors and environment with these. A difference is a fault of ours.

  run.py PRELOAD DUMP LABEL [PART/PARTS | PATTERN]

LABEL: `ci` takes the lines of every day, `nightly` all. lines.txt has the
command lines and says what its columns mean.
"""
import collections
import fnmatch
import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile

import fixture
import system_calls

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_S = 300
SAY = 'SAY' in os.environ
STRACE = ["strace", "-ff", "-i", "-q", "-s", "256", "-a", "1", "-e",
          "abbrev=!execve"]
BUILT_IN = ("cd", "ulimit", "trap", "exec", "kill", "export")

Line = collections.namedtuple("Line", "flags objects command")


def lines():
    with open(os.path.join(HERE, "lines.txt"), encoding="utf-8") as f:
        for row in f:
            if row.strip() and not row.startswith("#"):
                flags, objects, command = row.split(None, 2)
                yield Line(flags.split(","), objects, command.strip())


def wanted(label, choice):
    rows = [row for row in lines() if label == "nightly" or "ci" in row.flags]
    if re.fullmatch(r"\d+/\d+", choice):
        part, parts = map(int, choice.split("/"))
        return rows[part::parts]
    return [row for row in rows if fnmatch.fnmatch(row.command, choice)]


def is_missing(row):
    """The line's first program is not installed."""
    words = [w for w in shlex.split(row.command) if "=" not in w.split("/")[0]]
    return words[0] if not shutil.which(words[0]) and \
        words[0] not in BUILT_IN else None


def write_manifest(path, row):
    """Functions of libc with captures, then globs of the line's libraries."""
    with open(os.path.join(HERE, "captures.manifest"), encoding="utf-8") as f:
        text = f.read()
    for word in row.objects.split(","):
        if word != "-":
            name, _, glob = word.partition(":")
            scope = "main" if name == "main" else f'"{name}"'
            text += f'[[object({scope})]];\n[[span, match("{glob or "*"}")]];\n'
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def files_of(folder):
    """{name: kind and mode, content, whether its time stamp was kept}"""
    found = {}
    for here, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(here, name)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    content = hashlib.sha256(f.read()).hexdigest()
            else:
                content = None
            found[os.path.relpath(path, folder)] = (
                oct(st.st_mode), content, int(st.st_mtime) == fixture.TIME)
    return found


class Runs:
    def __init__(self, preload, dump, top, sessions):
        self.preload, self.dump, self.sessions = preload, dump, sessions
        self.made, self.work = os.path.join(top, "made"), top + "/work"
        self.straces, self.manifest = top + "/straces", top + "/m.manifest"
        os.mkdir(self.made)
        fixture.make(self.made)
        self.bare = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                     "HOME": self.work, "LC_ALL": "C.UTF-8", "TZ": "UTC",
                     "TERM": "dumb", "PYTHONHASHSEED": "0",
                     "PERL_HASH_SEED": "0", "TMPDIR": self.work}
        self.added = {"LD_PRELOAD": preload, "HANDSPAN_DIR": sessions,
                      "HANDSPAN_SIDECAR": "off",
                      "HANDSPAN_MANIFEST": self.manifest}
        self.ours = collections.Counter()
        self.bound = self.spans = 0

    def run(self, row, is_traced, is_watched):
        """(what is compared of a run, its processes by strace)"""
        fixture.copy(self.made, self.work)
        command = ["sh", "-c", row.command]
        env = dict(self.bare)
        if is_traced and not is_watched:
            env.update(self.added)
        if is_watched:
            shutil.rmtree(self.straces, ignore_errors=True)
            os.mkdir(self.straces)
            extra = [x for k, v in self.added.items()
                     for x in ("-E", f"{k}={v}")] if is_traced else []
            command = STRACE + ["-o", self.straces + "/p"] + extra + command
        done = subprocess.run(command, env=env, cwd=self.work,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT_S)
        seen = {"status": done.returncode, "stdout": done.stdout,
                "stderr": done.stderr, "files": files_of(self.work)}
        if not is_watched:
            return seen, None
        ours = self.ours if is_traced else collections.Counter()
        return seen, system_calls.read(self.straces, self.preload, ours)

    def count(self):
        """What the sessions of the run before say; they are removed."""
        bound = spans = 0
        for name in os.listdir(self.sessions):
            path = os.path.join(self.sessions, name)
            if name.startswith("session-"):
                said = subprocess.run([self.dump, path], capture_output=True,
                                      text=True, errors="replace").stdout
                bound += len(re.findall(r"^site .* binding=(?:entry|slots)",
                                        said, re.M))
                spans += sum(map(int, re.findall(r"^span .* x(\d+)$", said,
                                                 re.M)))
            if os.path.isfile(path):
                os.unlink(path)
        self.bound += bound
        self.spans += spans
        return bound, spans

    def faults(self, row):
        write_manifest(self.manifest, row)
        plain, _ = self.run(row, False, False)
        traced, _ = self.run(row, True, False)
        bound, spans = self.count()
        found = _different(plain, traced, "")
        if bound == 0 or spans == 0:
            found.append(f"{bound} handlers bound, {spans} spans")
        if "turns" in row.flags:
            return found
        plain, want = self.run(row, False, True)
        traced, got = self.run(row, True, True)
        self.count()
        found += _different(plain, traced, "below strace, ")
        parts = system_calls.first_difference(want, got)
        return found + ([parts] if parts else [])


def _different(plain, traced, where):
    def say(value):
        if not isinstance(value, dict):
            return repr(value)[:300]
        return str({k: v for k, v in value.items()
                    if plain["files"].get(k) != traced["files"].get(k)})[:300]
    return [f"{where}{key}: {say(traced[key])}, untraced {say(plain[key])}"
            for key in plain if plain[key] != traced[key]]


def main():
    preload, dump, label = sys.argv[1:4]
    choice = sys.argv[4] if len(sys.argv) > 4 else "0/1"
    if not shutil.which("strace"):
        print("skipped: no strace")
        return 77
    equal = wrong = skipped = 0
    with tempfile.TemporaryDirectory(prefix="handspan-diff-") as top, \
            tempfile.TemporaryDirectory(
                prefix="handspan-diff-",
                dir=os.environ.get("TEST_MEMORY")) as sessions:
        runs = Runs(os.path.realpath(preload), dump, top, sessions)
        for row in wanted(label, choice):
            missing = is_missing(row)
            if missing:
                print(f"skipped: no {missing}")
                skipped += 1
                continue
            found = runs.faults(row)
            if SAY: print(os.times()[:4], row.command[:30], runs.spans, flush=True)
            equal += not found
            wrong += bool(found)
            for text in found:
                print(f"WRONG {row.command}: {text}")
    foreign = {n for n in runs.ours if not n.startswith("(loader) ")
               and n not in system_calls.OURS}
    if foreign:
        print(f"WRONG calls of ours that nobody stated: {sorted(foreign)}")
    print(f"{equal} command lines equal, {wrong} different, {skipped} skipped; "
          f"{runs.bound} handlers bound, {runs.spans} spans")
    print("system calls of the preload:", ", ".join(
        f"{n} {c}" for n, c in runs.ours.most_common()))
    return 1 if wrong or foreign or equal == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

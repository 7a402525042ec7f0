#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real failures of Debian programs: does the headline of `handspan errors` say
what went wrong, and is no cause shown that is none? corpus/table.txt has the
right answers, which were written down first, corpus/fresh.txt those of programs
that came after all tuning (--fresh).

  corpus.py HANDSPAN [--fresh] [--share N] [--show] [NAME...]

--share N: each N-th alone. Prints a line for each, then the figures. Fails
where fewer than nine in ten headlines are right, or one cause is wrong.
"""
import gzip
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TIMEOUT_S = 300
NOBODY = 65534
LEAST = 0.9

sys.path.insert(0, str(HERE.parent))
from common import alive  # noqa: E402


def table(of):
    for line in (HERE / "corpus" / of).read_text().splitlines():
        if line and not line.startswith("#"):
            name, command, headline, cause = (
                w.strip().replace("\\|", "|")
                for w in re.split(r"(?<!\\)\|", line))
            yield name, command, headline, cause


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + \
            struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(b"".join(b"\0" + b"\xff" * 300 for _ in range(60)))
    return b"\x89PNG\r\n\x1a\n" + \
        chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 60, 8, 2, 0, 0, 0)) + \
        chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def files(work):
    """The input: sound, damaged, forbidden."""
    awk = TOP / "examples/samtools/make_sam.awk"
    with open(work / "in.sam", "wb") as out:
        subprocess.run(["awk", "-v", "reads=3000", "-f", awk], stdout=out,
                       check=True)
    subprocess.run(["samtools", "view", "-b", "-o", "whole.bam", "in.sam"],
                   cwd=work, check=True, stderr=subprocess.DEVNULL)
    (work / "cut.bam").write_bytes((work / "whole.bam").read_bytes()[:40000])
    garbage = bytes((i * 7919 >> 3) % 251 + 1 for i in range(5000))
    for end in ("bin", "mp4", "bz2", "gz"):
        (work / f"garbage.{end}").write_bytes(garbage)
    (work / "cut.gz").write_bytes(gzip.compress(garbage)[:-20])
    (work / "whole.png").write_bytes(png())
    (work / "cut.png").write_bytes(png()[:60])
    (work / "bad.xml").write_text("<a><b></a>")
    (work / "bad.json").write_text('{"a": [1, 2')
    (work / "good.json").write_text('{"a": [1, 2]}')
    sys.path.insert(0, str(HERE))
    import real  # pylint: disable=import-outside-toplevel
    (work / "locked.pdf").write_text(real.encrypted_pdf(), encoding="latin-1")
    (work / "locked").mkdir(mode=0o555)


class Corpus:
    def __init__(self, handspan, work):
        self.handspan, self.work = handspan, work
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        self.env.update(LC_ALL="C.UTF-8", HOME=str(work),
                        HANDSPAN_CONFIG="/dev/null",
                        HANDSPAN_DIR=str(work / "dir"),
                        HANDSPAN_STORE=str(work / "store.db"))
        os.mkdir(work / "dir", 0o700)

    def execute(self, words, **more):
        return subprocess.run(words, cwd=self.work, env=self.env, check=False,
                              timeout=TIMEOUT_S, capture_output=True,
                              stdin=subprocess.DEVNULL, **more)

    def headlines(self, command):
        """A line for each group, and its causes as they stand there."""
        self.execute([self.handspan, "run", "-m",
                      str(HERE / "corpus/libs.manifest"), "--", "sh", "-c",
                      "exec " + command])
        self.execute([self.handspan, "sidecar", "--once"])
        said = self.execute([self.handspan, "errors", "--trace", "latest"])
        text = said.stdout.decode("utf-8", "replace")
        groups = re.split(r"\n(?=[0-9a-f]{4,} )", "\n" + text)
        return [" ".join(g.split()) for g in groups if g.strip()]


def causes(line):
    found = re.search(r"first cause (.*)", line)
    return [found.group(1)] if found else []


def judge(lines, headline, cause):
    """(is the headline right, is a wrong one shown)"""
    right = any(re.search(headline, line, re.I) for line in lines)
    wrong = False
    for shown in (c for line in lines for c in causes(line)):
        wrong |= cause == "none" or not re.search(cause, shown)
    return right, wrong


def run_all(handspan, work, words):
    """The status to exit with."""
    show = "--show" in words
    of = "fresh.txt" if "--fresh" in words else "table.txt"
    share = int(words[words.index("--share") + 1]) if "--share" in words else 1
    names = [w for w in words if not w.startswith("--") and not w.isdigit()]
    corpus = Corpus(handspan, work)
    right = wrong = count = 0
    programs = set()
    for i, (name, command, headline, cause) in enumerate(table(of)):
        if (names and name not in names) or (not names and i % share):
            continue
        program = command.split()[0]
        if shutil.which(program) is None:
            print(f"{name}: skipped, no {program}")
            continue
        lines = corpus.headlines(command)
        is_right, is_wrong = judge(lines, headline, cause)
        count, right, wrong = count + 1, right + is_right, wrong + is_wrong
        programs.add(program)
        verdict = "WRONG" if is_wrong else "right" if is_right else "missed"
        print(f"{name}: {verdict}", flush=True)
        if show or verdict != "right":
            print("".join(f"    {line}\n" for line in lines), end="")
    print(f"{count} failures of {len(programs)} programs: {right} headlines "
          f"right ({100 * right // max(count, 1)} %), {wrong} wrong", flush=True)
    return int(wrong > 0 or right < LEAST * count)


def as_nobody(work, run):
    """No permission is one of the reasons, and root has them all."""
    for path in [work, *work.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    child = os.fork()
    if child == 0:
        status = 3
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            status = run()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    handspan = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        files(work)

        def run():
            return run_all(handspan, work, sys.argv[2:])
        status = as_nobody(work, run) if os.geteuid() == 0 else run()
        left = alive.wait_for_none(folder)
        assert not left, left
    sys.exit(status)


main()

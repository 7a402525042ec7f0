#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words of a lane, of its open spans and of the session's header are overwritten
from outside while a thread writes there: the program lives, its output is its
own, it writes nothing outside of its lane, and the sidecar lives, too.

usage: hostile.py BUILD_DIR few|all
few: several words of the header in one run, the values one after the other
all: each word and each value in a run of its own
"""
import itertools
import mmap
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

MANIFEST = """[[object(main)]];
[[span, capture("none")]] long plain(long number);
[[span, input(said)]] long text(long number, const char *said);
[[span, input(number, at[0:len]), output(return)]]
long block(long number, const char *at, long len);
"""
FIRST, CALLS = 400, 150000  # of the first thread, within one unit: a bystander
TABLE, LANES, UNITS = 112, 8, 9
NEXT_LANE, NEXT_UNIT, READY = 412, 416, 320
HOME, LANE_BYTES, SEGMENT = 20480, 86016, 1 << 17
# docs/lane.md: who, robust, owner, position to dropped, tail, recycled, unit[]
LANE_WORDS = [*range(0, 144, 8), *range(256, 320, 8), 384, 392, 448, 456, 464,
              696]
OPEN_WORDS = [4096 + entry * 64 + word for entry in (0, 1)
              for word in range(0, 64, 8)]
HEADER_WORDS = [*range(0, 448, 8), 448, 512, 576, 584, 592, *range(1088, 1224, 8),
                *range(1280, 1352, 8), 1472, 2112]
VALUES = (0, 2**64 - 1, 2**64 - 64, 1 << 63, 1, None)  # None: the other lane's


def check(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


class Session:
    """The file as whoever may write it has it."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.lanes = self.word(TABLE + LANES * 16)
        self.units = self.word(TABLE + UNITS * 16)

    def word(self, at):
        return struct.unpack_from("<Q", self.map, at)[0]

    def half(self, at):
        return struct.unpack_from("<I", self.map, at)[0]

    def set(self, at, value):
        struct.pack_into("<Q", self.map, at, value)

    def bystander(self):
        """What the first thread wrote: its log."""
        return (self.map[self.lanes + HOME:self.lanes + LANE_BYTES],
                self.map[self.units:self.units + SEGMENT])

    def beyond(self):
        """Is there a byte behind the last lane, or the last unit?"""
        seen = []
        for first, end in ((self.lanes + 2 * LANE_BYTES, self.units),
                           (self.units + 512 * SEGMENT, len(self.map))):
            at = first
            while at < end:
                try:
                    at = os.lseek(self.file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                page = self.map[at:min(at + 4096, end)]
                seen += [at] if at < end and any(page) else []
                at = (at | 4095) + 1
        return seen[:5]

    def close(self):
        self.map.close()
        self.file.close()


def wait_for(program, what, condition):
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if condition():
            return
        check(program.poll(), None, f"the program, before {what}")
    check("never", "", what)


def find(folder, program):
    wait_for(program, "its session",
             lambda: list(folder.glob(f"session-{program.pid}-*")))
    session = None
    path = next(folder.glob(f"session-{program.pid}-*"))
    wait_for(program, "its size", lambda: path.stat().st_size > 0)
    session = Session(path)
    wait_for(program, "`ready`", lambda: session.half(READY) == 1)
    session.lanes = session.word(TABLE + LANES * 16)
    session.units = session.word(TABLE + UNITS * 16)
    wait_for(program, "the second lane",
             lambda: session.word(session.lanes + LANE_BYTES + 256) > SEGMENT)
    return session


def attack(session, program, words, values):
    """As often as there is time."""
    hits = 0
    while program.poll() is None:
        for value in values:
            for at in words:
                of = (session.lanes + LANE_BYTES if at[0] == "lane" else 0)
                other = session.word((session.lanes if of else 0) + at[1])
                session.set(of + at[1], other if value is None else value)
            hits += 1
    return hits


def one_run(env, argv, folder, words, values):
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as program:
        try:
            session = find(folder, program)
            before = session.bystander()
            hits = attack(session, program, words, values)
            said, errors = program.communicate(timeout=300)
        finally:
            program.kill()
    check((program.returncode, errors), (0, ""), "status and stderr")
    # who writes the header may hand a unit out twice, but no lane's home
    after = session.bystander()
    check(after[0] == before[0], True, "the first thread's home is as it was")
    if words[0][0] == "lane":
        check(after[1] == before[1], True, "its unit is as it was")
    if not any(of == "header" and at < 448 for of, at in words):
        check(session.beyond(), [], "what was written behind the lanes")
    session.close()
    return said, hits


def plan(way):
    lane = [("lane", at) for at in LANE_WORDS + OPEN_WORDS]
    header = [("header", at) for at in HEADER_WORDS]
    if way == "all":
        return [([word], [value])
                for word, value in itertools.product(lane + header, VALUES)]
    return ([([word], VALUES) for word in lane] +
            [(header[i::12], VALUES) for i in range(12)])


def main():
    build, way = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    temp = pathlib.Path(tempfile.mkdtemp(prefix="handspan-hostile-",
                                         dir=os.environ.get("TEST_MEMORY")))
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith(("HANDSPAN", "LD_"))}
    env = dict(bare, HANDSPAN_DIR=str(temp / "d"), HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_STORE=str(temp / "s.db"), HANDSPAN_SIDECAR="off",
               HANDSPAN_MANIFEST=str(temp / "m"))
    traced = dict(env, LD_PRELOAD=str(build / "lib" / "libhandspan.so"))
    (temp / "m").write_text(MANIFEST)
    (temp / "d").mkdir(mode=0o700)
    argv = [str(build / "bin" / "stress_program"), "1", str(CALLS), "0", "0",
            str(FIRST)]
    want = subprocess.run(argv, env=bare, text=True, capture_output=True,
                          check=True).stdout
    with subprocess.Popen([build / "bin" / "handspan", "sidecar", "--stay"],
                          env=env, stdout=subprocess.DEVNULL) as sidecar:
        runs = hits = 0
        try:
            for words, values in plan(way):
                try:
                    said, more = one_run(traced, argv, temp / "d", words, values)
                    check(said, want, "stdout")
                    check(sidecar.poll(), None, "the sidecar")
                except AssertionError as fault:
                    print(f"{words}, {values}: {fault}")
                    return 1
                runs, hits = runs + 1, hits + more
        finally:
            sidecar.terminate()
            sidecar.wait()
            alive.remove(temp)
    print(f"{runs} runs, {hits} times words were overwritten: output, status and "
          "what is not its own as it should be")
    return 0


sys.exit(main())

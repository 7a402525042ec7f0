# SPDX-License-Identifier: Apache-2.0
"""The tests of a unittest module in some processes side by side: most of their
time they wait for a sidecar, a server or a clock. Each must stand alone.
WORKERS=1: one after the other. Tests that are named on the command line, too."""
import os
import sys
import tempfile
import unittest


def flat(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from flat(part)
        else:
            yield part


def work(tests, queue, out, prepare):
    """What a process does: takes the next test until there is none."""
    if prepare:
        prepare()
    failed = False
    runner = unittest.TextTestRunner(stream=out, verbosity=2)
    while True:
        at = os.read(queue, 1)
        if not at:
            return 1 if failed else 0
        failed |= not runner.run(tests[at[0]]).wasSuccessful()


def start(tests, queue, prepare):
    """(process, its output)"""
    out = tempfile.TemporaryFile("w+", errors="backslashreplace")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work(tests, queue, out, prepare)
        finally:
            out.flush()
            os._exit(status)
    return pid, out


def main(prepare=None, workers=4):
    """`prepare` is called in each process before its first test."""
    tests = list(flat(unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])))
    workers = min(int(os.environ.get("WORKERS", workers)), len(tests))
    if len(sys.argv) > 1 or workers < 2:
        if prepare:
            prepare()
        unittest.main()
    assert len(tests) < 256
    queue, write = os.pipe()
    os.write(write, bytes(range(len(tests))))
    os.close(write)
    sys.stdout.flush()
    processes = [start(tests, queue, prepare) for _ in range(workers)]
    status = 0
    for pid, out in processes:
        status |= os.waitpid(pid, 0)[1]
        out.seek(0)
        sys.stderr.write(out.read())
    print(f"{len(tests)} tests by {workers} processes:",
          "failed" if status else "ok")
    sys.exit(1 if status else 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""collectd as a daemon (in the foreground), stopped by a signal; counted by
its own files: collectd_daemon.py BUILD.

Every value list that a plugin dispatches becomes one line of a CSV file,
unless it was still queued when the program was stopped, which the program
says in its last line. So the lines and what was left are the calls of
plugin_dispatch_values() in this very run; and each line of its log is a call
of plugin_log(). Nothing is counted in another run here.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import e2e

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

ROUNDS = 3


def lines_written(files):
    """Data lines (without the header) of each CSV file."""
    return {str(path.relative_to(files)):
            path.read_text(encoding="ascii").count("\n") - 1
            for path in files.glob("csv/**/*") if path.is_file()}


def run_for_a_while(program, mode, wrap):
    env = program.environment(mode, wrap)
    files = pathlib.Path(env["EXAMPLE_DIR"])
    files.mkdir(parents=True)
    os.mkdir(env["HANDSPAN_DIR"], 0o700)
    child = subprocess.Popen(
        [str(e2e.TOP / "examples" / "collectd" / "run"), "-f"], env=env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    end = time.monotonic() + 300
    while (min(lines_written(files).values(), default=0) < ROUNDS
           and child.poll() is None and time.monotonic() < end):
        time.sleep(0.05)  # waits for a state: the lines of a file
    child.send_signal(signal.SIGTERM)
    text, _ = child.communicate(timeout=300)
    return child.returncode, text.decode(), lines_written(files)


def left_in_queue(text):
    found = re.search(r"(\d+) value lists? w(?:as|ere) left", text)
    return int(found.group(1)) if found else 0


def main():
    failures = e2e.Failures()
    work = pathlib.Path(tempfile.mkdtemp(prefix="e2e-collectd-daemon-"))
    program = e2e.Program(pathlib.Path(sys.argv[1]).resolve(), "collectd",
                          work)
    plain_status, plain_text, _ = run_for_a_while(program, "untraced", "")
    wrap = (f"env LD_PRELOAD={program.preload} "
            f"HANDSPAN_MANIFEST={program.manifest}")
    status, text, lines = run_for_a_while(program, "preload", wrap)
    failures.check(status == plain_status,
                   f"status {status}, untraced {plain_status}")
    failures.check(program.mask(text.encode()) ==
                   program.mask(plain_text.encode()),
                   f"output differs: {text!r} instead of {plain_text!r}")
    wanted = sum(lines.values()) + left_in_queue(text)
    failures.check(wanted >= ROUNDS, f"only {lines} lines: {text}")
    if e2e.wait_until_stored(program, "preload", failures):
        found = e2e.calls_in_stats(program, "preload")
        print("lines:", lines, "left:", left_in_queue(text), "stats:", found)
        failures.check(found.get("plugin_log") == text.count("\n"),
                       f"{found.get('plugin_log')} calls of plugin_log: "
                       f"{text!r}")
        failures.check(found.get("plugin_dispatch_values") == wanted,
                       f"{found.get('plugin_dispatch_values')} calls of "
                       f"plugin_dispatch_values, the program's files and its "
                       f"last line say {wanted}")
    alive.remove(work)
    return 1 if failures.lines else 0


if __name__ == "__main__":
    sys.exit(main())

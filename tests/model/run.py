#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check a model of the lane's protocol with spin, and that it finds each fault
that can be put back.

usage: run.py SPIN MODEL.pml [night]
"""
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

# model: definitions of the runs that must find nothing, and of those that must
RUNS = {
    "units": ([["RECORDS=5"], ["KILLS=2", "RECORDS=3"],
               ["HANDLER=1", "RECORDS=3"],
               ["KILLS=1", "HANDLER=1", "RECORDS=3"]],
              [["FAULT_SLOT"], ["FAULT_JOURNAL", "KILLS=1", "RECORDS=4"],
               ["FAULT_EARLY", "KILLS=1", "RECORDS=4"],
               ["FAULT_STALE", "HANDLER=1", "RECORDS=4"]]),
    "queue": ([["TAKES=1"], ["TAKES=1", "KILLS=1"]],
              [["FAULT_POP"], ["FAULT_GROWING"], ["FAULT_ORDER"],
               ["FAULT_LOST"]]),
    "owner": ([["PROCESSES=2"], ["PROCESSES=2", "KILLS=1"],
               ["PROCESSES=1", "FORKS=1", "KILLS=1"]],
              [["FAULT_JUDGE"], ["FAULT_STALE"], ["FAULT_MARK"],
               ["FAULT_FORK", "PROCESSES=1", "FORKS=1"]]),
    "pages": ([[]], [["FAULT_GAP"]]),
    "entry": ([[]], [["FAULT_COPY"], ["FAULT_ONCE"]]),
}
# what takes longer
NIGHT = {"owner": [["PROCESSES=2", "KILLS=2"], ["PROCESSES=2", "FORKS=1"]],
         "queue": [["TAKES=1", "KILLS=1"]]}
STATES_MB, NIGHT_MB = 1500, 6000
# of a search that must find nothing; where it is not at its end then, it says so
CPU_S = 6
CPU_FAULT_S, CPU_NIGHT_S = 200, 1800


def limit_cpu(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 10))


def run(spin, model, definitions, is_night):
    """States, errors found, and whether that is all of them."""
    flags = [f"-D{d}" for d in definitions]
    is_fault = any(d.startswith("FAULT") for d in definitions)
    seconds = (CPU_NIGHT_S if is_night else CPU_FAULT_S if is_fault else CPU_S)
    memory = NIGHT_MB if is_night else STATES_MB
    with tempfile.TemporaryDirectory(prefix="handspan-model-") as temp:
        for command in ([spin, "-a", *flags, str(model)],
                        ["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
                         f"-DMEMLIM={memory}", "-o", "pan", "pan.c"]):
            subprocess.run(command, cwd=temp, check=True, stdout=subprocess.PIPE)
        done = subprocess.run(
            ["./pan", "-m1000000"], cwd=temp, text=True, check=False,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: limit_cpu(seconds))
        trail = any(pathlib.Path(temp).glob("*.trail"))
    states = re.search(r"(\d+) states, stored", done.stdout)
    if re.search(r"max search depth too small|out of memory", done.stdout):
        sys.exit(done.stdout)
    is_whole = states is not None and done.returncode >= 0
    return int(states.group(1)) if states else 0, trail, is_whole


def main():
    spin, model = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    bad = 0
    is_night = "night" in sys.argv[3:]
    right, faults = (NIGHT[model.stem], []) if is_night else RUNS[model.stem]
    for definitions in right + faults:
        states, found, is_whole = run(spin, model, definitions, is_night)
        name = " ".join(definitions) or "as it is"
        print(f"{model.stem}, {name}: " +
              (f"{states} states" if is_whole else "not all in its time") +
              (", an error" if found else ", no error"), flush=True)
        if found != any(d.startswith("FAULT") for d in definitions):
            print("  that is wrong")
            bad = 1
    return bad


sys.exit(main())

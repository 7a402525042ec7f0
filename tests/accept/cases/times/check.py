"""Wall and CPU time of a call agree with what the handler measured of itself,
within 1 % or 1 us (and what its own two clock reads cost).

The machine may be shared: time that its hypervisor or an interrupt takes away
inside a call is CPU time by the tick counter and not by the thread's clock.
So of the calls of one length the median must hold; each single one must have
the right values, and sleeping must never be CPU time."""
import os
import statistics

# The handler's own measure leaves out its first and last clock reads; the
# thread's CPU clock is a system call, on cold caches after a sleep.
OWN_READS_NS = {"spin": 2000, "doze": 8000}


def prepare(case):
    case.args = [os.path.join(case.scratch, "measured")]


def check(run):
    with open(run.case.args[0]) as f:
        truth = [line.split() for line in f]
    for name in ("spin", "doze"):
        want = [(int(w), int(c)) for n, w, c in truth if n == name]
        spans = sorted(run.spans(name=name), key=lambda s: s["start_unix_ns"])
        if name == "spin":
            spans = spans[1:]  # the warm-up
        expect(len(spans), len(want), f"calls of {name}")
        lengths = {}
        for span, (wall, cpu) in zip(spans, want):
            expect((span["output"]["wall"], span["output"]["cpu"]),
                   (wall, cpu), "captured through the pointer")
            if name == "doze" and span["cpu_ns"] > span["duration_ns"] / 4:
                raise AssertionError("sleeping is not CPU time")
            of = lengths.setdefault(span["input"]["for_ns"], ([], []))
            of[0].append((abs(span["duration_ns"] - wall), wall))
            of[1].append((abs(span["cpu_ns"] - cpu), cpu))
        for length, of in lengths.items():
            for what, pairs in zip(("wall", "cpu"), of):
                off = statistics.median(p[0] for p in pairs)
                true = statistics.median(p[1] for p in pairs)
                if off > max(true * 0.01, 1000) + OWN_READS_NS[name]:
                    raise AssertionError(f"{name}({length}): {what} is off by "
                                         f"{off} ns of {true}")

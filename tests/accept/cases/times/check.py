"""Wall and CPU time of each call agree with what the handler measured of
itself, within 1 % or 1 us (and what two clock reads cost)."""
import os

# The handler's own measure leaves out its first and last clock reads; the
# thread's CPU clock is a system call.
OWN_READS_NS = 2000


def prepare(case):
    case.args = [os.path.join(case.scratch, "measured")]


def close(got, want):
    return abs(got - want) <= max(want * 0.01, 1000) + OWN_READS_NS


def check(run):
    with open(run.case.args[0]) as f:
        truth = [line.split() for line in f]
    for name in ("spin", "doze"):
        want = [(int(w), int(c)) for n, w, c in truth if n == name]
        spans = sorted(run.spans(name=name), key=lambda s: s["start_unix_ns"])
        if name == "spin":
            spans = spans[1:]  # the warm-up
        expect(len(spans), len(want), f"calls of {name}")
        for span, (wall, cpu) in zip(spans, want):
            expect((span["output"]["wall"], span["output"]["cpu"]),
                   (wall, cpu), "captured through the pointer")
            got = span["duration_ns"]
            if not close(got, wall):
                raise AssertionError(f"{name}: wall {got} ns, truly {wall}")
            got = span["cpu_ns"]
            if got is None or not close(got, cpu):
                raise AssertionError(f"{name}: cpu {got} ns, truly {cpu}")
            if name == "doze" and span["cpu_ns"] > span["duration_ns"] / 4:
                raise AssertionError("sleeping is not CPU time")

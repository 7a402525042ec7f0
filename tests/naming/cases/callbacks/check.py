"""What is registered is traced from then on, under its own name."""
from collections import Counter


def check(run):
    spans = run.spans()
    trace = run.traces()[0]["trace_id"]
    calls = Counter(s["name"] for s in spans)
    for name in ["naming_callbacks"] + [f"busy_{i}" for i in range(8)]:
        calls.pop(name, None)
    expect(dict(calls), {"early": 5, "quiet": 1, "driver_read": 1,
                         "driver_write": 1, "register_driver": 1,
                         "returned": 1, "late": 1, "by_signal": 2}, "calls")
    by = {s["name"]: s for s in spans}
    expect(by["quiet"]["status"], "error", "rules of the typedef")
    expect(by["early"]["input"]["n"], 7, "captures of the typedef")
    for i in range(8):
        n = sum(s["name"] == f"busy_{i}" for s in spans)
        if n < 4 * 299 + 1:  # those after all were registered
            raise AssertionError(f"busy_{i}: {n} calls")
    (head,) = [r for r in run.rows("show", trace) if r["kind"] == "trace"]
    why = "; ".join(r["reason"] for r in head["partly_seen"])
    for reason in ["its code lies in no object: it was made at run time",
                   "rand_r is a function of libc"]:
        expect(reason in why, True, f"not bound: {why}")

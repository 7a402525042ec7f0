"""A thread that libc makes just then is waited for; one that a program keeps
from traps is not, and said."""
from collections import Counter


def check(run):
    calls = Counter(s["name"] for s in run.spans())
    expect(calls["in_a_moment"], 1, "calls")
    expect(calls["for_good"], 0, "calls")
    trace = run.traces()[0]["trace_id"]
    (head,) = [r for r in run.rows("show", trace) if r["kind"] == "trace"]
    why = "; ".join(r["reason"] for r in head["partly_seen"])
    expect("a thread blocks SIGTRAP" in why, True, f"not bound: {why}")

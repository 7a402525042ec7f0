"""Each kind is seen, or it is said why not."""
from collections import Counter


def check(run):
    spans = run.spans()
    calls = Counter(s["name"] for s in spans)
    calls.pop("naming_kinds")
    expect(dict(calls),
           {"exported": 3, "hidden": 3, "second worker": 6, "both": 6,
            "cloned": 3, "picked": 3, "table_a": 2, "table_b": 1,
            "symbolic_outer": 3, "symbolic_inner": 6, "symbolic_tail": 6,
            "plugin_entry": 1, "plugin_work": 1}, "calls")
    clone = [s for s in spans if s["name"] == "cloned"]
    expect([s["input"] for s in clone], [{}] * 3, "a clone has times only")
    tail = [s for s in spans if s["name"] == "symbolic_tail"]
    expect(tail[0]["input"], {"n": 2}, "tail-called")
    picked = [s for s in spans if s["name"] == "picked"]
    expect([s["input"] for s in picked], [{"n": n} for n in range(3)],
           "what the ifunc's resolver chose")
    trace = run.traces()[0]["trace_id"]
    (head,) = [r for r in run.rows("show", trace) if r["kind"] == "trace"]
    why = {r["name"]: r["reason"] for r in head["not_bound"]}
    expect(sorted(why), ["inlined"], "not bound")
    expect("every call of it is inlined" in why["inlined"], True,
           why["inlined"])

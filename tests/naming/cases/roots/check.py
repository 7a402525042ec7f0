"""What a root begins is in the root's trace, below its call."""


def check(run):
    seen = []
    for trace in run.traces():
        spans = [s for s in run.rows("spans", trace["trace_id"])
                 if s["symbol"] is not None]
        ids = {s["span_id"]: s["name"] for s in spans}
        seen.append(sorted((s["name"], ids.get(s["parent_span_id"], "-"))
                           for s in spans))
    expect(sorted(seen), sorted(
        [[]] + [sorted([("job", root), (root, "-"), ("work", root)])
                for root in ("request", "late") for _ in range(3)]),
           "the traces, and who hangs from whom")

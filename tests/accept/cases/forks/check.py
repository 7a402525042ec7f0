"""Children go on in their parent's session, below the span that forked."""


def check(run):
    spans = run.spans()
    forkers = {s["span_id"]: s for s in spans if s["name"] == "forker"}
    steps = [s for s in spans if s["name"] == "step"]
    expect((len(forkers), len(steps)), (3, 7), "calls, none twice")
    for f in forkers.values():
        expect(f["status"], "ok", "forker returns in the parent")
    pids = {f["pid"] for f in forkers.values()}
    expect(len(pids), 1, "the parent's pid")
    children = [s for s in steps if s["pid"] not in pids]
    expect((len(children), len({s["pid"] for s in children})), (6, 3),
           "two steps in each child")
    expect(len({s["trace_id"] for s in spans}), 1, "one trace")

"""8 threads x 500 outer x 4 inner, each with its true parent."""


def check(run):
    spans = run.spans()
    outer = {s["span_id"]: s for s in spans if s["name"] == "outer"}
    inner = [s for s in spans if s["name"] == "inner"]
    expect((len(outer), len(inner)), (4000, 16000), "calls")
    expect(len({s["tid"] for s in outer.values()}), 8, "threads")
    for s in inner:
        p = outer[s["parent_span_id"]]
        expect(p["tid"], s["tid"], "the parent's thread")
        inside = (p["start_unix_ns"] <= s["start_unix_ns"] and
                  s["start_unix_ns"] + s["duration_ns"] <=
                  p["start_unix_ns"] + p["duration_ns"])
        expect(inside, True, "a child lies in its parent")
        expect(s["output"]["return"], s["input"]["x"] + 1, "values")
    rows = {r["name"]: r for r in run.rows("stats")}
    expect(rows["inner"]["calls"], 16000, "stats")
    expect(rows["outer"]["errors"], 0, "no errors")

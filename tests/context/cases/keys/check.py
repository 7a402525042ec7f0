"""Whose work each is; who is an orphan and why; what waited how long; and a
million keys that nobody adopts take no more than the table."""


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    submits = {s["input"]["id"]: s for s in spans
               if s["name"].startswith("submit")}
    work = [s for s in spans if s["name"] == "work"]
    first = [s for s in work if s["input"]["id"] < 1000]
    got = [(s["input"]["id"], s["orphan"],
            (by_id[s["parent_span_id"]]["input"] or {}).get("id"))
           for s in sorted(first, key=lambda s: s["start_unix_ns"])]
    lost = "no carrier matched"
    gone = "who took the item up may have returned"
    expect(got, [(1, None, 1), (2, lost, None), (4, None, 4), (5, lost, None),
                 (6, None, 6), (6, None, 6), (7, None, 7), (8, gone, None)],
           "whose work")
    shown = run.handspan("show").stdout
    expect("? orphans" in shown and "no carrier matched" in shown, True, shown)
    (flush,) = [s for s in spans if s["name"] == "flush"]
    expect([link["span_id"] for link in flush["links"]],
           [submits[i]["span_id"] for i in range(100, 105)], "links")
    expect({link["trace_id"] for link in flush["links"]},
           {flush["trace_id"]}, "their trace")
    (called,) = [s for s in spans if s["name"] == "called"]
    expect(called["parent_span_id"], submits[200]["span_id"], "a call later")
    waited = [(s["input"]["least_ns"], s["queue_ns"], s["input"]["most_ns"])
              for s in work if s["input"]["id"] >= 1000]
    expect(len(waited), 60, "delays")
    # within 1 % or 20 us of what the program saw from both sides
    wrong = [w for w in waited
             if w[1] < w[0] - max(w[0] / 100, 20000) or
             w[1] > w[2] + max(w[2] / 100, 20000)]
    expect(wrong, [], "queue times")

"""An item that was adopted before it is carried is nobody's, and is not left
for the next one of its address."""


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    lost = "no carrier matched"
    got = [(s["input"]["id"], s["orphan"],
            (by_id.get(s["parent_span_id"], {}).get("input") or {}).get("id"))
           for s in sorted((s for s in spans if s["name"] == "work"),
                           key=lambda s: s["start_unix_ns"])]
    expect(got, [(1, lost, None), (2, None, 2), (3, lost, None),
                 (4, lost, None), (5, lost, None), (6, None, 6)],
           "whose work")

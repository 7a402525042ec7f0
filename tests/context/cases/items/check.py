"""Every piece of work hangs from the submit of its item, the rest from the
process; what waited in the queue is told once for each item."""


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    root = [s for s in spans if s["span_id"] not in by_id or
            s["name"].startswith("context_")]
    process = {s["span_id"] for s in root}
    count = {}
    for s in spans:
        name, n = s["name"], (s["input"] or {}).get("id")
        count[name] = count.get(name, 0) + 1
        parent = by_id.get(s["parent_span_id"])
        expect(s["orphan"], None, f"orphan: {s}")
        if name in ("work", "take"):
            expect(parent["name"], "submit", f"parent of {s}")
            expect(parent["input"]["id"], n, f"whose work is {s}")
            if s["queue_ns"] is None:
                raise AssertionError(f"no queue time: {s}")
        elif name == "step":
            expect(parent["name"] in ("work", "take"), True, f"{s}")
            expect(parent["input"]["id"], n, "step's parent")
        elif name in ("submit", "idle"):
            expect(s["parent_span_id"] in process, True, f"parent of {s}")
    expect(count["submit"], 900, "submits")
    expect(count["work"] + count["take"] in range(880, 901), True,
           f"work {count}")

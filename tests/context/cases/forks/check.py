"""Each process's work belongs to who submitted it, there or before the fork."""
THREADS, FORKS, KEPT, CHILD = 1000, 12, 4, 1_000_000


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    count = {}
    for s in spans:
        parent = by_id.get(s["parent_span_id"])
        name, n = s["name"], (s["input"] or {}).get("id")
        count[name] = count.get(name, 0) + 1
        expect(s["orphan"], None, f"{s}")
        if name == "take" or (name == "work" and n < THREADS):
            expect((parent["name"], parent["input"]["id"]), ("submit", n),
                   f"{s} below {parent}")
        elif name == "work" and n % CHILD != 100:
            expect((parent["name"], parent["input"]["id"]), ("take", n),
                   f"{s} below {parent}")
        elif name == "work":
            while parent["name"] != "child":  # its process
                parent = by_id[parent["parent_span_id"]]
            expect(parent["input"]["id"], n // CHILD - 1, "grandchild")
            expect(parent["pid"] != s["pid"], True, "another process")
        elif name == "submit" and n >= CHILD:
            expect((parent["name"], parent["input"]["id"]),
                   ("child", n // CHILD - 1), f"{s}")
        elif name == "child":
            while parent["name"] != "forking":
                parent = by_id[parent["parent_span_id"]]
            expect(parent["input"]["id"], n, "who forked")
            expect(parent["pid"] != s["pid"], True, "another process")
    want = {"submit": THREADS + KEPT + FORKS * KEPT,
            "take": KEPT + 2 * FORKS * KEPT,
            "work": THREADS + KEPT + 2 * FORKS * KEPT + FORKS,
            "forking": FORKS, "child": FORKS}
    for name, n in want.items():
        expect(count[name], n, name)

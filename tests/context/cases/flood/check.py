"""Nothing is a wrong parent, memory is bounded, what gave way is told."""
KEYS, ROOM = 10_000_000, 131_072


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    process = next(s for s in spans if s["name"].startswith("context_"))

    def belongs(span):
        parent = by_id[span["parent_span_id"]]
        if parent is process:
            return span["orphan"]
        return parent["input"]["id"]

    def of(name, n):
        return [belongs(s) for s in spans if s["name"] == name
                and s["input"]["id"] == n]

    lost = "no carrier matched"
    expect(sorted(map(str, of("work", 1))), ["1", lost], "adopted twice")
    expect(sorted(map(str, of("take", 3))), ["3", lost], "its address again")
    expect(of("take", 5), [5], "into a full table")
    expect(of("take", 6)[0] in (4, lost), True, "the oldest")
    peak = process["attributes"]["peak_bytes"]
    expect(peak < 48 << 20, True, f"peak {peak}")
    told = run.handspan("show", "latest").stdout
    lost = [int(word) for line in told.splitlines() if "Lost" in line
            for word in line.replace(",", "").split() if word.isdigit()]
    expect(any(KEYS - ROOM <= n <= KEYS for n in lost), True, told)

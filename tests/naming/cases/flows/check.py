"""Events are points with values; what one function began another one ends."""


def check(run):
    spans = sorted(run.spans(), key=lambda s: s["start_unix_ns"])
    ids = {s["span_id"]: s for s in spans}
    by = {}
    for s in spans:
        by.setdefault(s["name"], []).append(s)

    def parent(s):
        return ids[s["parent_span_id"]]["name"]

    log = by["log"]
    expect([(e["input"]["text"], e["duration_ns"], e["ended_by"], parent(e))
            for e in log],
           [("started", 0, "event", "run")] +
           [("serving", 0, "event", "serve")] * 4 +
           [("end", 0, "event", "naming_flows")], "events")
    expect([e["input"]["level"] for e in log], [1, 3, 3, 3, 3, 2], "level")
    expect([s["attributes"] for s in by["serve"]],
           [{"tenant": "a"}, {"tenant": "b"}, {"tenant": "c"},
            {"tenant": None}], "attr")
    expect([s["slow"] for s in by["nap"]], [False, True], "slow")
    expect("slow" in by["nap"][1]["status"], False, "slow is no error")

    fetch = by["fetch"]
    expect(len(fetch), 5, "fetches")
    expect([parent(s) for s in fetch], ["run"] * 3 + ["naming_flows"] * 2,
           "parents of what was begun")
    first, second, third, lost, again = fetch
    expect([s["status"] for s in fetch],
           ["error", "ok", "ok", "unfinished", "ok"], "status")
    expect((first["error"]["rule"], first["error"]["errno"]),
           ("status != 0", 7), "the rule of the end")
    expect(first["attributes"], {"tenant": "a"}, "attributes of the begin")
    expect((first["input"]["priority"], third["input"]["priority"]), (0, 2),
           "inputs of the begin")
    expect(first["output"]["status"], 7, "the end's values are outputs")
    (trace,) = run.traces()
    end = trace["start_unix_ns"] + trace["duration_ns"]
    expect(abs(lost["start_unix_ns"] + lost["duration_ns"] - end) < 100, True,
           "until the process's end")
    if not second["start_unix_ns"] + second["duration_ns"] < \
            first["start_unix_ns"] + first["duration_ns"]:
        raise AssertionError("the order of the ends")

    good, bad = by["job"]
    expect((good["status"], bad["status"]), ("ok", "error"), "job")
    expect((bad["error"]["rule"], bad["error"]["type"]), ("return < 0", "EIO"),
           "a rule about the result of the end")
    expect(len(by["starter"]), 1, "a span of its own")
    (both,) = by["both"]
    expect((both["status"], parent(both)), ("ok", "naming_flows"), "both")

    trace = run.traces()[0]["trace_id"]
    (head,) = [r for r in run.rows("show", trace) if r["kind"] == "trace"]
    expect(head["losses"], {"unmatched": 2}, "what found no partner")
    stats = {r["name"]: r for r in run.rows("stats", trace)}
    expect((stats["nap"]["calls"], stats["nap"]["slow_calls"]), (2, 1),
           "slow calls")
    expect(stats["log"]["calls"], 6, "events are counted")
    text = run.handspan("show", trace).stdout
    if "Slow: nap 1 of 2 calls over 50ms." not in text:
        raise AssertionError(text)

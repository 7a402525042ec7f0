"""SIGKILL: finished spans are stored, open ones are unfinished."""


def check(run):
    spans = run.spans()
    count = {}
    for s in spans:
        key = (s["name"], s["status"])
        count[key] = count.get(key, 0) + 1
    expect(count.get(("load", "ok")), 8, "finished load")
    expect(count.get(("transform", "ok")), 7, "finished transform")
    expect(count.get(("transform", "unfinished")), 1, "open transform")
    expect(count.get(("pipeline", "unfinished")), 1, "open pipeline")
    (open_one,) = [s for s in spans if s["name"] == "pipeline"]
    expect(open_one["input"]["name"], "nightly", "its input is known")
    (trace,) = run.traces()
    if run.how == "run":
        expect(open_one["ended_by"], "killed", "the reaper knows")
        expect((trace["ended_by"], trace["signal"]), ("signal", 9), "trace")
    else:
        expect(open_one["ended_by"] in ("killed", "unknown"), True, "no guess")

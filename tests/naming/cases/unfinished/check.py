"""What was begun and not ended is stored, unfinished."""

HOW = ("run",)


def check(run):
    spans = {s["input"]["key"]: s for s in run.spans(name="work")}
    expect({k: (s["status"], s["ended_by"]) for k, s in spans.items()},
           {1: ("unfinished", "killed"), 2: ("ok", "return"),
            3: ("ok", "return")}, "spans")

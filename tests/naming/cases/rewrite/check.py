"""The stub stands for the function, each time that it is registered."""


def check(run):
    spans = run.spans(name="job")
    expect([(s["input"]["n"], s["output"]["return"], s["status"])
            for s in spans], [(0, 1, "ok"), (10, 11, "ok"), (20, 21, "error")],
           "spans")

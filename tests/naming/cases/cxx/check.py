"""C++ names, exact; machine parameters as they are written."""
from collections import Counter


def check(run):
    spans = sorted(run.spans(), key=lambda s: s["start_unix_ns"])
    calls = Counter(s["name"] for s in spans)
    calls.pop("naming_cxx")
    expect(dict(calls),
           {"load int": 2, "load batch": 1, "load text": 1, "twice int": 1,
            "twice long": 1, "Loader()": 2, "scale": 4, "Loader::run": 2,
            "Fast::run": 2, "make": 1, "inner": 1}, "calls")
    by = {}
    for s in spans:
        by.setdefault(s["name"], []).append(s)
    expect(by["load batch"][0]["input"]["rows"], 7, "member")
    expect(by["scale"][0]["input"]["base"], 100, "this->base")
    expect([s["input"]["n"] for s in by["Fast::run"]], [0, 2], "virtual")
    expect(by["make"][0]["input"]["name"], "seven", "behind a hidden pointer")

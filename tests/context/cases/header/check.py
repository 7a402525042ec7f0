"""Carry, adopt, forget and attributes that the program gives itself."""
TEXT = {"who": "submit ä \ufffd", "ratio": 0.5, "unreadable": "",
        "big": -9223372036854775808}


def check(run):
    spans = run.spans()
    by_id = {s["span_id"]: s for s in spans}
    process = next(s for s in spans if s["name"].startswith("context_"))
    count, told = {}, {}
    for s in spans:
        parent = by_id.get(s["parent_span_id"])
        name, n = s["name"], (s["input"] or {}).get("id")
        count[name] = count.get(name, 0) + 1
        if name in ("submit", "submit_cpp", "idle", "crowded"):
            expect(parent, process, f"parent of {s}")
        if name == "submit":
            expect(s["attributes"], TEXT, "attributes")
        elif name == "submit_cpp":
            expect(s["attributes"], {"language": "C++"}, "attributes of C++")
        elif name == "crowded":
            crowd = dict(s["attributes"])
            dropped = crowd.pop("handspan.attributes_dropped")
            expect(len(crowd) + dropped, 600, "all are counted")
            told[s["span_id"]] = len(crowd)
            expect(crowd["k7"], "v" * 511, "a long one")
            expect(len(crowd) > 100, True, f"{len(crowd)} kept")
        elif name == "work":
            expect(s["attributes"], {"work.id": n}, "attributes of work")
            if n == 3:
                expect((parent, s["orphan"]),
                       (process, "no carrier matched"), "forgotten")
            elif n == 51:
                expect((parent, s["orphan"]), (process, None), f"{s}")
            else:
                expect((parent["name"], parent["input"]["id"], s["orphan"]),
                       ("submit", 0 if n == 50 else n, None), f"{s}")
                expect(s["queue_ns"] is not None, True, "its queue time")
        elif name == "work_cpp" and n != 13:
            expect((parent["name"], parent["input"]["id"]),
                   ("submit_cpp", n % 100), f"{s}")
        elif name == "work_cpp":
            expect(parent, process, f"parent of {s}")
        elif name == "full_again":
            has = dict(s["attributes"])
            dropped = has.pop("handspan.attributes_dropped", 0)
            told[s["span_id"]] = (202 if "same" in has else 1) - dropped
            expect(dropped > 0, "same" in has, f"dropped {dropped}")
        elif name == "adopts_what_ended":
            expect(s["attributes"], {}, "not its own")
            told[s["span_id"]] = 0
    expect({s["parent_span_id"]: s["input"]["id"] for s in spans
            if s["name"] == "kept_count"}, told, "what the program was told")
    expect(count, {process["name"]: 1, "submit": 10, "work": 10, "idle": 2,
                   "crowded": 1, "full_again": 3, "kept_count": 5,
                   "adopts_what_ended": 1, "submit_cpp": 2, "work_cpp": 5}, "spans")

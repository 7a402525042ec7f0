"""A span that an exception passes fails with its type."""


def check(run):
    spans = run.spans()
    for name, total, failed in (("thrower", 3, 2), ("middle", 3, 2),
                                ("catcher", 2, 0)):
        mine = [s for s in spans if s["name"] == name]
        expect(len(mine), total, f"calls of {name}")
        bad = [s for s in mine if s["ended_by"] == "exception"]
        expect(len(bad), failed, f"exceptions through {name}")
        for s in bad:
            expect((s["status"], s["error"]["kind"]), ("error", "exception"),
                   "status")
            expect("runtime_error" in s["error"]["type"], True,
                   f"type {s['error']['type']}")

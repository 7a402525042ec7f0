"""Three messages, three traces, and the process's own."""


def check(run):
    traces = run.traces()
    expect(sorted(t["name"] for t in traces),
           ["accept_roots", "message", "message", "message"], "traces")
    for t in traces:
        spans = run.spans(t["trace_id"])
        expect({s["trace_id"] for s in spans}, {t["trace_id"]}, "trace id")
        if t["name"] != "message":
            expect((t["status"], t["exit_code"]), ("error", 3), "exit status")
            continue
        root = [s for s in spans if s["name"] == "message"]
        expect(len(root), 1, "one root")
        expect(root[0]["parent_span_id"], None, "a root has no parent")
        for s in spans:
            if s["name"] == "parse":
                expect(s["parent_span_id"], root[0]["span_id"], "parent")
        expect(len([s for s in spans if s["name"] == "parse"]), 2, "children")

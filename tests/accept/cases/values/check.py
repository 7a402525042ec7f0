"""Values arrive as they were, with their marks."""
import base64


def check(run):
    spans = sorted(run.spans(), key=lambda s: s["start_unix_ns"])
    by = {}
    for s in spans:
        by.setdefault(s["name"], []).append(s)
    good, bad, eof, big = by["extract"]
    expect(good["input"]["path"], "/data/\u00e9.csv", "text")
    expect(good["input"]["job_id"], 4242, "member")
    expect(good["input"]["job_tenant"], "acme", "array member is text")
    expect(good["input"]["title"], "nightly", "text behind a member")
    expect(good["output"]["text"], "text of it", "*out")
    expect(good["output"]["return"], 4242, "return value")
    expect(good["status"], "ok", "status")
    expect(bad["status"], "error", "fails rule")
    expect(bad["error"]["kind"], "rule", "kind")
    expect(bad["error"]["rule"], "return < 0", "the rule that fired")
    expect(bad["error"]["return_value"], -2, "its value")
    expect(bad["error"]["type"], "ENOENT", "type by errno name")
    expect(bad["input"]["path"], None, "a NULL text")
    expect("text" in bad["output"] and bad["output"]["text"] is not None, False,
           "*out is not read when the call failed")
    expect(eof["status"], "ok", "benign")
    mark = big["capture"]["path"]
    expect((mark["bytes"], mark["truncated"]), (200000, True), "true length")
    text = big["input"]["path"]
    expect((text[0], text[-1]), ("<", ">"), "head and tail")
    if not 30000 < len(text) <= 50000:
        raise AssertionError(f"capped at {len(text)}")
    whole, unmapped = by["stage"]
    expect(base64.b64decode(whole["input"]["head"]), bytes(range(64)), "bytes")
    expect(whole["input"]["n"], 256, "n")
    expect(whole["output"]["return"], 257, "return")
    expect(unmapped["capture"]["head"]["unreadable"], True, "unmapped memory")
    (scale,) = by["scale"]
    expect(scale["input"], {"x": 1.5, "y": 2.5, "c": -3, "u": 65535}, "scalars")
    expect(scale["output"]["return"], 65535.75, "a double is returned")
    (login,) = by["login"]
    expect(login["input"], {"user": "ada"}, "a secret is not captured")
    with open(run.store, "rb") as f:
        expect(b"S3CRET" in f.read(), False, "nor stored anywhere")

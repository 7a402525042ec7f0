"""at(): by address, in the build that it was read from."""
import os
import re
import subprocess


def prepare(case):
    nm = subprocess.run(["nm", case.program + ".full"], capture_output=True,
                        text=True, check=True).stdout
    at = {name: int(address, 16) for address, name in
          re.findall(r"^([0-9a-f]+) t (\w+)$", nm, re.M)}
    notes = subprocess.run(["readelf", "-n", case.program],
                           capture_output=True, text=True, check=True).stdout
    build = re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)
    case.manifest = os.path.join(case.scratch, "handlers.manifest")
    with open(case.manifest, "w", encoding="utf-8") as f:
        f.write(f"""[[object(main, build_id("{build[:12]}"))]];
[[span, at({at["decode_page"]:#x})]] int decode_page(void *page, int n);
[[span, at({at["other"] + 1:#x})]] int amid(int n);
[[span, at(0xffffff0)]] int outside(int n);
[[object(main, build_id("0123456789"))]];
[[span, at({at["other"]:#x})]] int of_another_build(int n);
""")


def check(run):
    spans = run.spans(name="decode_page")
    expect([s["input"]["n"] for s in spans], [1, 2, 3, 4, 5], "calls")
    trace = run.traces()[0]["trace_id"]
    (head,) = [r for r in run.rows("show", trace) if r["kind"] == "trace"]
    why = {r["name"]: r["reason"] for r in head["not_bound"]}
    expect(sorted(why), ["amid", "of_another_build", "outside"], "not bound")
    expect("no function starts at that address" in why["amid"], True,
           why["amid"])
    expect("no function starts at that address" in why["outside"], True,
           why["outside"])
    expect("another build id" in why["of_another_build"], True,
           why["of_another_build"])

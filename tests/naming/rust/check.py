"""Rust: names as people read them, in both manglings."""
import os
from collections import Counter

COMMON = """[[object(main)]];
[[span("load"), symbol("prog::etl::load")]] unsigned load(unsigned n);
"""
V0 = COMMON + """
[[span("scale"), symbol("<prog::Loader>::scale")]] unsigned scale(void *self, unsigned n);
[[span("run"), symbol("<prog::Loader as prog::Stage>::run")]] unsigned run(void *self, unsigned n);
[[span("twice u32"), symbol("prog::etl::twice::<u32>")]] unsigned twice32(unsigned n);
[[span("twice u64"), symbol("prog::etl::twice::<u64>")]] unsigned long twice64(unsigned long n);
"""
LEGACY = COMMON + """
[[span("scale"), symbol("prog::Loader::scale")]] unsigned scale(void *self, unsigned n);
[[span("run"), symbol("<prog::Loader as prog::Stage>::run")]] unsigned run(void *self, unsigned n);
[[span("twice"), symbol("prog::etl::twice")]] twice;
"""


def is_v0(program):  # the standard library's own names tell nothing
    return program.endswith("_v0")


def prepare(case):
    case.manifest = os.path.join(case.scratch, "handlers.manifest")
    with open(case.manifest, "w", encoding="utf-8") as f:
        f.write(V0 if is_v0(case.program) else LEGACY)


def check(run):
    calls = Counter(s["name"] for s in run.spans())
    calls.pop(os.path.basename(run.case.program)[:15])
    twice = {"twice u32": 3, "twice u64": 3} if is_v0(run.case.program) \
        else {"twice": 6}
    expect(dict(calls), {"load": 3, "scale": 3, "run": 3, **twice}, "calls")
    load = run.spans(name="load")
    expect([s["output"]["return"] for s in load], [1, 2, 3], "values")

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asynchronous programs of Debian as they are, and the true tree of what they
did: Neovim (libuv) and PyGObject (GLib) run a script that writes it down,
tesseract (libgomp) is known by its source.

  real.py BUILD nvim|pygobject|tesseract [--without]

--without the manifest all steps stand below one and the same.
"""
import bisect
import importlib
import os
import shutil
import subprocess
import sys

common = importlib.import_module("async")
HERE = os.path.dirname(os.path.abspath(__file__))
# program, manifest that comes with handspan, what step() calls
SCRIPTS = {
    "nvim": (["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-c",
              f"luafile {HERE}/nvim.lua"], "libuv",
             '[[object("libuv.so*")]];\n'
             '[[span("step"), input(id)]] int uv_os_getenv(const char *id, '
             'char *buf, size_t *len);\n'),
    "pygobject": (["/usr/bin/python3", HERE + "/pygobject.py"], "glib",
                  '[[object("libglib-2.0.so*")]];\n'
                  '[[span("step"), input(id)]] int g_setenv(const char *name, '
                  'const char *id, int overwrite);\n'),
}
# Layers of its network, and what the team of a layer computes.
TESSERACT = """[[object("libtesseract.so*")]];
[[defaults(capture("none"))]];
[[span("lstm"), symbol("_ZN9tesseract4LSTM7ForwardEbRKNS_9NetworkIOEPKNS_15\
TransposedArrayEPNS_14NetworkScratchEPS1_")]];
[[span("connected"), symbol("_ZN9tesseract14FullyConnected7ForwardEbRKNS_9Net\
workIOEPKNS_15TransposedArrayEPNS_14NetworkScratchEPS1_")]];
[[span("product"), match("_ZNK9tesseract12WeightMatrix15MatrixDotVectorE*")]];
"""


def tree_of(spans):
    """{step: the step of the callback that its callback belongs to}"""
    holders = {}
    for span in spans.values():
        if span["name"] == "step" and span["input"]["id"].isdigit():
            number = int(span["input"]["id"])
            holder = span["parent_span_id"]
            common.check(holder in holders, False, f"{number}: holder")
            holders[holder] = number
    tree = {}
    for holder, number in holders.items():
        at = spans[spans[holder]["parent_span_id"]] \
            if spans[holder]["parent_span_id"] in spans else None
        while at and at["span_id"] not in holders:
            at = spans.get(at["parent_span_id"])
        tree[number] = holders[at["span_id"]] if at else 0
    return tree


def script(place, name, without):
    command, manifest, step = SCRIPTS[name]
    text = "" if without else f'[[include("{manifest}.manifest")]];\n'
    path = place.at + "/truth"
    done, spans = place.trace(command, text + step, TRUTH=path, HOME=place.at)
    common.check((done.returncode, done.stdout), (0, ""), done.stderr)
    with open(path, encoding="utf-8") as f:
        truth = dict(map(int, line.split()) for line in f)
    if without:
        return 0 if len({s["parent_span_id"] for s in spans.values()
                         if s["name"] == "step"}) == 1 else 1
    wrong = common.differ(truth, tree_of(spans))
    orphans = [s for s in spans.values() if s["orphan"]]
    print(f"{len(truth)} steps, {len(wrong)} wrong, {len(orphans)} orphans")
    for row in wrong[:10]:
        print("step %d of %d stands under %s" % row)
    for span in orphans[:10]:
        print("orphan:", span["name"], span["orphan"], span["input"])
    return len(wrong) + len(orphans)


def tesseract(place):
    """The layers follow each other on one thread, each computes its products
    on a team of four: so a product belongs to the layer it was computed in."""
    subprocess.run([sys.executable, f"{HERE}/../../examples/make_pdf.py", "1"],
                   stdout=open(place.at + "/in.pdf", "wb"), check=True)
    subprocess.run(["pdftoppm", "-r", "150", "-W", "1275", "-H", "260", "-gray",
                    place.at + "/in.pdf", place.at + "/page"], check=True)
    manifest = TESSERACT
    done, spans = place.trace(
        ["tesseract", place.at + "/page-1.pgm", "-", "--dpi", "150"], manifest,
        OMP_NUM_THREADS="4", OMP_WAIT_POLICY="passive")
    common.check(done.stdout.splitlines()[:2],
                 ["Handspan traces handlers.", "This is page number 1."],
                 done.stderr)
    layers = sorted((s for s in spans.values()
                     if s["name"] in ("lstm", "connected")),
                    key=lambda s: s["start_unix_ns"])
    starts = [s["start_unix_ns"] for s in layers]
    wrong, threads, count = 0, set(), 0
    for span in spans.values():
        if span["name"] != "product":
            continue
        layer = layers[bisect.bisect(starts, span["start_unix_ns"]) - 1]
        wrong += span["parent_span_id"] != layer["span_id"]
        threads.add(span["tid"])
        count += 1
    print(f"{len(layers)} layers, {count} products on {len(threads)} threads, "
          f"{wrong} wrong")
    return wrong or count < 1000 or len(threads) < 4


def main():
    name = sys.argv[2]
    program = "/usr/bin/python3" if name == "pygobject" else name
    if not shutil.which(program):
        print("no", program)
        return 77
    with common.Place(sys.argv[1]) as place:
        without = "--without" in sys.argv
        if name in SCRIPTS:
            bad = script(place, name, without)
        else:
            bad = tesseract(place)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

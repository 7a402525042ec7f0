#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asynchronous programs on unmodified libraries: the tree of their steps is
the one that the program itself wrote down (step.h).

  async.py BUILD PROGRAM [MANIFEST...] [--also FILE] [--has SPAN]
           [--unfinished N] [--without [--nobody]]

The manifests are those that come with handspan, by name; --also: one of the
test's own. --without: they are left out, then the tree must be wrong; with
--nobody no step may even so stand under a step that is not its own. --has: there
are spans of this name; --unfinished: so many steps have no end. Spans of callbacks and of the library stand between the
steps and are passed over.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

SHM = os.environ.get("TEST_MEMORY")
STEP = """[[object(main)]];
[[span, input(id, parent)]]
void step(long id, long parent, void *body, void *data);
"""


class Place:
    """A directory of one test, and handspan in it."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.at = tempfile.mkdtemp(prefix="handspan-async-", dir=SHM)
        os.mkdir(self.at + "/d", 0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN_", "LD_"))
                    and k not in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")}
        self.env.update(HANDSPAN_DIR=self.at + "/d",
                        HANDSPAN_STORE=self.at + "/store.db",
                        HANDSPAN_SIDECAR="off")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        alive.remove(self.at)

    def handspan(self, *args):
        return subprocess.run([self.build + "/bin/handspan", *args],
                              env=self.env, check=True, capture_output=True,
                              text=True, timeout=300).stdout

    def trace(self, command, manifest, **env):
        """Run it; its result, and the spans that are stored of it."""
        path = self.at + "/m.manifest"
        with open(path, "w", encoding="utf-8") as f:
            f.write(manifest)
        traced = dict(self.env, HANDSPAN_MANIFEST=path, **env,
                      LD_PRELOAD=self.build + "/lib/libhandspan.so")
        done = subprocess.run(command, env=traced, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL,
                              timeout=300, check=False)
        self.handspan("sidecar")
        spans = []
        for row in self.rows("list"):
            spans += self.rows("spans", row["trace_id"])
        return done, {s["span_id"]: s for s in spans}

    def rows(self, *args):
        lines = self.handspan(*args, "--json").splitlines()
        return [json.loads(line) for line in lines[1:]]


def check(got, want, what):
    if got != want:
        raise SystemExit(f"{what}\n--- want\n{want}\n--- got\n{got}")


def nearest(spans, span, name):
    """The span of that name above it, or None."""
    while span:
        span = spans.get(span["parent_span_id"])
        if span and span["name"] == name:
            return span
    return None


def tree_of(spans, name="step"):
    """{step: the step above it, 0 the process}"""
    tree = {}
    for span in spans.values():
        if span["name"] != name:
            continue
        above = nearest(spans, span, name)
        key = span["input"]["id"]
        check(key in tree, False, f"step {key} twice")
        tree[key] = above["input"]["id"] if above else 0
    return tree


def differ(truth, tree):
    return [(step, parent, tree.get(step))
            for step, parent in sorted(truth.items())
            if tree.get(step) != parent]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("program")
    parser.add_argument("manifests", nargs="*")
    parser.add_argument("--also")
    parser.add_argument("--has", action="append", default=[])
    parser.add_argument("--unfinished", type=int, default=0)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--nobody", action="store_true")
    args = parser.parse_args()
    includes = [] if args.without else args.manifests
    manifest = "".join(f'[[include("{name}.manifest")]];\n'
                       for name in includes) + STEP
    if args.also and not args.without:
        with open(args.also, encoding="utf-8") as f:
            manifest += f.read()
    with Place(args.build) as place:
        truth_path = place.at + "/truth"
        command = [os.path.abspath(args.program), truth_path]
        done, spans = place.trace(command, manifest)
        with open(truth_path, encoding="utf-8") as f:
            truth = dict(map(int, line.split()) for line in f)
        check((done.returncode, done.stdout, done.stderr),
              (0, f"{len(truth)} steps\n", ""), "the program")
        tree = tree_of(spans)
        wrong = differ(truth, tree)
        orphans = [s for s in spans.values() if s["orphan"]]
        named = {}
        for span in spans.values():
            named[span["name"]] = named.get(span["name"], 0) + 1
        print(f"{len(truth)} steps, {len(wrong)} wrong, "
              f"{len(orphans)} orphans: {named}")
    if args.without:
        others = [row for row in wrong if args.nobody and row[2] != 0]
        print("under others:", others[:10])
        return 0 if wrong and not others else 1
    check(sum(s["status"] == "unfinished" and s["name"] == "step"
              for s in spans.values()),
          args.unfinished, "unfinished steps")
    check([name for name in args.has if name not in named], [], "spans")
    for row in wrong[:10]:
        print("step %d of %d stands under %s" % row)
    for span in orphans[:10]:
        print("orphan:", span["name"], span["orphan"], span["input"])
    return 1 if wrong or orphans or len(tree) != len(truth) else 0


if __name__ == "__main__":
    sys.exit(main())

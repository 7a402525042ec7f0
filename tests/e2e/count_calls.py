# SPDX-License-Identifier: Apache-2.0
"""Count the calls of functions in an unmodified program with gdb, and note
under which of them each call was made.

This is the independent count of the end-to-end tests: it shares nothing with
handspan. Runs inside gdb (`gdb -batch -nx -x count_calls.py --args CMD...`).
A breakpoint stands on the very first byte of every function, so that a jump
back into the body is not taken for a call, and one behind every call that was
seen to be made, so that it is known when it ended. Addresses come from
`nm -D` and /proc/PID/maps rather than from gdb's symbol lookup, which skips
prologues and prefers one of several functions with the same name. Objects
that are loaded at run time are found when the loader announces them, before
their constructors.

Environment: COUNT_SYMBOLS, a JSON list of [name of the span, glob of the
object's file name, glob of the name in .dynsym, mangled or
demangled, or an address in the file]; COUNT_OUT, the file for the
result,
{"calls": {span: n}, "edges": [[span, span above it or null, n]], "exit": n}.
"""
import collections
import fnmatch
import json
import os
import subprocess

import gdb


def exported_functions(path):
    """(address in the file, name as it stands there, demangled name)."""
    def names(*options):
        out = subprocess.run(["nm", "-D", "-p", "--defined-only", *options,
                              path], capture_output=True, text=True,
                             check=False).stdout
        return [line.split(None, 2) for line in out.splitlines()]
    for (value, kind, raw), (_, _, shown) in zip(names(), names("-C")):
        if kind in "TtWw":
            yield int(value, 16), raw.split("@")[0], shown.split("@")[0]


def wanted_functions(path, patterns):
    """The (span, address in the file) pairs that `path` defines. Two names of
    one function (a weak alias) are one function."""
    here = [(span, name) for span, obj, name in patterns
            if fnmatch.fnmatchcase(os.path.basename(path), obj)]
    found = {int(name, 16): span for span, name in here
             if name.startswith("0x")}
    for value, raw, shown in exported_functions(path) if here else ():
        for span, pattern in here:
            if any(n == pattern or fnmatch.fnmatchcase(n, pattern)
                   for n in (raw, shown)):
                found.setdefault(value, span or raw)
    return [(span, value) for value, span in found.items()]


def mapped_objects(pid):
    """Path and load address of each mapped file whose first page is mapped
    (Debian's objects start at virtual address 0)."""
    seen = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if (len(fields) == 6 and fields[5].startswith("/")
                    and int(fields[2], 16) == 0):
                seen.setdefault(fields[5].rstrip("\n"),
                                int(fields[0].split("-")[0], 16))
    return seen


class Watch:
    """All that was seen, and each thread's stack of open calls."""

    def __init__(self):
        self.calls = collections.Counter()
        self.edges = collections.Counter()
        self.stacks = collections.defaultdict(list)
        self.returns = {}

    def stack(self):
        return self.stacks[gdb.selected_thread().ptid]

    def enter(self, span, frame_sp):
        stack = self.stack()
        self.calls[span] += 1
        self.edges[span, stack[-1][0] if stack else None] += 1
        stack.append((span, frame_sp))

    def leave(self, frame_sp):
        # A call whose slot lies below the stack pointer has ended: this one,
        # what it tail-called, and what a longjmp or an exception left behind.
        stack = self.stack()
        while stack and stack[-1][1] < frame_sp:
            stack.pop()


def stack_pointer():
    return int(gdb.newest_frame().read_register("rsp")) & (2**64 - 1)


class Return(gdb.Breakpoint):
    def __init__(self, watch, address):
        super().__init__(f"*{address:#x}", internal=True)
        self.silent = True
        self.watch = watch

    def stop(self):
        self.watch.leave(stack_pointer())
        return False


class Entry(gdb.Breakpoint):
    def __init__(self, watch, span, address):
        super().__init__(f"*{address:#x}", internal=True)
        self.silent = True
        self.watch = watch
        self.span = span

    def stop(self):
        sp = stack_pointer()
        word = gdb.selected_inferior().read_memory(sp, 8)
        caller = int.from_bytes(bytes(word), "little")
        if caller not in self.watch.returns:
            self.watch.returns[caller] = Return(self.watch, caller)
        self.watch.enter(self.span, sp)
        return False


class Run:
    def __init__(self, patterns):
        self.patterns = patterns
        self.watch = Watch()
        self.done = set()
        self.running = True
        self.exit_status = None
        self.points = []

    def on_exit(self, event):
        self.running = False
        self.exit_status = getattr(event, "exit_code", None)

    def on_objects(self):
        for path, base in mapped_objects(gdb.selected_inferior().pid).items():
            if path not in self.done:
                self.done.add(path)
                for span, value in wanted_functions(path, self.patterns):
                    self.points.append(Entry(self.watch, span, base + value))

    def run(self):
        gdb.events.exited.connect(self.on_exit)
        for line in ("set pagination off", "set confirm off",
                     "set debuginfod enabled off", "set auto-solib-add off",
                     "set print thread-events off",
                     "handle all nostop noprint pass", "handle SIGTRAP stop",
                     "starti", "set stop-on-solib-events 1"):
            gdb.execute(line, to_string=True)
        while self.running:
            self.on_objects()
            gdb.execute("continue", to_string=True)
        return {"calls": dict(self.watch.calls),
                "edges": [[*e, n] for e, n in self.watch.edges.items()],
                "exit": self.exit_status}


def main():
    result = Run(json.loads(os.environ["COUNT_SYMBOLS"])).run()
    with open(os.environ["COUNT_OUT"], "w", encoding="ascii") as out:
        json.dump(result, out)


main()

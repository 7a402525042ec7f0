#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the preload keeps of a failure, read from the session itself, with both
trampolines; and that the program ends as it does untraced.

  fails_test.py PRELOAD PROGRAM SHIM GROUP     SHIM: proved, zero

PROGRAM is fails.cpp. A group is a function below.
"""
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import session  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
REASON = {1: "rule", 2: "passing", 3: "throw", 4: "signal", 5: "cause",
          6: "end"}
RSP, RIP = 7, 16
TIMEOUT_S = 300


class Run:
    def __init__(self, args, manifest=None):
        self.top = tempfile.mkdtemp(
            prefix="handspan-stack-",
            dir=os.environ.get("TEST_MEMORY"))
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
        self.plain = self.execute(args, env)
        env.update(LD_PRELOAD=PRELOAD, HANDSPAN_DIR=self.top + "/dir",
                   HANDSPAN_SIDECAR="off",
                   HANDSPAN_MANIFEST=manifest or HERE + "/fails.manifest")
        if SHIM != "proved":
            env["HANDSPAN_TEST_SHIM"] = SHIM
        self.traced = self.execute(args, env)
        self.session, = session.sessions(self.top + "/dir")
        same(self.traced, self.plain, "output and status of " + " ".join(args))

    def execute(self, args, env):
        done = subprocess.run([PROGRAM, *args], env=env, cwd=self.top,
                              capture_output=True, timeout=TIMEOUT_S,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def __enter__(self):
        return self.session

    def __exit__(self, *_):
        shutil.rmtree(self.top)


def same(seen, meant, what):
    if seen != meant:
        raise AssertionError(f"{what}: {seen!r}, not {meant!r}")


def truth(holds, what):
    if not holds:
        raise AssertionError(what)


def stacks(run, site, reason):
    return [item for item in run.of("stack", site)
            if REASON[item.reason] == reason]


def returns_into(run, stack, function):
    """Some word of the copy is a return address in this function, or a call of
    ours returns there."""
    parts = [SYMBOLS[name] for name in (function, function + ".cold")
             if name in SYMBOLS]
    words = struct.unpack(f"<{len(stack.bytes) // 8}Q", stack.bytes)
    words += tuple(call["ip"] for call in stack.calls)
    for word in words:
        name, offset = run.module_of(word)
        if name == os.path.basename(PROGRAM) and any(
                low < offset <= low + size for low, size in parts):
            return True
    return False


def check_stack(run, stack, handlers, functions):
    """It begins where its registers say, and the calls of ours that it holds
    are these handlers, each returning into the program."""
    truth(stack.stack_bytes > 0, f"no bytes: {stack}")
    truth(stack.registers[RSP] - 128 <= stack.first + 7 <=
          stack.registers[RSP] + 7, "does not begin at rsp")
    same([run.sites[call["site"]] for call in stack.calls], handlers,
         "calls of ours")
    for call in stack.calls:
        name, _ = run.module_of(call["ip"])
        same(name, os.path.basename(PROGRAM), "a call returns into")
    for function in functions:
        truth(returns_into(run, stack, function),
              f"nothing returns into {function}")


def rules():
    with Run(["rules"]) as run:
        for site, path, call, handlers in (
                ("load", "/nonexistent/x.csv", "open", ["load", "extract"]),
                ("stdio", "/nonexistent/y", "open", ["stdio"]),
                ("eight", "/nonexistent/z", "access", ["eight"])):
            cause, = run.of("cause", site)
            same((cause.call, cause.text, cause.errno), (call, path, 2),
                 site + ": first cause")
            stack, = stacks(run, site, "cause")
            same(stack.hash, cause.stack, "the cause's stack")
            check_stack(run, stack, handlers, ["main", site])
            truth(stacks(run, site, "rule"), site + ": stack at the leave")
        # what failed below is the cause above, its stack is not copied twice
        cause, = run.of("cause", "extract")
        same(cause.text, "/nonexistent/x.csv", "the cause above")
        stack, = stacks(run, "extract", "cause")
        same((stack.flags & 2, stack.stack_bytes), (2, 0), "the same stack")
        same(stack.hash, run.of("cause", "load")[0].stack, "its hash")
        for site in ("load", "extract"):
            same(run.of("stderr", site)[0].text,
                 "load: cannot open /nonexistent/x.csv\n", site + ": stderr")
        # two calls failed in it, but it did not
        for kind in ("cause", "stack", "error", "stderr"):
            same(run.of(kind, "probe"), [], kind + " of what did not fail")


THROWN = [  # type, message, kind of the last throw, ends by exception
    ("St13runtime_error", "boom", 1, True),
    ("i", "42", 1, True),
    ("NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "a string", 1,
     True),
    ("PKc", "a C string", 1, True),
    ("St9bad_alloc", None, 1, True),
    ("3Own", None, 1, True),
    ("5Mixed", "second base", 1, True),
    ("St11logic_error", "inner", 2, True),
    ("St13runtime_error", "kept", 3, True),
    ("St13runtime_error", "elsewhere", 3, True),
    ("St13runtime_error", "never seen again", 1, False),
    ("foreign exception", None, None, True)]


def throws():
    with Run(["throws"]) as run:
        records = run.of("record", "thrower")
        same(len(records), len(THROWN), "calls")
        for record, (kind, message, how, passes) in zip(records, THROWN):
            thrown = [t for t in run.of("throw") if t.span == record.span]
            error = [e for e in run.of("error") if e.span == record.span]
            same(record.status & 15, 1 if passes else 0, kind + ": ended by")
            same(len(error), int(passes), kind + ": error frames")
            if how is None:
                same((thrown, error[0].type), ([], kind), "foreign")
                same(len([s for s in stacks(run, "thrower", "passing")
                          if s.span == record.span]), 1, "its stack")
                continue
            last = thrown[-1]
            same((last.type, last.message, last.throw), (kind, message, how),
                 "thrown")
            same({t.object for t in thrown}, {last.object}, "one object")
            if passes:
                same((error[0].type, error[0].message, error[0].origin),
                     (kind, message or "", last.position), "passes")
            stack, = [s for s in stacks(run, "thrower", "throw")
                      if s.span == record.span and s.hash == last.stack]
            check_stack(run, stack, ["thrower"], ["thrower", "main"])


SIGNALS = {"segv": (11, 0x1234), "bus": (7, None), "fpe": (8, None),
           "ill": (4, None), "abort": (6, 0), "sys": (31, 0),
           "fiber": (11, 0x1234), "malloc": (6, 0), "call": (11, 0x1234),
           "small": (8, None)}


def signals():
    for way, (number, address) in SIGNALS.items():
        with Run(["die", way]) as run:
            stack, = run.of("stack")
            same((REASON[stack.reason], stack.site, stack.signal),
                 ("signal", "die", number), way)
            if address is not None:
                same(stack.fault, address, way + ": address")
            same(stack.known, (1 << 17) - 1, way + ": registers")
            if way == "call":
                same(stack.registers[RIP], 0x1234, "where it jumped to")
            if way != "fiber":
                check_stack(run, stack, ["die"], ["main"])
    # where there is no stack any more: as untraced, and no more is known
    for way in ("overflow", "smash"):
        with Run(["die", way]) as run:
            same(run.of("record", "die"), [], "it did not return")


def ends():
    for way in ("exit", "_exit", "quick"):
        with Run(["die", way]) as run:
            stack, = stacks(run, "die", "end")
            check_stack(run, stack, ["die"], ["die", "main"])
            same(run.of("record", "die")[0].status & 15, 4, way)
    with Run(["die", "terminate"]) as run:
        thrown = run.of("throw")[0]
        same(thrown.message, "nobody catches this", "thrown")


def survive():
    with Run(["survive"]) as run:
        same(run.of("cause", "load")[0].text, "/nonexistent/after", "after")


def together():
    with Run(["together", "500"]) as run:
        found = stacks(run, "wait_and_die", "signal")
        # of equal stacks one is copied
        copied = [s for s in found if s.stack_bytes]
        truth(len(copied) >= 1, "no thread says where it died")
        check_stack(run, copied[0], ["wait_and_die"], [])


def storm():
    with Run(["storm", "100000"]) as run:
        same(len(run.of("record", "again")), 100000, "calls")
        same(len(run.of("error", "again")), 100000, "errors")
        copied = [s for s in run.of("stack", "again") if s.stack_bytes]
        truth(2 <= len(copied) <= 64, f"{len(copied)} stacks copied")


def equal():
    """Stacks that take turns are copied once each, however many there are."""
    for _ in range(6):  # other addresses each time
        with Run(["stacks", "12"]) as run:
            # of a cause and of a rule each; the first turn, and what the
            # second finds otherwise, as libraries' words on the stack may be
            third = run.of("stack", "again")[-24:]
            same([s.flags & 2 for s in third], [2] * 24, "not copied again")
            same(len({s.hash for s in third}), 24, "stacks that differ")


def secret():
    word = "hunter2-" + os.urandom(8).hex()
    with tempfile.NamedTemporaryFile("w", suffix=".manifest") as manifest:
        manifest.write("[[object(main)]];\n[[span, fails(return < 0), "
                       "secret(password)]] int login(const char *password);\n")
        manifest.flush()
        with Run(["login", word], manifest.name) as run:
            same(len(run.of("error", "login")), 1, "it failed")
            same(run.of("stderr"), [], "stderr")
            same(run.of("cause")[0].text, "", "text of the failed call")
            # its stack holds it, the copies hold addresses alone
            truth(any(s.bytes.strip(b"\0") for s in run.of("stack")),
                  "no copy of the stack")
            command = run.data.count(word.encode())
            truth(command <= 1, "the secret is in the session "
                  f"{command} times; once is the command line")


def symbols(program):
    out = subprocess.run(["nm", "-S", "--defined-only", program],
                         capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return {row[3]: (int(row[0], 16), int(row[1], 16))
            for row in rows if len(row) == 4}


PRELOAD, PROGRAM, SHIM, GROUP = sys.argv[1:5]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # they die often
SYMBOLS = symbols(PROGRAM)
{f.__name__: f for f in (rules, throws, signals, ends, survive, together,
                         storm, equal, secret)}[GROUP]()

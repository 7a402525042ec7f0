#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The soak: traced programs with values of up to 64 KiB, policy `wait`; while
they run, the sidecar, PostgreSQL, the gateway (a simulation), the OTLP
receiver and the programs themselves are killed at random, and servers lose
answers. At the end SQLite has the set that was begun, every value as it was
made; PostgreSQL has the same rows in every column; OTLP the same spans, some
of them twice where an answer was lost.

usage: soak_test.py HANDSPAN PRELOAD SOAK_PROG SECONDS SEED
"""
import base64
import json
import os
import random
import signal
import subprocess
import sys
import time

import base
import postgres
from base import MASK, expect, mix, until

HERE = os.path.dirname(os.path.abspath(__file__))
MANIFEST = """[[object(main)]];
[[span, input(id, whole, data = data[0:n]), output(return), fails(return < 0)]]
int leaf(long id, unsigned long whole, const unsigned char *data,
         unsigned long n);
[[span, input(id, text, ratio), output(return)]]
double outer(long id, const char *text, double ratio, char *out);
"""
LETTERS = 'abcdefghijklmnopqrstuvwxyz "\\\n\t0123'


class Soak(base.Place):
    def __init__(self, handspan, preload, program, seed):
        super().__init__(handspan)
        self.program = program
        self.seed = seed
        self.pg = postgres.Postgres().start()
        self.pg.migrate()
        self.gateway = base.Gateway(self.pg, self.dir).start()
        self.gateway.faults(**{"lost": 0.05, "500_after": 0.03, "delay": 0.05,
                               "503": 0.02})
        self.marks = os.path.join(self.dir, "marks")
        self.manifest = os.path.join(self.dir, "soak.manifest")
        self.port = os.path.join(self.dir, "otlp.port")
        self.received = os.path.join(self.dir, "received")
        self.receiver = None
        self.started = 0
        self.start_receiver()
        with open(self.manifest, "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        open(self.marks, "wb").close()
        self.traced = {**self.env, "LD_PRELOAD": preload,
                       "HANDSPAN_MANIFEST": self.manifest,
                       "HANDSPAN_SIDECAR": "off", "HANDSPAN_WAIT_MS": "60000"}
        self.side = None
        self.start_sidecar()
        self.first = 0
        self.killed = 0

    # ---- the parts ----------------------------------------------------------

    def start_receiver(self):
        definitions = os.path.join(self.dir, "definitions")
        if not os.path.exists(definitions):
            os.mkdir(definitions)
            proto = os.path.join(HERE, "../ops/proto")
            subprocess.run(["protoc", "-I", proto, "--python_out",
                            definitions] + [
                os.path.join(where, name)
                for where, _, names in os.walk(proto)
                for name in names if name.endswith(".proto")], check=True)
        self.started += 1
        self.receiver = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "soak_receiver.py"),
             definitions, self.port, self.received,
             str(self.seed + self.started)])
        until("the receiver's port", lambda: os.path.exists(self.port))

    def start_sidecar(self):
        otlp = "otlp+http://127.0.0.1:" + open(self.port).read()
        with open(os.path.join(self.dir, "sidecar.out"), "ab") as out:
            self.side = subprocess.Popen(
                [self.handspan, "sidecar", "--stay",
                 "--upload", self.gateway.url(options="values=on"),
                 "--upload", otlp + "?values=on"],
                env=self.env, stderr=out)
        self.sidecars.append(self.side)

    def kill(self, victim, program):
        if victim == "sidecar":
            self.side.kill()
            self.side.wait()
            self.start_sidecar()
        elif victim == "postgres":
            self.pg.kill()
            self.pg.start()
        elif victim == "gateway":
            self.gateway.kill()
            self.gateway.start()
        elif victim == "receiver":
            self.receiver.kill()
            self.receiver.wait()
            self.start_receiver()
        elif victim == "program":
            program.send_signal(signal.SIGKILL)

    def close(self):
        if self.receiver:
            self.receiver.kill()
        self.gateway.kill()
        self.pg.stop()
        self.done()

    # ---- the load -----------------------------------------------------------

    def round(self):
        count = random.randrange(20, 400)
        program = subprocess.Popen([self.program, self.marks, str(self.first),
                                    str(count)], env=self.traced)
        kills = 0
        self.first += count
        while program.poll() is None:
            time.sleep(random.uniform(0, 0.15))
            victim = random.choice(["sidecar", "postgres", "gateway",
                                    "receiver", "program", None, None])
            kills += victim is not None
            self.kill(victim, program)
        died = program.wait()
        self.killed += died == -signal.SIGKILL
        assert died in (0, -signal.SIGKILL), f"the program's status {died}"
        time.sleep(random.uniform(0, 0.3))
        return kills

    # ---- the truth ----------------------------------------------------------

    def check_store(self):
        """Every call that marked its beginning, once, as it was made."""
        marks = open(self.marks, "rb").read()
        seen, uncaptured = {}, 0
        rows = self.rows(
            "SELECT i.name, s.status, s.ended_by, s.input, s.output, "
            "s.capture FROM spans s JOIN sites i ON i.session = s.session "
            "AND i.site = s.site")
        for name, status, ended_by, given, returned, capture in rows:
            if given is None:  # killed as its input was being written
                expect(status, "unfinished", "status of a call without input")
                uncaptured += 1
                continue
            given = json.loads(given)
            key = given["id"] * 2 + (name == "leaf")
            assert key not in seen, f"twice: {name} {given['id']}"
            seen[key] = status
            marks_of = json.loads(capture) if capture else {}
            check = check_leaf if name == "leaf" else check_outer
            check(given, returned and json.loads(returned), marks_of, status)
            if status == "unfinished":
                # unknown: no sidecar was there to see how it died
                assert ended_by in ("killed", "unknown"), ended_by
        begun = {i for i, mark in enumerate(marks) if mark}
        ended = {i for i, mark in enumerate(marks) if mark == 2}
        missing = begun - set(seen)
        assert not missing, f"{len(missing)} missing, as {list(missing)[:5]}"
        # killed between the span's beginning and the mark: each thread one
        early = set(seen) - begun
        assert len(early) + uncaptured <= 3 * 2 * self.killed, \
            f"{len(early)} not begun, {uncaptured} without input"
        odd = [i for i in early if seen[i] != "unfinished"]
        assert not odd, f"not begun, and yet {odd[:3]}"
        # ended but for the mark, or marked and not yet returned
        unfinished = [i for i in ended if seen[i] == "unfinished"]
        assert len(unfinished) <= 3 * 2 * self.killed, len(unfinished)
        for i in begun - ended:
            if seen[i] != "unfinished":
                raise AssertionError(f"call {i} never ended, but {seen[i]}")
        return len(seen) + uncaptured

    def check_otlp(self):
        """The same spans, with their values; more than once only where it
        could not be known whether they had arrived."""
        got, again = {}, 0
        with open(self.received, encoding="utf-8", errors="replace") as f:
            lines = f.read().split("\n")
        for line, after in zip(lines, lines[1:]):
            if line:
                try:
                    row = json.loads(line)
                except ValueError:  # cut as the receiver was killed
                    expect(after, "", "what follows half a line")
                    continue
                again += row[1] in got
                assert got.setdefault(row[1], row) == row, (got[row[1]], row)
        columns = [base.SPANS.index(c) for c in
                   ("trace_id", "span_id", "parent_span_id", "name",
                    "start_unix_ns", "duration_ns")]
        values = [len(base.SPANS) + base.VALUES.index(c)
                  for c in ("input", "output")]
        want = {}
        for row in base.spans_of_store(self, True):
            span = [row[i] for i in columns + values]
            span[5] = span[5] or 0  # no end is known: OTLP wants one
            want[span[1]] = span
        # each process, also one that was killed before its first span
        processes = {base.process_span_id(*row) for row in self.rows(
            "SELECT e.key, p.idx FROM processes p JOIN sessions e "
            "USING (session)")}
        missing = set(want) - set(got)
        assert not missing, f"OTLP: {len(missing)} missing"
        more = set(got) - set(want) - processes
        assert not more, f"OTLP: {len(more)} that nobody sent"
        for id, span in want.items():
            if want[id][5] and got[id] != span:
                raise AssertionError(f"OTLP: {got[id]} is not {span}")
        return again


def check_text(value, made, mark, what):
    """As it was made; if it was capped, head, tail and true length."""
    if not mark.get("truncated"):
        expect(value, made, what)
        return
    expect(mark["bytes"], len(made), f"true length of {what}")
    head, tail = mark["head_bytes"], len(value) - mark["head_bytes"]
    if isinstance(value, str):
        expect(value[head], "…", f"the gap of {what}")
        tail -= 1
    assert head > 1000 and tail > 1000, (head, tail)
    expect(value[:head], made[:head], f"head of {what}")
    expect(value[-tail:], made[-tail:], f"tail of {what}")


def length_of(seed):
    return (seed >> 16) % (66000 if (seed >> 8) % 32 == 0 else 40)


def signed(x):
    return x - (1 << 64) if x >> 63 else x


def check_outer(given, returned, marks, status):
    seed = mix(given["id"] + 77)
    n = length_of(seed)
    step = seed >> 32 | 1
    text = "".join(LETTERS[((seed + j * step) & MASK) % len(LETTERS)]
                   for j in range(n))
    ratio = signed(seed) / 1024
    check_text(given["text"], text, marks.get("text", {}),
               f"text of {given['id']}")
    expect(given["ratio"], ratio, "ratio")
    if status != "unfinished":
        expect((status, returned["return"]), ("ok", ratio / 2), "what returned")


def check_leaf(given, returned, marks, status):
    id = given["id"]
    seed = mix(id + 1)
    n = length_of(mix(seed))
    period = bytes((seed >> i) & 255 for i in range(57))
    data = (period * (n // 57 + 1))[:n]
    expect(given["whole"], seed, "whole")
    check_text(base64.b64decode(given["data"]), data, marks["data"],
               f"data of {id}")
    if status != "unfinished":
        want = id % 1000 - (2000 if id % 10 == 7 else 0)
        expect((status, returned["return"]),
               ("error" if want < 0 else "ok", want), "what returned")


def main():
    handspan, preload, program = map(os.path.abspath, sys.argv[1:4])
    seconds, seed = float(sys.argv[4]), int(sys.argv[5])
    random.seed(seed)
    w = Soak(handspan, preload, program, seed)
    kills = rounds = 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            kills += w.round()
            rounds += 1
        w.gateway.faults()
        until("all is stored", lambda: not [
            n for n in os.listdir(w.lanes) if n.startswith("session-")], 300)
        until("all is sent", lambda: w.rows(
            "SELECT DISTINCT state, (SELECT max(seq) FROM outbox) - "
            "cursor_seq FROM sinks") == [("idle", 0)], 600)
        w.side.terminate()
        w.side.wait(timeout=300)
        count = w.check_store()
        expect(w.rows("SELECT kind, sum(count) FROM losses GROUP BY kind"), [],
               "losses")
        expect(w.rows("SELECT * FROM refused"), [], "refused")
        expect(base.same(w, w.pg), count, "in PostgreSQL")
        again = w.check_otlp()
        print(f"{rounds} programs ({w.killed} killed), {count} spans, {kills} "
              f"kills in {seconds:.0f} s; SQLite and PostgreSQL equal what was "
              f"begun, OTLP too ({again} twice)")
    except BaseException:
        print(w.log()[-5000:], file=sys.stderr)
        print(w.sinks(), file=sys.stderr)
        raise
    finally:
        w.close()
    print("ok")


main()

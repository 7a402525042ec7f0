# SPDX-License-Identifier: Apache-2.0
"""While a stack is being named: the thread that it comes from waits in its
lane, all others are stored; whoever is killed, stopped or slow, each call is
there once in the end, and its stack.

  naming_test.py HANDSPAN PRELOAD
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "upload"))
import base  # noqa: E402

CALLS = 2000  # of the thread that does not fail
MANIFEST = """[[object(main)]];
[[span, fails(return < 0)]] int fails(int way);
[[span]] int works(int i);
"""
# each way is another stack
SOURCE = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define OUT __attribute__((noinline, noclone, visibility("default")))
OUT int works(int i)
{
    volatile int sum = i;
    for (int j = 0; j < 10; j++)
        sum += j;
    return sum;
}
OUT int fails(int way) { volatile int n = -1 - way; return n; }
OUT int deep(int way)
{
    volatile int n = way > 0 ? deep(way - 1) : fails(way);
    return n;
}
static void *busy(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        works(i);
        if (i % 100 == 0)
            usleep(10000);
    }
    return arg;
}
int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc > 2)
        pthread_create(&thread, NULL, busy, NULL);
    deep(atoi(argv[1]));
    works(0);
    if (argc > 2) {
        pthread_join(thread, NULL);
        sleep(atoi(argv[2]));
    }
    return 0;
}
"""


class World(base.Place):
    def __init__(self, handspan, preload):
        super().__init__(handspan)
        self.preload = preload
        self.program = os.path.join(self.dir, "program")
        with open(self.program + ".manifest", "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        self.build(SOURCE)

    def build(self, source, suffix=None, build_id="sha1"):
        with open(self.program + ".c", "w", encoding="utf-8") as f:
            f.write(source)
        out = f"{self.program}.{suffix}" if suffix else self.program
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-pthread",
                        f"-DCALLS={CALLS}", "-rdynamic", "-o", out,
                        f"-Wl,--build-id={build_id}", self.program + ".c"],
                       check=True)

    def done(self):
        for side in self.sidecars:  # one that is stopped never ends itself
            if side.poll() is None and self.worker(side):
                os.kill(self.worker(side), signal.SIGKILL)
        super().done()

    def start(self, *args):
        """Not by 'handspan run': that waits until all is stored."""
        return subprocess.Popen(
            [self.program, *map(str, args)], env={
                **self.env, "LD_PRELOAD": self.preload,
                "HANDSPAN_SIDECAR": "off",
                "HANDSPAN_MANIFEST": self.program + ".manifest"})

    def fail(self, *args):
        base.expect(self.start(*args).wait(300), 0, f"status {args}")

    def worker(self, sidecar):
        """The process of this sidecar that names stacks."""
        with open(f"/proc/{sidecar.pid}/task/{sidecar.pid}/children",
                  encoding="ascii") as f:
            for pid in map(int, f.read().split()):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as c:
                        if b"--worker" in c.read():
                            return pid
                except OSError:
                    pass  # it is gone
        return 0

    def ended(self):
        return self.rows("SELECT count(*) FROM sessions "
                         "WHERE state = 'ended'")[0][0]

    def calls(self, name):
        return self.rows("SELECT count(*) FROM spans JOIN sites "
                         "USING (session, site) WHERE name = ? AND "
                         "status IN ('ok', 'error')", name)[0][0]

    def last_line(self):
        """Where the last error was, innermost."""
        text = self.rows("SELECT error FROM spans WHERE error IS NOT NULL "
                         "ORDER BY start_unix_ns DESC LIMIT 1")[0][0]
        return json.loads(text)["stack"][0]["line"]

    def stacks(self):
        """How often deep() called itself, of each error, else why that is not
        known."""
        found = []
        for (text,) in self.rows(
                "SELECT error FROM spans WHERE error IS NOT NULL ORDER BY "
                "start_unix_ns"):
            frames = json.loads(text).get("stack") or []
            found.append(sum(f["function"] == "deep" for f in frames)
                         or json.loads(text)["stack_ended"])
        return found


def others_go_on(w):
    """Its worker does not answer: what is not its lane's is stored."""
    side = w.sidecar("--stay")
    w.fail(0)
    base.until("the first stack", lambda: os.path.exists(w.store) and
               w.ended() == 1)
    worker = w.worker(side)
    assert worker, "no worker runs"
    os.kill(worker, signal.SIGSTOP)
    both = w.start(1, 6)
    base.until("spans of the other thread",
               lambda: w.calls("works") == 1 + CALLS, 5)
    w.fail(2)  # its turn comes later
    time.sleep(0.5)
    base.expect(w.calls("fails"), 1, "errors while nothing is named")
    os.kill(worker, signal.SIGCONT)
    base.until("the stacks", lambda: w.calls("fails") == 3, 5)
    base.expect(both.poll(), None, "the program still runs")
    base.expect(both.wait(300), 0, "status")
    base.until("all is stored", lambda: w.ended() == 3)
    base.expect(w.calls("works"), 3 + CALLS, "calls")
    base.expect(sorted(w.stacks()), [1, 2, 3], "stacks")
    return side


def killed_while_naming(w, side):
    worker = w.worker(side)
    os.kill(worker, signal.SIGSTOP)
    w.fail(3)
    time.sleep(0.5)
    base.expect(w.calls("fails"), 3, "errors while nothing is named")
    side.kill()
    side.wait()
    os.kill(worker, signal.SIGKILL)
    w.drain()
    base.expect(w.ended(), 4, "sessions")
    base.expect((w.calls("fails"), w.calls("works")), (4, 4 + CALLS), "calls")
    base.expect(sorted(w.stacks()), [1, 2, 3, 4], "stacks")


def worker_is_gone(w):
    """Killed in mid-work: another one is asked. Whose stack it is that they
    die of has none, and the next has."""
    side = w.sidecar("--stay")
    w.fail(4)
    base.until("its stack", lambda: w.ended() == 5)
    os.kill(w.worker(side), signal.SIGSTOP)
    w.fail(5)
    time.sleep(0.3)
    os.kill(w.worker(side), signal.SIGKILL)
    base.until("its stack", lambda: w.ended() == 6)
    base.expect(w.stacks()[-2:], [5, 6], "stacks")
    for _ in range(10):  # the second one may have answered before it dies
        first, ended = w.worker(side), w.ended()
        os.kill(first, signal.SIGSTOP)
        w.fail(6)
        time.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        while w.worker(side) in (0, first):
            pass
        os.kill(w.worker(side), signal.SIGKILL)
        base.until("its end", lambda: w.ended() == ended + 1)
        if w.stacks()[-1] != 7:
            break
    w.fail(7)
    base.until("all is stored", lambda: w.ended() == ended + 2)
    found = w.stacks()[-2:]
    assert str(found[0]).startswith("not unwound"), f"said: {found}"
    base.expect(found[1], 8, "the next stack")
    side.terminate()
    side.wait(300)


def once(w):
    """Many that wait for each other, and no time to come back."""
    ended = w.ended()
    for way in range(10, 22):
        w.fail(way)
    w.drain("--once")
    base.expect(w.ended(), ended + 12, "sessions")
    base.expect(sorted(w.stacks()[-12:]), list(range(11, 23)), "stacks")


def rebuilt(w):
    """What was read of a file is kept for the next process, and is not used
    when it is another file by then, made anew or written over; also where no
    build id tells."""
    def line(way):
        ended = w.ended()
        w.fail(way)
        base.until("its stack", lambda: w.ended() == ended + 1)
        return w.last_line()
    side = w.sidecar("--stay")
    first = line(30)
    base.expect(line(31), first, "line, of the next process")
    w.build("\n\n\n" + SOURCE, build_id="none")
    base.expect(line(32), first + 3, "line, of a program made anew")
    inode = os.stat(w.program).st_ino
    w.build("\n" + SOURCE, "other", build_id="none")
    with open(w.program + ".other", "rb") as f, open(w.program, "r+b") as to:
        to.truncate()
        to.write(f.read())
    base.expect(os.stat(w.program).st_ino, inode, "inode")
    base.expect(line(33), first + 1, "line, of a program written over")
    side.terminate()
    side.wait(300)


def main():
    w = World(*map(os.path.realpath, sys.argv[1:3]))
    try:
        side = others_go_on(w)
        killed_while_naming(w, side)
        worker_is_gone(w)
        once(w)
        rebuilt(w)
    except AssertionError:
        print(w.log()[-2000:])
        raise
    finally:
        w.done()


main()

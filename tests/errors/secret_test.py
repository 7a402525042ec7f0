#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A planted secret is nowhere: secret_test.py HANDSPAN

A program has a secret in an argument, on its stack and in registers, and fails
in each way: rule, exception, signal, abort, overdue with and without a stop. It
is looked for byte by byte in the session directory (while the program and the
sidecar run, and after), in the store with -wal, -shm and free pages, and in
what a gateway (PostgreSQL behind a simulation of PostgREST) and an OTLP
receiver got, with values=on and without. A word in a captured argument that is
no secret must be found where values belong: so the search can fail.
"""
import http.server
import os
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "upload"))
import base  # noqa: E402
import postgres  # noqa: E402
import scan  # noqa: E402

SECRET = "Zq9" + os.urandom(9).hex()
PLAIN = "PlainWordKx4" + os.urandom(4).hex()
WAYS = ("rule", "throw", "segv", "abort", "late", "late_stop")
MANIFEST = """[[object(main)]];
[[span, input(name), fails(return < 0), secret(secret)]]
    int rule(const char *name, const char *secret);
[[span, input(name), secret(secret)]]
    int thrower(const char *name, const char *secret);
[[span, input(name), overdue("100ms"), secret(secret)]]
    int late(const char *name, const char *secret);
[[span, input(name), overdue("100ms", stop), secret(secret)]]
    int late_stop(const char *name, const char *secret);
"""
SOURCE = r"""
#include <stdexcept>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <fcntl.h>
#include <unistd.h>
#define OUT extern "C" __attribute__((noinline))
#define STAY __asm__ volatile("" ::: "memory")
static volatile const char *how;

/* The secret in a local array, in parts of it, in callee-saved registers. */
static int fail(const char *secret)
{
    char copy[64];
    volatile unsigned long part[2];
    unsigned long a, b;
    snprintf(copy, sizeof copy, "%s", secret);
    memcpy(&a, copy, 8);
    memcpy(&b, copy + 8, 8);
    part[0] = a, part[1] = b;
    const char *way = (const char *)how;
    __asm__ volatile("mov %0, %%rbx; mov %1, %%r14" :: "r"(a), "r"(b)
                     : "rbx", "r14");
    fprintf(stderr, "%s was refused\n", copy);
    if (!strcmp(way, "rule"))
        return open(copy, O_RDONLY);
    if (!strcmp(way, "throw"))
        throw std::runtime_error(std::string("refused: ") + copy);
    if (!strcmp(way, "segv"))
        __asm__ volatile("mov %0, %%rdi; mov %1, %%rsi; movb $1, 16"
                         :: "r"(a), "r"(b) : "rdi", "rsi", "memory");
    if (!strcmp(way, "abort"))
        abort();
    char c;
    int n = (int)read(0, &c, 1);
    STAY;
    return n + (part[0] == part[1]) + copy[3] - copy[3];
}
#define HANDLER(name) OUT int name(const char *word, const char *secret) \
    { (void)word; int n = fail(secret); STAY; return n; }
HANDLER(rule)
HANDLER(thrower)
HANDLER(late)
HANDLER(late_stop)

int main(int argc, char **argv)
{
    char secret[64] = "";
    int fd = open(argv[2], O_RDONLY);
    if (argc < 4 || fd < 0 || read(fd, secret, sizeof secret - 1) <= 0)
        return 9;
    how = argv[1];
    if (!strcmp(argv[1], "late"))
        late(argv[3], secret);
    else if (!strcmp(argv[1], "late_stop"))
        late_stop(argv[3], secret);
    else if (!strcmp(argv[1], "throw"))
        try {
            thrower(argv[3], secret);
        } catch (const std::exception &) {
            return 1;
        }
    else
        rule(argv[3], secret);
    return 0;
}
"""


class Otlp(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wire):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wire = wire
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, place, options=""):
        return (f"otlp+http://127.0.0.1:{self.server_address[1]}{place}"
                f"{options}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        scan.record(self.server.wire, "POST", self.path, self.headers, body)
        self.send_response(200)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", "0")
        self.end_headers()


def parts(word):
    """Pieces of a word: a part of it is as bad, and what lies in a register or
    at an odd place is no more than eight bytes."""
    return {word[i:i + 7].encode() for i in range(0, len(word) - 6)}


def look(place, needles, seen):
    """Which files of a folder hold one of these."""
    for path in sorted(pathlib.Path(place).rglob("*")):
        if not path.is_file():
            continue
        try:
            with open(path, "rb") as f:
                fd = f.fileno()
                end = os.fstat(fd).st_size
                at = 0
                while at < end:  # a session is 208 MB, nearly all holes
                    try:
                        at = os.lseek(fd, at, os.SEEK_DATA)
                    except OSError:
                        break
                    stop = os.lseek(fd, at, os.SEEK_HOLE)
                    text = os.pread(fd, stop - at, at)
                    for n in needles:
                        if n in text:
                            seen.setdefault(path.name, n)
                    at = stop
        except OSError:
            continue  # it went


class World(base.Place):
    def __init__(self, handspan):
        super().__init__(handspan)
        self.pg = postgres.Postgres().start()
        self.pg.migrate()
        two = os.path.join(self.dir, "two.sql")
        with open(two, "w", encoding="utf-8") as f:
            subprocess.run([self.handspan, "schema", "postgres", "--prefix", "v_"],
                           stdout=f, check=True)
        self.pg.apply(two)
        self.gateway = base.Gateway(self.pg, self.dir).start()
        self.otlp = Otlp(os.path.join(self.dir, "otlp"))
        os.mkdir(self.dir + "/program")
        self.program = self.dir + "/program/prog"
        with open(self.program + ".cpp", "w", encoding="utf-8") as f:
            f.write(SOURCE)
        with open(self.program + ".manifest", "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        with open(self.program + ".secret", "w", encoding="utf-8") as f:
            f.write(SECRET)
        subprocess.run([os.environ.get("CXX", "c++"), "-O1", "-g", "-w", "-o",
                        self.program, self.program + ".cpp"], check=True)
        self.seen = {}

    def search(self):
        look(self.lanes, parts(SECRET), self.seen)
        for suffix in ("", "-wal", "-shm", "-journal"):
            try:
                with open(self.store + suffix, "rb") as f:
                    text = f.read()
            except FileNotFoundError:
                continue
            for n in parts(SECRET):
                if n in text:
                    self.seen.setdefault("store" + suffix, n)

    def fail(self, way):
        """Watched all the time that it runs."""
        run = subprocess.Popen(
            [self.handspan, "run", "-m", self.program + ".manifest",
             "--summary=never", "--", self.program, way,
             self.program + ".secret", PLAIN], env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        if way.startswith("late"):
            base.until(way, lambda: self.search() or self.overdue(way))
        else:
            while run.poll() is None:
                self.search()
        run.communicate(timeout=300)
        self.search()

    def overdue(self, way):
        try:
            return self.rows("SELECT 1 FROM overdue JOIN spans USING (session,"
                             " ref) JOIN sites USING (session, site) "
                             "WHERE name = ?", way)
        except base.sqlite3.OperationalError:
            return None  # the store is just being made

    def close(self):
        self.gateway.kill()
        self.pg.stop()
        self.done()


def check(w):
    side = w.sidecar("--stay", "--upload", w.gateway.url(), "--upload",
                     w.gateway.url(options="values=on&prefix=v_"),
                     "--upload", w.otlp.url("/quiet"),
                     "--upload", w.otlp.url("/loud", "?values=on"))
    for way in WAYS:
        w.fail(way)
    base.until("all is sent", lambda: w.rows(
        "SELECT count(*) FROM sessions WHERE state = 'ended'")[0][0] ==
        len(WAYS) and not w.rows(
        "SELECT 1 FROM sinks WHERE state <> 'idle' OR cursor_seq < "
        "(SELECT max(seq) FROM outbox)") and w.rows("SELECT 1 FROM sinks"))
    w.search()
    side.terminate()
    side.wait(300)
    w.search()
    base.expect(w.seen, {}, "where the secret is")
    failed = dict(w.rows("SELECT name, count(*) FROM error_groups "
                         "JOIN sites ON handler = name GROUP BY name"))
    base.expect(set(failed), {"rule", "thrower", "late", "late_stop"},
                "what failed")
    stacks = w.rows("SELECT count(*) FROM stacks WHERE frames LIKE '%fail%'")
    assert stacks[0][0] >= 5, f"stacks were kept: {stacks}"
    # the search does find: a word that is no secret, where values belong
    found = {}
    plain = {PLAIN.encode()}
    look(w.dir, plain, found)
    assert "store.db" in found, f"the word is in the store: {found}"
    for wire in w.gateway.wire, w.otlp.wire:
        assert len(list(scan.requests(wire, False))) and \
            len(list(scan.requests(wire, True))), "nothing was sent"
        for loud in (False, True):
            leaks = scan.plants_in(wire, loud, [SECRET, SECRET[4:16]])
            base.expect(leaks, {}, f"the secret in {wire}, values {loud}")
        assert PLAIN in scan.plants_in(wire, True, [PLAIN]), "values=on"
        base.expect(scan.plants_in(wire, False, [PLAIN]), {}, "values off")


def main():
    w = World(os.path.realpath(sys.argv[1]))
    try:
        check(w)
    except AssertionError:
        print(w.log()[-2000:])
        raise
    finally:
        w.close()


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys: what a server says again of one reaches neither store nor log nor
screen; a sidecar that dies leaves no core; nobody of the same user reads its
memory; its environment is wiped; it and its children are confined.

  keys_test.py HANDSPAN PRELOAD
"""
import http.server
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import base

KEY = "ik_KEYKEYSECRET0123456789abcdefghijkl"
HEADER = "tok_HEADERSECRET9876543210zyxwv"
SOURCE = """
int work(int n) { __asm__ volatile("" : "+r"(n)); return n; }
int main(int argc, char **argv) { (void)argv; return work(argc) - 1; }
"""


class Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was told, in the way that the path names."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = " ".join(v for k, v in self.headers.items()
                        if k.lower() in ("authorization", "x-token"))
        status, kind, way = 400, "application/json", self.path.split("/")[1]
        body = {"code": "22000", "message": f"bad header '{told}'"}
        if way == "code":
            body = {"code": told.split(" ")[-1], "message": "no"}
        elif way == "part":
            body["message"] = "key begins with " + told[:30]
        elif way == "end":
            body["message"] = "key ends with " + told[-14:]
        elif way == "late":
            body["message"] = "x" * 350 + " " + told
        elif way == "forbidden":
            status = 403
        elif way == "table":
            status = 404
        text = json.dumps(body)
        if way == "escaped":
            text = text.replace("SECRET", "\\u0053ECRE\\u0054")
        if way == "partial":
            status = 200
            text = json.dumps({"partialSuccess": {
                "rejectedSpans": 1, "errorMessage": "told " + told}})
        if way == "type":
            kind = "text/html; " + told
        out = text.encode()
        self.send_response(status, "refused " + told)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    do_GET = do_POST = answer


class Keys(base.Base):
    def setUp(self):
        super().setUp()
        self.write("m.manifest", "[[object(main)]];\n[[span]] int work(int);")
        self.program = self.build(SOURCE)

    def assert_clean(self, what, raw):
        for secret in (KEY, HEADER):
            for at in range(len(secret) - 8):
                piece = secret[at:at + 8].encode()
                self.assertNotIn(piece, raw, f"{what}: {piece}")

    def test_what_a_server_repeats(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        host = f"127.0.0.1:{server.server_address[1]}"
        self.assertEqual(0, self.preloaded(self.program).returncode)
        urls = [f"{scheme}+http://{host}/{way}"
                for scheme in ("postgrest", "insforge", "otlp")
                for way in ("whole", "code", "part", "end", "late",
                            "escaped", "forbidden", "table", "type")]
        urls.append(f"otlp+http://{host}/partial?protocol=json"
                    "&headers-env=MY_HEADERS")
        for at in range(0, len(urls), 8):
            done = self.handspan(
                "sidecar", "--once",
                *[w for u in urls[at:at + 8] for w in ("--upload", u)],
                extra={"HANDSPAN_UPLOAD_KEY": KEY,
                       "MY_HEADERS": "x-token=" + HEADER})
            self.assert_clean("stderr", done.stderr)
            for command in (["uploads"], ["uploads", "--json"], ["status"]):
                self.assert_clean(command, self.handspan(*command).stdout)
        self.assertIn("***", self.text("uploads", "--json"))
        self.assert_clean("what is kept", self.stored_bytes())

    # ---- the process ----

    def stay(self, *more, **env):
        def limit():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        env = dict(self.env, HANDSPAN_UPLOAD_KEY=KEY, MY_KEY=HEADER, **env)
        side = subprocess.Popen(
            [base.HANDSPAN, "sidecar", "--stay", "--upload",
             "otlp+http://127.0.0.1:9/x?key-env=MY_KEY", *more],
            env=env, cwd=self.top, preexec_fn=limit,
            stderr=subprocess.DEVNULL)
        self.addCleanup(side.wait)
        self.addCleanup(side.kill)
        self.until(lambda: self.status(side.pid).get("Seccomp") == "2",
                   "a filter of the sidecar")
        return side

    def until(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def status(self, pid):
        with open(f"/proc/{pid}/status") as f:
            return {k: v.strip() for k, v in
                    (line.split(":", 1) for line in f if ":" in line)}

    def children(self, pid):
        found = []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[1] == str(pid):
                        found.append(int(name))
            except (OSError, IndexError):
                pass
        return found

    def test_no_core(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT):
            side = self.stay()
            os.kill(side.pid, number)
            status = os.waitpid(side.pid, 0)[1]
            side.returncode = -number
            self.assertEqual(number, os.WTERMSIG(status))
            self.assertFalse(os.WCOREDUMP(status))
        self.assertEqual([], [n for n in os.listdir(self.top)
                              if n.startswith("core")])

    def test_environment_is_wiped(self):
        side = self.stay()
        try:
            with open(f"/proc/{side.pid}/environ", "rb") as f:
                kept = f.read()
        except PermissionError:
            return  # that is better still
        self.assertIn(b"HANDSPAN_DIR", kept)
        self.assertNotIn(KEY.encode(), kept)
        self.assertNotIn(HEADER.encode(), kept)

    def test_nobody_of_the_same_user_looks(self):
        if os.geteuid() == 0:
            import ctypes  # without CAP_SYS_PTRACE root is like others
            self.assertEqual(0, ctypes.CDLL(None).prctl(24, 19, 0, 0, 0))
            script = ("import os,sys;"
                      "os.setresgid(65533,65533,65533);os.setgroups([]);"
                      "os.setresuid(65533,65533,65533);")
            os.chmod(self.top, 0o755)
        else:
            script = "import os,sys;"
        side = self.stay()
        got = subprocess.run(
            ["python3", "-c", script +
             f"open('/proc/{side.pid}/mem','rb')"],
            capture_output=True, text=True)
        self.assertIn("PermissionError", got.stderr)

    def test_confined(self):
        side = self.stay()
        self.assertEqual("1", self.status(side.pid)["NoNewPrivs"])
        def workers():
            return [c for k in self.children(side.pid)
                    for c in self.children(k)]
        self.until(lambda: any(self.status(w)["Seccomp"] == "2"
                               for w in workers()), "a confined uploader")

    def test_reader_is_confined(self):
        """The process that reads foreign ELF and DWARF, as the sidecar
        starts it."""
        ours, theirs = socket.socketpair()
        script = ("import os,sys;os.dup2(int(sys.argv[1]),3);"
                  "os.execv(sys.argv[2],['handspan','symbolize','--worker'])")
        reader = subprocess.Popen(
            ["python3", "-c", script, str(theirs.fileno()), base.HANDSPAN],
            env=self.env, pass_fds=[theirs.fileno()])
        theirs.close()
        self.until(lambda: self.status(reader.pid).get("Seccomp") == "2",
                   "a filter of the reader")
        self.assertEqual("1", self.status(reader.pid)["NoNewPrivs"])
        ours.close()
        reader.wait(300)

    def test_commands_are_confined(self):
        """What a person lets look at a program: held up where its output is
        not read, or its manifest does not come."""
        fifo = os.path.join(self.top, "fifo")
        os.mkfifo(fifo)
        for args, waits in ((["suggest", base.HANDSPAN, "*"], "pipe"),
                            (["check", "-m", fifo, base.HANDSPAN], "fifo"),
                            (["types", "-m", fifo, base.HANDSPAN], "fifo")):
            command = subprocess.Popen([base.HANDSPAN, *args], env=self.env,
                                       stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
            self.until(lambda: self.status(command.pid).get("Seccomp") == "2",
                       f"a filter of {args[0]}, held up at a {waits}")
            self.assertEqual("1", self.status(command.pid)["NoNewPrivs"])
            command.kill()
            command.communicate()


if __name__ == "__main__":
    base.main()

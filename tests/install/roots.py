#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The package as a new user takes it: bare roots of Debian releases, without a
compiler, `apt install ./handspan_*.deb`, a first waterfall; upgraded and removed
while a traced program runs. Needs root and debootstrap.

usage: roots.py MAKE_PACKAGE [SUITE...]
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SUITES = sys.argv[2:] or ["bookworm", "trixie"]
EXAMPLE = "/usr/share/doc/handspan/examples/sqlite3/run"
LIBRARY = "/usr/lib/handspan/libhandspan.so"
# A traced program that starts others, before and after what is done meanwhile.
LONG = r"""
echo before; sqlite3 :memory: 'select 1'
while [ ! -e /tmp/go ]; do read -t 0.1 line < /tmp/idle || true; done
sqlite3 :memory: 'select 2'; echo after
"""


def mirror():
    for path in glob.glob("/etc/apt/sources.list*/*") + glob.glob("/etc/apt/sources.list"):
        with open(path) as f:
            found = re.search(r"^(?:deb |URIs: )\S*?(https?://\S+/debian)/?(?: |$)", f.read(), re.M)
        if found:
            return found[1]
    return "http://deb.debian.org/debian"


def check(what, is_true, text=""):
    print(f"  {'ok  ' if is_true else 'FAIL'} {what}", flush=True)
    if not is_true:
        print(text)
        sys.exit(1)


class Root:
    def __init__(self, suite, top, package):
        self.path = os.path.join(top, suite)
        self.mounts = []
        subprocess.run(["debootstrap", "--variant=minbase", suite, self.path, mirror()],
                       check=True, stdout=subprocess.DEVNULL)
        for kind, at in (("proc", "/proc"), ("devtmpfs", "/dev"), ("tmpfs", "/dev/shm")):
            subprocess.run(["mount", "-t", kind, kind, self.path + at], check=True)
            self.mounts.insert(0, self.path + at)
        shutil.copy(package, self.path + "/handspan.deb")

    def close(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/root").startswith(self.path):
                    os.kill(int(pid), 9)
            except OSError:
                continue
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount])

    def start(self, script):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/var/tmp",
               "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.Popen(["chroot", self.path, "bash", "-ec", script], env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def run(self, script):
        done = self.start(script)
        text = done.communicate()[0]
        return done.returncode, text


def meanwhile(root, what, command):
    """`command` while a traced program runs that starts others afterwards."""
    root.run("rm -f /tmp/go /tmp/idle; mkfifo /tmp/idle; printf '%s' \"[[span]] int "
             "sqlite3_step(void *s);\" > /tmp/m.manifest")
    with open(root.path + "/tmp/long", "w") as f:
        f.write(LONG)
    traced = root.start("HANDSPAN_DIR=/dev/shm/d handspan run --summary=never "
                        "-m /tmp/m.manifest -- bash /tmp/long 2>&1 3<>/tmp/idle")
    first = [traced.stdout.readline(), traced.stdout.readline()]
    status, text = root.run(command)
    check(what, status == 0, text)
    open(root.path + "/tmp/go", "w").close()
    rest = traced.communicate()[0]
    check(f"{what}: the program went on", (first, rest, traced.returncode) ==
          (["before\n", "1\n"], "2\nafter\n", 0), repr((first, rest)))


def try_root(root):
    begun = time.monotonic()
    status, text = root.run("apt-get update -qq && apt-get install -y -qq "
                            "/handspan.deb sqlite3")
    check("apt takes the package", status == 0, text)
    status, text = root.run("EXAMPLE_DIR=/tmp/x " + EXAMPLE)
    check("a first waterfall", status != 127 and re.search(r"Complete: [\d,]+ of", text), text)
    print(f"       {time.monotonic() - begun:.0f} s from the bare root to it")
    status, text = root.run("! command -v cc gcc c++ clang")
    check("no compiler was needed", status == 0, text)
    meanwhile(root, "upgraded", "apt-get install --reinstall -y -qq /handspan.deb")
    status, text = root.run("handspan list | grep -c bash")
    check("and its trace is stored", status == 0, text)
    meanwhile(root, "removed", "apt-get remove -y -qq handspan")
    check("nothing is left in /usr", root.run(f"test ! -e {LIBRARY}")[0] == 0)


def main():
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("needs root and debootstrap")
        sys.exit(77)
    top = tempfile.mkdtemp(prefix="handspan-roots-")
    try:
        made = subprocess.run([sys.argv[1], top + "/package"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split()
        package = next(path for path in made if path.endswith(".deb"))
        for suite in SUITES:
            print(suite)
            root = Root(suite, top, package)
            try:
                try_root(root)
            finally:
                root.close()
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", top])


if __name__ == "__main__":
    main()

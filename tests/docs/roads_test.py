#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/roads.md, as pages_test.py runs a page, beside a
PostgreSQL of its own and, on the port that the page names, the simulation of
PostgREST. The network is the test's own, so that the port is free.

usage: roads_test.py HANDSPAN
"""
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../upload"))
import base  # noqa: E402
import postgres  # noqa: E402

NEWUSER, NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, UP = 0x8913, 0x8914, 1
SKIP = 77


def own_network():
    """A network that is only this process's and its children's, with a
    loopback that is up. Fails where namespaces are not allowed."""
    ids = os.getuid(), os.getgid()
    flags = NEWNET | (0 if ids[0] == 0 else NEWUSER)
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        print(f"skipped: no namespace: {os.strerror(ctypes.get_errno())}")
        sys.exit(SKIP)
    if ids[0] != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "{0} {0} 1".format(ids[0])),
                           ("gid_map", "{0} {0} 1".format(ids[1]))):
            with open("/proc/self/" + name, "w", encoding="ascii") as f:
                f.write(text)
    with socket.socket() as s:
        request = struct.pack("16sH14x", b"lo", 0)
        now = struct.unpack("16sH14x", fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", now | UP))


def main():
    own_network()
    handspan = os.path.realpath(sys.argv[1])
    pg = postgres.Postgres()
    gateway = None
    try:
        pg.start()
        with open(os.path.join(pg.dir, "port"), "w", encoding="ascii") as f:
            f.write("3000")
        gateway = base.Gateway(pg, pg.dir)
        gateway.start()
        base.until("the gateway", lambda: gateway.port == 3000 and listens())
        env = dict(os.environ, PGHOST=pg.dir, PGUSER="owner")
        status = subprocess.run(
            [sys.executable, os.path.join(HERE, "pages_test.py"), handspan,
             os.path.join(HERE, "../../docs/roads.md")], env=env,
            check=False).returncode
    finally:
        if gateway and gateway.server:
            gateway.kill()
        pg.stop()
    sys.exit(status)


def listens():
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", 3000)) == 0


if __name__ == "__main__":
    main()

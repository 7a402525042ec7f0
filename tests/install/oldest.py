#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The oldest glibc: programs of Debian 11 (2.31) with the preload that was built
here, in a bare root; the sidecar outside of it, as in docs/containers.md. The
commands need the glibc they were built with (said with the figures). Needs root
and debootstrap.

usage: oldest.py HANDSPAN PRELOAD SOURCE
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from roots import mirror

HANDSPAN, PRELOAD, SOURCE = (os.path.realpath(a) for a in sys.argv[1:4])
SUITE, GLIBC = "bullseye", "2.31"
PACKAGE = """Package: x
Version: 1
Architecture: all
Maintainer: x <x@x>
Description: x
"""


def newest_glibc(path):
    """The newest version of a symbol that it wants of libc."""
    said = subprocess.run(["objdump", "-T", path], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    found = {tuple(map(int, v.split(".")))
             for v in re.findall(r"GLIBC_(\d[\d.]*)", said)}
    return ".".join(map(str, max(found))) if found else "none"


def library(name):
    said = subprocess.run(["ldconfig", "-p"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    return re.search(rf"{re.escape(name)}\S* .*=> (\S+)", said)[1]


def install(root):
    place = root + "/opt/handspan"
    os.mkdir(place)
    for name in os.listdir(os.path.dirname(PRELOAD)):
        if name.startswith("libhandspan") and name.endswith(".so"):
            shutil.copy(f"{os.path.dirname(PRELOAD)}/{name}", place)
    shutil.copy(library("libZydis.so.4.0"), place + "/libZydis.so.4.0")
    zycore = library("libZycore.so")
    shutil.copy(zycore, f"{place}/{os.path.basename(zycore)}")
    shutil.copy(SOURCE + "/share/handspan/manifests/zlib.manifest", place)
    os.mkdir(root + "/run/handspan", 0o700)
    os.makedirs(root + "/pkg/DEBIAN")
    with open(root + "/pkg/DEBIAN/control", "w", encoding="utf-8") as f:
        f.write(PACKAGE)
    with open(root + "/pkg/data", "wb") as f:
        f.write(os.urandom(300000))


def traced(root):
    """dpkg-deb makes a package: processes, a library's functions."""
    run = ["chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    made = {}
    for name, more in (("plain", []), ("traced", [
            "LD_PRELOAD=/opt/handspan/libhandspan.so",
            "HANDSPAN_DIR=/run/handspan", "HANDSPAN_SIDECAR=off",
            "HANDSPAN_MANIFEST=/opt/handspan/zlib.manifest"])):
        done = subprocess.run(
            [*run, "SOURCE_DATE_EPOCH=1", *more, "dpkg-deb", "-Zgzip", "-b",
             "/pkg", "/x.deb"], capture_output=True, timeout=300)
        with open(root + "/x.deb", "rb") as f:
            made[name] = (done.returncode, done.stdout, done.stderr, f.read())
    assert made["plain"] == made["traced"], [m[:3] for m in made.values()]
    assert made["plain"][0] == 0, made["plain"][2]


def said(*args, top):
    env = dict(os.environ, HANDSPAN_CONFIG="/dev/null",
               HANDSPAN_STORE=top + "/s.db")
    done = subprocess.run([HANDSPAN, *args], env=env, text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main():
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("skipped: needs root and debootstrap")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="oldest-") as top:
        root = top + "/root"
        made = subprocess.run(["debootstrap", "--variant=minbase", SUITE, root,
                               mirror()], stdout=subprocess.DEVNULL)
        if made.returncode:
            print(f"skipped: the mirror has no {SUITE}")
            sys.exit(77)
        version = subprocess.run(["chroot", root, "ldd", "--version"], text=True,
                                 stdout=subprocess.PIPE, check=True).stdout
        assert GLIBC in version.splitlines()[0], version
        install(root)
        traced(root)
        said("sidecar", "--dir", root + "/run/handspan", top=top)
        rows = [json.loads(line) for line in said(
            "stats", "--json", top=top).splitlines()][1:]
        calls = {r["name"]: r["calls"] for r in rows if r.get("calls")}
    assert calls.get("deflate", 0) > 50 and calls.get("gzclose") == 2, calls
    assert newest_glibc(PRELOAD) == "none"
    print(f"{SUITE}, glibc {GLIBC}: {calls}; the preload wants nothing of glibc, "
          f"handspan {newest_glibc(HANDSPAN)}")


if __name__ == "__main__":
    main()

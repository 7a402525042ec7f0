#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of ci in a machine that nobody of us has: a processor without AVX and
without an invariant TSC, one of them, its clock a year ahead.

usage: vm.py BUILD_DIR REGEX [CPU]

The machine is qemu's, translated (no KVM), with Debian's kernel and all that the
tests' commands name in its first memory disk: programs with what they load,
scripts with their folder, python3, busybox for the rest. A test's command is the
one that ctest has. Skipped where qemu, busybox or a kernel are missing: the
kernel is VM_KERNEL, the newest in /boot, or downloaded from Debian.
"""
import datetime
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
NEEDED = ("qemu-system-x86_64", "busybox", "cpio")
TOOLS = ("nm", "readelf", "objdump", "flock", "strace")
TEST_S, ALL_S = 1500, int(os.environ.get("VM_S", "7200"))
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys
mount -t devtmpfs dev /dev; mkdir -p /dev/shm /tmp /run /root
mount -t tmpfs -o mode=1777 shm /dev/shm; mount -t tmpfs -o mode=1777 tmp /tmp
ip link set lo up
export PATH=/usr/bin:/bin HOME=/tmp/home TMPDIR=/tmp TEST_MEMORY=/dev/shm
export LANG=C.UTF-8 XDG_RUNTIME_DIR=/tmp/run TEST_CACHE=/tmp/cache
mkdir -p -m 700 $HOME $XDG_RUNTIME_DIR $TEST_CACHE
echo "MACHINE $(date +%Y-%m-%d), $(grep -c ^processor /proc/cpuinfo) processor," \\
    "$(grep -m1 '^model name' /proc/cpuinfo | cut -d: -f2)," \\
    "$(grep -m1 '^flags' /proc/cpuinfo | grep -ow 'avx\\|avx2\\|constant_tsc\\|nonstop_tsc')"
while read -r name dir command; do
    cd "$dir"
    timeout @S@ sh -c "$command" >/tmp/said 2>&1 </dev/null
    status=$?
    [ $status = 0 ] || [ $status = 77 ] || tail -n 15 /tmp/said
    echo "RESULT $name $status"
done </tests
echo "LEFT $(ls /dev/shm | tr '\\n' ' ')"
poweroff -f
"""


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def kernel(temp):
    found = os.environ.get("VM_KERNEL") or sorted(glob.glob("/boot/vmlinuz-*"))
    if isinstance(found, str):
        return found
    if found:
        return found[-1]
    said = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"],
                          text=True, capture_output=True, check=False).stdout
    names = re.findall(r"linux-image-[0-9]\S+", said)
    if not names or subprocess.run(["apt-get", "download", "-qq", names[0]],
                                   cwd=temp, check=False).returncode:
        skip("no kernel: VM_KERNEL may name one")
    subprocess.run(f"dpkg-deb -x {names[0]}*.deb . && rm *.deb", shell=True,
                   cwd=temp, check=True)
    return glob.glob(f"{temp}/boot/vmlinuz-*")[0]


class Root:
    """The folder that the machine begins with."""

    def __init__(self, temp):
        self.temp = pathlib.Path(temp)
        for name in "bin", "proc", "sys", "dev", "etc", "usr/bin":
            (self.temp / name).mkdir(parents=True, exist_ok=True)
        (self.temp / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        self.put(shutil.which("busybox"), "/bin/busybox")
        self.put_program(os.path.realpath(PYTHON), PYTHON)
        for tool in filter(shutil.which, TOOLS):
            self.put_program(os.path.realpath(shutil.which(tool)),
                             "/usr/bin/" + tool)
        library = sysconfig.get_path("stdlib", vars={
            "installed_base": "/usr", "py_version_short": re.sub(
                ".*python", "", os.path.realpath(PYTHON))})
        self.put_folder(library, ("test", "dist-packages", "site-packages",
                                  "__pycache__", "idlelib", "tkinter",
                                  "config-*", "lib2to3", "ensurepip"))
        for path in glob.glob(library + "/lib-dynload/*.so"):
            self.put_libraries(path)

    def put(self, path, at=None):
        to = self.temp / (at or path).lstrip("/")
        if not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)

    def put_libraries(self, path):
        said = subprocess.run(["ldd", path], text=True, capture_output=True,
                              check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            self.put(library)

    def put_program(self, path, at=None):
        self.put(path, at)
        self.put_libraries(path)

    def put_folder(self, path, aside=("__pycache__",)):
        to = self.temp / path.lstrip("/")
        if not to.exists():
            shutil.copytree(path, to, ignore=shutil.ignore_patterns(*aside))

    def put_test(self, command):
        for word in command:
            if word.startswith(str(SOURCE / "tests")):
                self.put_folder(os.path.dirname(word))
            elif os.path.isfile(word):
                self.put_program(word)
                if word.endswith(".so"):  # of the preload: its companions
                    for beside in glob.glob(os.path.dirname(word) + "/*.so"):
                        self.put_program(beside)

    def pack(self, out):
        subprocess.run("find . | cpio -o -H newc --quiet | gzip -1 >" + out,
                       shell=True, cwd=self.temp, check=True)


def tests_of(build, regex):
    said = subprocess.run(["ctest", "--test-dir", build, "-L", "ci", "-R", regex,
                           "--show-only=json-v1"], text=True,
                          capture_output=True, check=True).stdout
    for test in json.loads(said)["tests"]:
        command = test["command"]
        if os.path.basename(command[0]).startswith("python3"):
            command[0] = PYTHON
        folder = {p["name"]: p["value"] for p in test["properties"]}
        yield test["name"], folder["WORKING_DIRECTORY"], command


def run(argv):
    """What it says, as far as it comes; said here as well."""
    said = ""
    with subprocess.Popen(argv, text=True, errors="replace",
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as machine:
        end = threading.Timer(ALL_S, machine.kill)
        end.start()
        for line in machine.stdout:
            print(line, end="", flush=True)
            said += line
        end.cancel()
    return said


def main():
    build, regex = os.path.realpath(sys.argv[1]), sys.argv[2]
    cpu = sys.argv[3] if len(sys.argv) > 3 else "Nehalem"
    missing = [n for n in NEEDED if not shutil.which(n)]
    if missing:
        skip("not installed: " + ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="handspan-vm-") as temp:
        tests = list(tests_of(build, regex))
        root = Root(temp + "/root")
        root.put_folder(str(SOURCE / "tests/common"))
        for path in glob.glob(build + "/lib/*.so") + [build + "/bin/handspan"]:
            root.put_program(path)
        for name, folder, command in tests:
            root.put_test(command)
            (root.temp / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (root.temp / "tests").write_text("".join(
            f"{n} {f} {shlex.join(c)}\n" for n, f, c in tests))
        (root.temp / "init").write_text(INIT.replace("@S@", str(TEST_S)))
        (root.temp / "init").chmod(0o755)
        root.pack(temp + "/initrd")
        later = datetime.datetime.now() + datetime.timedelta(days=365)
        said = run(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-smp", "1",
             "-m", "3072", "-rtc", f"base={later:%Y-%m-%dT%H:%M:%S}", "-net",
             "none", "-display", "none", "-serial", "stdio", "-no-reboot",
             "-kernel", kernel(temp), "-initrd", temp + "/initrd", "-append",
             "console=ttyS0 quiet panic=-1"])
    status = dict(re.findall(r"^RESULT (\S+) (\d+)", said, re.M))
    bad = [n for n, _, _ in tests if status.get(n) not in ("0", "77")]
    print(f"{cpu}: {sum(s == '0' for s in status.values())} passed, "
          f"{sum(s == '77' for s in status.values())} skipped, "
          f"not passed: {' '.join(bad) or 'none'}")
    return 1 if bad or not tests else 0


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runtimes with stacks, collectors and signals of their own around a native
library whose functions are handlers (runtimes/): what they say, return and leave
is the same untraced and traced, by F and by Z.

  runtimes.py PRELOAD BIND_DUMP [PATTERN]

What is not installed is skipped, by name.
"""
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtimes")
CRATES = "/usr/share/cargo/registry"
MANIFEST = """[[object("libnative.so")]];
[[span, input(n), output(return)]] int native_work(int n);
[[span, input(text), output(return)]] int native_text(const char *text);
[[span, input(n), output(return)]] int native_call(int (*fn)(int), int n);
[[span, match("Java_Main_*")]];
"""
CARGO = """[package]
name = "main"
version = "0.1.0"
edition = "2021"
[[bin]]
name = "main"
path = "%s/main.rs"
[dependencies]
rayon = "1"
tokio = { version = "1", features = ["rt-multi-thread"] }
"""
SOURCE = """[source.crates-io]
replace-with = "here"
[source.here]
directory = "%s"
"""
JAVA = {"": [], "serial": ["-XX:+UseSerialGC"],
        "parallel": ["-XX:+UseParallelGC"], "z": ["-XX:+UseZGC"],
        "shenandoah": ["-XX:+UseShenandoahGC"], "comp": ["-Xcomp"],
        "int": ["-Xint"], "check": ["-Xcheck:jni"],
        "g1-stress": ["-XX:+UseG1GC", "-Xmx64m"],
        "jfr": ["-XX:StartFlightRecording:filename=r.jfr", "-Xlog:disable",
                "-Xlog:all=off"]}


class Cannot(Exception):
    pass


def need(program):
    path = shutil.which(program)
    if not path:
        raise Cannot(f"no {program}")
    return path


def make(command, work, **env):
    done = subprocess.run(command, cwd=work, env=dict(os.environ, **env),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=900)
    if done.returncode != 0:
        raise Cannot(f"{command[0]}: {(done.stderr + done.stdout)[-300:]}")


def native(work, *words):
    make([need("cc"), "-O1", "-g", "-fexceptions", "-shared", "-fPIC", *words,
          "-o", "libnative.so", HERE + "/native.c"], work)


def python(work):
    native(work)
    for one in "/usr/bin/python3", sys.executable:
        if subprocess.run([one, "-c", "import greenlet"],
                          capture_output=True).returncode == 0:
            return {"greenlet": [one, HERE + "/main.py", work + "/libnative.so"]}
    raise Cannot("no greenlet")


def go(work):
    native(work)
    shutil.copy(HERE + "/main.go", work)
    with open(work + "/go.mod", "w", encoding="utf-8") as f:
        f.write("module main\ngo 1.19\n")
    make([need("go"), "build", "-o", "main", "."], work, CGO_ENABLED="1",
         GOCACHE=work + "/cache", GOFLAGS="-mod=mod", GOTOOLCHAIN="local",
         GOPROXY="off", CGO_LDFLAGS=f"-L{work} -lnative -Wl,-rpath,{work}")
    return {"cgo": [work + "/main"]}


def rust(work):
    native(work)
    if not glob.glob(CRATES + "/tokio-1*") or not glob.glob(CRATES + "/rayon-1*"):
        raise Cannot("no librust-tokio-dev, librust-rayon-dev")
    with open(work + "/Cargo.toml", "w", encoding="utf-8") as f:
        f.write(CARGO % HERE)
    os.mkdir(work + "/.cargo")
    with open(work + "/.cargo/config.toml", "w", encoding="utf-8") as f:
        f.write(SOURCE % CRATES)
    make([need("cargo"), "build", "--offline", "--target-dir", "out"], work,
         RUSTFLAGS=f"-L{work} -lnative -Clink-arg=-Wl,-rpath,{work}")
    return {"tokio-rayon": [work + "/out/debug/main"]}


def java(work):
    home = os.path.dirname(os.path.dirname(os.path.realpath(need("javac"))))
    native(work, "-DWITH_JAVA", f"-I{home}/include", f"-I{home}/include/linux")
    make([need("javac"), "-d", work, HERE + "/Main.java"], work)
    return {"java-" + name: [home + "/bin/java", *words, "-cp", work, "Main",
                             work + "/libnative.so"]
            for name, words in JAVA.items()}


class Runs:
    def __init__(self, preload, dump, top):
        self.preload, self.dump, self.dir = preload, dump, top + "/d"
        self.manifest, self.home = top + "/m.manifest", top + "/home"
        os.mkdir(self.home)
        with open(self.manifest, "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        self.bare = {k: v for k, v in os.environ.items()
                     if not k.startswith(("HANDSPAN_", "LD_", "TRACE"))}
        self.bare["PYTHONHASHSEED"] = "0"
        self.spans = 0

    def run(self, command, shim):
        env = dict(self.bare)
        if shim:
            env.update(LD_PRELOAD=self.preload, HANDSPAN_DIR=self.dir,
                       HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=self.manifest,
                       HANDSPAN_TEST_SHIM=shim)
        done = subprocess.run(command, env=env, cwd=self.home, timeout=600,
                              stdin=subprocess.DEVNULL, capture_output=True)
        left = sorted(os.listdir(self.home))
        for one in left:
            os.unlink(os.path.join(self.home, one))
        return done.returncode, done.stdout, done.stderr, left

    def count(self):
        """The handlers' records, in the sessions that the run left."""
        spans = 0
        for one in sorted(glob.glob(self.dir + "/session-*")):
            said = subprocess.run([self.dump, one], capture_output=True,
                                  text=True, check=False).stdout
            spans += sum(map(int, re.findall(r"^span .* x(\d+)$", said, re.M)))
        shutil.rmtree(self.dir, ignore_errors=True)
        return spans

    def same(self, name, command):
        want = self.run(command, None)
        found = []
        for shim in ("frame", "zero"):
            got = self.run(command, shim)
            spans = self.count()
            self.spans += spans
            if got != want or spans == 0:
                found.append(f"{name}, {shim}: {spans} spans, {str(got)[:900]},"
                             f" untraced {str(want)[:300]}")
        for text in found:
            print("WRONG", text, flush=True)
        if not found:
            print("equal", name, flush=True)
        return not found


def main():
    preload, dump = (os.path.abspath(a) for a in sys.argv[1:3])
    pattern = sys.argv[3] if len(sys.argv) > 3 else "*"
    equal, wrong, skipped = [], [], []
    with tempfile.TemporaryDirectory(prefix="handspan-runtimes-") as top:
        runs = Runs(preload, dump, top)
        for runtime in (python, java, go, rust):
            work = f"{top}/{runtime.__name__}"
            os.mkdir(work)
            try:
                commands = runtime(work)
            except Cannot as why:
                print("skipped", runtime.__name__, why, flush=True)
                skipped.append(runtime.__name__)
                continue
            for name, command in commands.items():
                if fnmatch.fnmatch(name, pattern):
                    which = equal if runs.same(name, command) else wrong
                    which.append(name)
        make(["chmod", "-R", "u+w", top], top)  # go's cache
    print(f"{len(equal)} runtimes equal ({' '.join(equal)}), {len(wrong)} "
          f"different, {len(skipped)} skipped; {runs.spans} spans")
    return 1 if wrong else 0 if equal else 77


if __name__ == "__main__":
    sys.exit(main())

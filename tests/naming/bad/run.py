#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manifests, objects and files as nobody wants them: the program does what it
does untraced, in bounded time, and it is said what is not seen.

usage: run.py BUILD CASE
"""
import collections
import ctypes
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../common"))
import alive  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
HANDSPAN = str(BUILD / "bin" / "handspan")
PRELOAD = str(BUILD / "lib" / "libhandspan.so")
CC = os.environ.get("CC", "cc")
LIBRARY = r"""
int exported(int n) { return n * 3 + 1; }
__attribute__((noipa)) static int hidden(int n) { return n * 7 + 2; }
int outer(int n) { return hidden(n) + exported(n); }
"""
MAIN = r"""
#include <stdio.h>
#include <unistd.h>
int outer(int n);
__attribute__((noipa)) static int work(int n) { return n * 5 + 3; }
int main(int argc, char **argv)
{
    int sum = 0;
    if (argc > 1)
        for (int i = 1; i < argc; i++)
            unlink(argv[i]);
    for (int i = 0; i < 4; i++)
        sum += work(i) + outer(i);
    printf("%d\n", sum);
    return argv[0] == 0;
}
"""


def expect(got, want, what):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


class Place:
    def __enter__(self):
        memory = os.environ.get("TEST_MEMORY")
        self.at = pathlib.Path(tempfile.mkdtemp(prefix="handspan-bad-",
                                                dir=memory))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_"))}
        self.env.update(HANDSPAN_DIR=str(self.at / "d"),
                        HANDSPAN_STORE=str(self.at / "s.db"), COLUMNS="200")
        (self.at / "d").mkdir(0o700)
        return self

    def __exit__(self, *_):
        alive.remove(self.at)

    def write(self, name, text):
        (self.at / name).write_text(text)
        return str(self.at / name)

    def cc(self, *args):
        subprocess.run([CC, "-O2", *args], cwd=self.at, check=True)

    def program(self, folder="."):
        """A program and its library in a folder of this place."""
        where = self.at / folder
        where.mkdir(parents=True, exist_ok=True)
        self.write("lib.c", LIBRARY)
        self.write("main.c", MAIN)
        self.cc("-shared", "-fPIC", "-Wl,-soname,lib handler.so", "-o",
                str(where / "lib handler.so"), "lib.c")
        self.cc("-o", str(where / "a program"), "main.c",
                str(where / "lib handler.so"), f"-Wl,-rpath,{where}")
        return str(where / "a program")

    def traced(self, command, manifest, **more):
        """Output as untraced; returns what the store says."""
        plain = subprocess.run(command, env=self.env, capture_output=True,
                               timeout=300, check=False, **more)
        return self.compare(plain, command, manifest, **more)

    def compare(self, plain, command, manifest, **more):
        env = dict(self.env, LD_PRELOAD=PRELOAD, HANDSPAN_MANIFEST=manifest)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=env, capture_output=True,
                              timeout=300, check=False, **more)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = (after.ru_utime + after.ru_stime - before.ru_utime -
                        before.ru_stime)
        expect((done.returncode, done.stdout, done.stderr),
               (plain.returncode, plain.stdout, plain.stderr), "as untraced")
        return self.stored()

    def stored(self):
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if not list((self.at / "d").glob("session-*")) and \
                    (self.at / "s.db").exists():
                break
            time.sleep(0.02)  # waits for a state: the sidecar's commit
        else:
            sys.exit("not stored")
        rows = self.json("spans", "latest")
        (head,) = [r for r in self.json("show", "latest")
                   if r["kind"] == "trace"]
        return collections.Counter(r["name"] for r in rows), head

    def json(self, *args):
        out = subprocess.run([HANDSPAN, *args, "--json"], env=self.env,
                             capture_output=True, text=True, check=False)
        return [json.loads(line) for line in out.stdout.splitlines()][1:]

    def check(self, manifest, program, **env):
        return subprocess.run([HANDSPAN, "check", "-m", manifest, program],
                              env=dict(self.env, **env), timeout=300,
                              capture_output=True, text=True, check=False)


def why(head, name, what="not_bound"):
    return [r["reason"] for r in head[what] if r["name"] == name]


def case_many(p):
    """10,000 declarations: half of names that are nowhere, half of functions
    of one library; there is room for 3,968."""
    p.write("many.c", "".join(f"int f{i}(int n) {{ return n + 1000 + {i}; }}\n"
                              for i in range(5000)))
    p.write("use.c", "int f7(int n); int main(void) { return f7(1) != 1008; }\n")
    p.cc("-shared", "-fPIC", "-O1", "-o", "libmany.so", "many.c")
    p.cc("-o", "use", "use.c", "libmany.so", f"-Wl,-rpath,{p.at}")
    order = [f"f{i}" for i in range(5000)]
    order += [f"nowhere{i}" for i in range(5000)]
    m = p.write("m", '[[object("libmany.so")]];\n' +
                "".join(f"[[span]] int {n}(int n);\n" for n in order))
    calls, head = p.traced([str(p.at / "use")], m)
    print(f"start with 10,000 declarations: {p.seconds:.2f} s")
    expect(p.seconds < 10, True, f"{p.seconds} s of CPU")
    expect(calls["f7"], 1, "calls")
    print({k: v for k, v in head.items() if "lost" in k})
    shown = subprocess.run([HANDSPAN, "show", "latest"], env=p.env,
                           capture_output=True, text=True, check=True).stdout
    expect("6,032 handlers without room in the table" in shown, True, shown)
    start = time.monotonic()
    said = p.check(m, str(p.at / "use"))
    print(f"check: {time.monotonic() - start:.2f} s")
    expect("3968 ok, 6032 none" in said.stdout, True, said.stdout[-300:])
    expect("a process has room for 3,968 handlers" in said.stdout, True,
           said.stdout[-3000:])
    lost = p.write("n", '[[object("libmany.so")]];\n' +
                   "".join(f"[[span]] int nowhere{i}(int n);\n"
                           for i in range(10000)))
    calls, head = p.traced([str(p.at / "use")], lost)
    print(f"start with 10,000 names that are nowhere: {p.seconds:.2f} s")
    expect(p.seconds < 5, True, f"{p.seconds} s of CPU")


def case_glob(p):
    """A glob of 50,000 functions is refused: how many, and the way out."""
    p.write("many.s", "".join(
        f".globl job{i}\n.type job{i}, @function\njob{i}: mov $1, %eax\n"
        f" ret\n.size job{i}, .-job{i}\n" for i in range(50000)) +
        '.section .note.GNU-stack,"",@progbits\n')
    p.write("use.c", "int job7(void); int main(void) { return job7() != 1; }\n")
    p.cc("-shared", "-o", "libmany.so", "many.s")
    p.cc("-o", "use", "use.c", "libmany.so", f"-Wl,-rpath,{p.at}")
    m = p.write("m", '[[object("libmany.so")]];\n[[span, match("job*")]];\n')
    use = str(p.at / "use")
    calls, head = p.traced([use], m)
    (reason,) = why(head, "job*", "partly_seen")
    for part in ("50,000 functions match, more than 2,000",
                 "the first ones are traced", "narrow the glob",
                 "HANDSPAN_MATCH_MAX"):
        expect(part in reason, True, reason)
    said = p.check(m, use).stdout
    expect("50,000 functions match, more than 2,000" in said, True, said)
    expect("job* 50,000 functions" in said, True, said)
    p.env["HANDSPAN_MATCH_MAX"] = "60000"
    calls, head = p.traced([use], m)
    (reason,) = why(head, "job*", "partly_seen")
    expect("more than 3,968 that there is room for" in reason, True, reason)
    said = p.check(m, use).stdout
    expect("that there is room for" in said, True, said)
    m = p.write("m", '[[object("libmany.so")]];\n[[span, match("job1?[0-9]?")]]'
                ";\n")
    p.env["HANDSPAN_MATCH_MAX"] = "999"
    expect("1,000 functions match, more than 999" in p.check(m, use).stdout,
           True, "a limit of one's own")


def case_spaces(p):
    """Folders, objects, manifests with spaces and more in their names."""
    program = p.program("with space/ü 'quote'")
    m = p.write("with space/my manifest.h",
                '[[object("lib handler.so")]];\n[[span]] int exported(int n);'
                '\n[[object("*/with space/*/lib handler.so")]];\n'
                '[[span]] static int hidden(int n);\n'
                '[[object(main)]];\n[[span]] static int work(int n);\n')
    calls, head = p.traced([program], m)
    expect([calls[n] for n in ("exported", "hidden", "work")], [4, 4, 4],
           f"calls ({head['not_bound']})")
    expect("3 ok" in p.check(m, program).stdout, True, "check")


MANIFEST = """[[object(main)]];
[[span]] static int work(int n);
[[object("lib handler.so")]];
[[span]] int exported(int n);
[[span]] static int hidden(int n);
"""


def case_deleted(p):
    """Files that are gone while the program runs, and before it starts."""
    m = p.write("m", MANIFEST)
    program = p.program("gone")
    saved = shutil.copytree(p.at / "gone", p.at / "kept")
    library = str(p.at / "gone" / "lib handler.so")
    plain = subprocess.run([program], env=p.env, capture_output=True,
                           check=False)
    calls, _ = p.compare(plain, [program, program, library], m)
    expect([calls[n] for n in ("exported", "hidden", "work")], [4, 4, 4],
           "deleted while it runs")
    shutil.rmtree(p.at / "gone")
    shutil.copytree(saved, p.at / "gone")
    fd = os.open(program, os.O_RDONLY)
    os.unlink(program)
    calls, _ = p.compare(plain, [f"/proc/self/fd/{fd}"], m, pass_fds=[fd])
    os.close(fd)
    expect([calls[n] for n in ("exported", "hidden", "work")], [4, 4, 4],
           "the executable deleted before it starts")


def case_replaced(p):
    """Another build stands under the library's name by now: its static
    functions are not taken from there. (The library is mapped under a second
    name, which is then given to another file.)"""
    program = p.program("there")
    library = p.at / "there" / "lib handler.so"
    p.write("swap.c", r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *first = dlopen(argv[1], RTLD_NOW);
    if (argc < 4 || !first || rename(argv[2], argv[1]) != 0)
        return 2;
    void *second = dlopen(argv[3], RTLD_NOW); /* now it is bound anew */
    int (*outer)(int);
    *(void **)&outer = dlsym(first, "outer");
    printf("%d %d\n", outer(3), second != 0);
    return 0;
}
""")
    p.cc("-o", "swap", "swap.c", "-ldl")
    p.write("other.c", "static int hidden(int n) { return n; }\n"
            "int pad(int n) { return hidden(n) * 2; }\n")
    p.cc("-shared", "-fPIC", "-o", "other.so", "other.c")
    p.cc("-shared", "-fPIC", "-o", "third.so", "other.c")
    m = p.write("m", MANIFEST)

    def command():
        p.cc("-shared", "-fPIC", "-Wl,-soname,lib handler.so", "-o",
             str(library), "lib.c")
        shutil.copy(p.at / "other.so", p.at / "new.so")
        return [str(p.at / "swap"), str(library), str(p.at / "new.so"),
                str(p.at / "third.so")]
    plain = subprocess.run(command(), env=p.env, capture_output=True,
                           check=False)
    expect(plain.returncode, 0, "the program")
    calls, _ = p.compare(plain, command(), m)
    expect((calls["exported"], calls["hidden"]), (1, 1), "calls")
    expect(program != "", True, "")


def case_memfd(p):
    """An executable that is no file."""
    m = p.write("m", MANIFEST)
    program = p.program("there")
    plain = subprocess.run([program], env=p.env, capture_output=True,
                           check=False)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.memfd_create(b"a packed program", 0)
    os.write(fd, pathlib.Path(program).read_bytes())
    calls, _ = p.compare(plain, [f"/proc/self/fd/{fd}"], m, pass_fds=[fd])
    os.close(fd)
    expect([calls[n] for n in ("exported", "hidden", "work")], [4, 4, 4],
           "calls")


def case_packed(p):
    """A program that unpacks its code when it starts, as packers do: what is
    made at run time is not seen, the rest is; nothing breaks. (Debian 12 has
    no packer: this one keeps its code xor-ed.)"""
    p.write("packed.c", r"""
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int exported(int n);
__attribute__((noipa, section("packed"), aligned(4096))) int inner(int n)
{
    return n * 5 + 3;
}
__attribute__((noipa, section("packed"), aligned(4096))) void behind(void)
{
}
__attribute__((noipa)) static void unpack(void)
{
    unsigned char *at = (unsigned char *)inner;
    mprotect(at, 4096, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 4096; i++)
        at[i] ^= 0x5a;
    mprotect(at, 4096, PROT_READ | PROT_EXEC);
}
int main(void)
{
    unpack();
    printf("%d %d\n", inner(4), exported(2));
    return 0;
}
""")
    p.write("lib.c", LIBRARY)
    p.cc("-shared", "-fPIC", "-o", "libx.so", "lib.c")
    p.cc("-fno-PIE", "-no-pie", "-o", "packed", "packed.c", "libx.so",
         f"-Wl,-rpath,{p.at}", "-Wno-attributes", "-fcf-protection=none")
    out = subprocess.run(["readelf", "-SW", "packed"], cwd=p.at, check=True,
                         capture_output=True, text=True).stdout
    line = [x.split("]")[1].split() for x in out.splitlines()
            if " packed " in x][0]
    offset = int(line[3], 16)
    image = bytearray((p.at / "packed").read_bytes())
    image[offset:offset + 4096] = bytes(
        b ^ 0x5a for b in image[offset:offset + 4096])
    (p.at / "packed").write_bytes(image)
    m = p.write("m", '[[object(main)]];\n[[span]] int inner(int n);\n'
                '[[object("libx.so")]];\n[[span]] int exported(int n);\n')
    calls, head = p.traced([str(p.at / "packed")], m)
    expect(calls["exported"], 1, "calls")
    print("packed:", head["not_bound"])


def case_truncated(p):
    """ELF files cut at every length: said, with no crash."""
    program = p.program("there")
    whole = pathlib.Path(program).read_bytes()
    m = p.write("m", MANIFEST)
    cut = p.at / "cut"
    lengths = list(range(0, 64, 9)) + list(range(64, len(whole), 997))
    for length in lengths:
        cut.write_bytes(whole[:length])
        cut.chmod(0o755)
        for command in (["check", "-m", m], ["suggest"]):
            done = subprocess.run([HANDSPAN, *command, str(cut)], env=p.env,
                                  capture_output=True, text=True, timeout=300,
                                  check=False)
            expect(done.returncode in (0, 1, 2, 3, 4, 5), True,
                   f"{command} of {length} bytes: {done}")
            if length < 64:
                expect(done.stderr.startswith("handspan"), True, done)
    # the same as a library that a traced program tries to load
    p.write("load.c", r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%d\n", dlopen(argv[i], RTLD_NOW) != 0);
    return 0;
}
""")
    p.cc("-o", "load", "load.c", "-ldl")
    library = (p.at / "there" / "lib handler.so").read_bytes()
    names = []
    for length in range(100, len(library), 4001):
        if length > 4096 and length < 13000:
            continue  # the loader itself dies of a missing page
        names.append(str(p.at / f"lib{length}.so"))
        pathlib.Path(names[-1]).write_bytes(library[:length])
    p.traced([str(p.at / "load"), *names], m)


def main():
    with Place() as p:
        globals()[f"case_{sys.argv[2]}"](p)


main()

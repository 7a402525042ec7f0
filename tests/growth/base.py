# SPDX-License-Identifier: Apache-2.0
"""Instructions that a command executes, as valgrind counts them: the same on
any machine and under any load."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

CC = os.environ.get("CC", "cc")


class Place:
    """A folder of its own; `open_` is to be preloaded into what shuts itself
    into a sandbox, in which valgrind cannot live."""

    def __enter__(self):
        if not shutil.which("valgrind"):
            print("skipped: no valgrind")
            sys.exit(77)
        self.at = tempfile.mkdtemp(prefix="handspan-growth-")
        self.open_ = self.library(
            "open", "int prctl(int what) { (void)what; return 0; }\n")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.at)

    def write(self, name, text):
        with open(f"{self.at}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
        return f"{self.at}/{name}"

    def library(self, name, text):
        source = self.write(name + ".c", text)
        subprocess.run([CC, "-shared", "-fPIC", "-o", f"{self.at}/{name}.so",
                        source], check=True)
        return f"{self.at}/{name}.so"

    def program(self, name, text, *options):
        source = self.write(name, text)
        built = source.rsplit(".", 1)[0]
        subprocess.run([CC, "-o", built, source, *options], check=True)
        return built

    def collected(self, *argv, preload, **env):
        """(instructions, its standard output)"""
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith("HANDSPAN_")}
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--vgdb=no", "--smc-check=all",
             "--callgrind-out-file=/dev/null", *argv], cwd=self.at,
            env=dict(clean, LD_PRELOAD=preload, **env), check=False, text=True,
            capture_output=True, timeout=300)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if not found or done.returncode != 0:
            sys.exit(f"{argv}: {done.returncode}\n{done.stdout[-2000:]}"
                     f"{done.stderr[-2000:]}")
        return int(found.group(1)), done.stdout


def judge(what, counts, figures, most):
    """Figures of nothing, some and more: what the more cost as times of some."""
    none, few, many = figures
    ratio = (many - none) / (few - none)
    print(f"{what}: {few} and {many} instructions of {counts}, {none} of none: "
          f"x{ratio:.1f}, at most x{most}")
    sys.exit(0 if ratio < most else 1)

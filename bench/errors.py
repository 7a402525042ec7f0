#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What failures cost: bench_errors untraced, with spans alone and with the
stack context of errors, in turn; ns a call, the least of all rounds.

  errors.py PRELOAD BENCH_ERRORS [ROUNDS]
"""
import os
import shutil
import subprocess
import sys
import tempfile

FINE = 40
MANIFEST = """[[object(main)]];
[[span, fails(return < 0)]] int fine(int n);
[[span, fails(return < 0)]] int fails(int n);
[[span, fails(return < 0)]] int copied(int n);
[[span]] int throws(int n);
[[span]] int passes(int n);
[[span]] int reads(int n);
"""


def main():
    preload, program = (os.path.abspath(a) for a in sys.argv[1:3])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = tempfile.mkdtemp(prefix="handspan-errors-", dir=shm)
    with open(top + "/m", "w", encoding="utf-8") as f:
        f.write(MANIFEST)
    bare = {k: v for k, v in os.environ.items()
            if not k.startswith("HANDSPAN_") and k != "LD_PRELOAD"}
    traced = dict(bare, LD_PRELOAD=preload, HANDSPAN_DIR=top + "/dir",
                  HANDSPAN_SIDECAR="off", HANDSPAN_MANIFEST=top + "/m")
    kinds = {"untraced": bare,
             "spans": dict(traced, HANDSPAN_TEST_ERRORS="off"),
             "errors": traced}
    least = {kind: {} for kind in kinds}
    fine = {kind: [] for kind in kinds}
    try:
        for _ in range(rounds):
            for kind, env in kinds.items():
                shutil.rmtree(top + "/dir", ignore_errors=True)
                out = subprocess.run([program], env=env, check=True,
                                     capture_output=True, text=True).stdout
                for line in out.splitlines():
                    name, ns = line.split()
                    ns = float(ns) / (2000 if name == "reads" else 1)
                    least[kind][name] = min(ns, least[kind].get(name, ns))
        for _ in range(FINE):
            for kind, env in kinds.items():
                shutil.rmtree(top + "/dir", ignore_errors=True)
                out = subprocess.run([program, "fine"], env=env, check=True,
                                     capture_output=True, text=True).stdout
                fine[kind].append(float(out.split()[1]))
    finally:
        shutil.rmtree(top)
    print(f"{'ns a call':14}" + "".join(f"{kind:>12}" for kind in kinds))
    for name in least["untraced"]:
        print(f"{name:14}" + "".join(f"{least[kind][name]:12.1f}"
                                     for kind in kinds))
    print(f"a span without error, errors / spans, least of {FINE} in turn: "
          f"{min(fine['errors']):.1f} / {min(fine['spans']):.1f} = "
          f"{min(fine['errors']) / min(fine['spans']):.3f}; untraced "
          f"{min(fine['untraced']):.1f}")


main()

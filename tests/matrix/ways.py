# SPDX-License-Identifier: Apache-2.0
"""The ways in which a program is built: compiler, then flags. The first 40 are
for every day; the others are combinations of them, always the same ones."""
import random

GCC = [
    "-O0", "-O1", "-O2", "-O3", "-Os", "-O2 -no-pie -fno-pie",
    "-Os -no-pie -fno-pie", "-O2 -fuse-ld=gold", "-O2 -fuse-ld=lld",
    "-O2 -fuse-ld=mold", "-O2 -flto", "-O3 -flto -no-pie -fno-pie",
    "-O2 -mindirect-branch=thunk -fcf-protection=none",
    "-O2 -mindirect-branch=thunk-inline -fcf-protection=none",
    "-O2 -mfunction-return=thunk -fcf-protection=none",
    "-O2 -fcf-protection",
    "-Os -fcf-protection -fpatchable-function-entry=5",
    "-O2 -fno-asynchronous-unwind-tables", "-O2 -Wl,--no-eh-frame-hdr",
    "-O2 -fpatchable-function-entry=6,2", "-O2 -fstack-protector-all",
    "-O2 -fstack-clash-protection -fno-plt", "-O2 -mcmodel=medium",
    "-O2 -mcmodel=large -fno-pie -no-pie", "-O2 -Wl,-z,pack-relative-relocs",
    "-O2 -ffunction-sections -Wl,--gc-sections -fno-omit-frame-pointer",
    "-O2 -fprofile-generate", "-O2 -finstrument-functions",
    "-O2 -falign-functions=1 -falign-loops=1 -falign-jumps=1",
    "-O2 -g -gdwarf-5 -gz", "-O2 -s -rdynamic",
]
CLANG = [
    "-O0", "-O2", "-Os", "-Oz -fuse-ld=lld", "-O2 -flto -fuse-ld=lld",
    "-O2 -mretpoline", "-O2 -fbasic-block-sections=all -fuse-ld=lld",
    "-O2 -mlvi-hardening", "-O2 -g -gsplit-dwarf -fuse-ld=mold",
]
# what may be put on top of any of them
MORE = {
    "gcc": ["-fuse-ld=gold", "-fuse-ld=lld", "-fuse-ld=mold", "-g",
            "-gdwarf-4", "-fcf-protection=none", "-Wl,-z,now", "-mavx2",
            "-fno-omit-frame-pointer", "-fno-reorder-blocks-and-partition",
            "-Wl,--emit-relocs", "-Wl,-z,noseparate-code", "-fno-plt",
            "-Wl,--hash-style=sysv", "-fno-jump-tables", "-fno-ipa-icf"],
    "clang": ["-fuse-ld=gold", "-fuse-ld=lld", "-fuse-ld=mold", "-g",
              "-gdwarf-4", "-fcf-protection=full", "-Wl,-z,now", "-mavx2",
              "-fno-omit-frame-pointer", "-Wl,-z,noseparate-code", "-fno-plt",
              "-Wl,--hash-style=sysv", "-fno-jump-tables",
              "-ffunction-sections", "-fno-asynchronous-unwind-tables",
              "-no-pie -fno-pie"],
}
# of assembly: where code and data lie, and who fills in the words
ENTRIES = ["-fpie -pie", "-fno-pie -no-pie", "-Wl,-z,pack-relative-relocs",
           "-Wl,-z,noseparate-code", "-fuse-ld=lld",
           "-s -rdynamic"]


def ways(count):
    found = [("gcc", f) for f in GCC] + [("clang", f) for f in CLANG]
    rng = random.Random(14)
    while len(found) < count:
        compiler = rng.choice(("gcc", "gcc", "clang"))
        base = rng.choice(GCC if compiler == "gcc" else CLANG)
        more = " ".join(rng.sample(MORE[compiler], rng.randint(1, 2)))
        if (compiler, f"{base} {more}") not in found:
            found.append((compiler, f"{base} {more}"))
    return found[:count]

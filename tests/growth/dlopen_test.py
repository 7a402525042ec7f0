#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program that loads plugins one after the other: at each the list of the
loader is walked once (as dl_iterate_phdr does it, too), and no object of it is
searched for among all others.

  dlopen_test.py PRELOAD
"""
import os
import shutil
import sys

from base import Place, judge

COUNTS = (125, 500)
MOST = 16  # times: a square. Each compared with each at each was 30.8
HOST = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char name[64];
    (void)argc;
    for (int i = 0; i < atoi(argv[1]); i++) {
        snprintf(name, sizeof name, "./l%d.so", i);
        if (!dlopen(name, RTLD_NOW))
            return puts(dlerror());
    }
    return 0;
}
"""


def main():
    preload = os.path.abspath(sys.argv[1])
    with Place() as p:
        plugin = p.library("l", "int plug(int i) { return i * 3; }\n")
        for i in range(max(COUNTS)):
            shutil.copy(plugin, f"{p.at}/l{i}.so")
        host = p.program("host.c", HOST)
        manifest = p.write("m", '[[object("nothing.so")]];\n'
                                "[[span]] int other(int i);\n")
        figures = []
        for count in 5, *COUNTS:
            plain, _ = p.collected(host, str(count), preload="")
            traced, _ = p.collected(host, str(count), preload=preload,
                                    HANDSPAN_DIR=p.at + "/dir",
                                    HANDSPAN_SIDECAR="off",
                                    HANDSPAN_MANIFEST=manifest)
            figures.append(traced - plain)
    judge("plugins", COUNTS, figures, MOST)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule must find its fault: a rule that cannot fail is none."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import contracts  # noqa: E402
import rules  # noqa: E402
import where  # noqa: E402


class Rules(unittest.TestCase):
    def tree(self, path, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = folder.name
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full))
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["git", "init", "-q", root], check=True)
        subprocess.run(["git", "-C", root, "add", "-A"], check=True)
        return root

    def found(self, rule, path, text):
        return list(rules.CHECKS[rule](self.tree(path, text)))

    def test_includes(self):
        self.assertTrue(self.found("includes", "preload/x.c",
                                   "#include <sqlite3.h>\n"))
        self.assertFalse(self.found("includes", "tools/store/x.c",
                                    "#include <sqlite3.h>\n"))

    def rooms(self, **texts):
        """A house of two rooms; the lane may use the shim."""
        page = "| room | what | may use |\n|---|---|---|\n" \
            "| `lane` | a | `shim` |\n| `shim` | b | nothing |\n"
        texts = {"lane_x_c": '#include "shim/y.h"\n', "shim_y_h": "", **texts}
        root = self.tree("docs/house.md", page)
        drawn = rules.rooms.draw(rules.rooms.table(root))
        for path, text in texts.items():
            path = os.path.join(root, path.replace("_", "/", 1))
            path = ".".join(path.rsplit("_", 1))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        with open(f"{root}/docs/house.md", "w", encoding="utf-8") as f:
            f.write(f"{rules.rooms.BEGIN}{drawn}{rules.rooms.END}{page}")
        return list(rules.rooms.check(root))

    def test_rooms(self):
        called = "void y(void)\n{\n}\n"
        call = "void z(void)\n{\n    x();\n}\n"
        self.assertEqual(self.rooms(), [])
        faults = [
            self.rooms(shim_y_h='#include "lane/x.h"\n', lane_x_h=""),
            self.rooms(shim_z_c=call, lane_x_c='#include "shim/y.h"\n'
                       "void x(void)\n{\n}\n"),
            self.rooms(lane_x_c=""),  # an arrow that nobody has
            self.rooms(bind_x_c=""),  # a room that the table has not
            self.rooms(**{f"lane_f{n}_h": "" for n in range(25)}),
            self.rooms(**{f"shim_f{n}_c": f"void f{n}(void)\n{{\n"
                          f"    f{(n + 1) % 5}();\n}}\n" for n in range(5)}),
        ]
        for found in faults:
            self.assertEqual(len(found), 1, found)
        self.assertFalse(self.rooms(shim_y_c=called, lane_z_c='void z(void)\n{'
                                    '\n    y();\n}\n'))

    def test_size(self):
        body = "void f(void)\n{\n" + "    g();\n" * 61 + "}\n"
        self.assertTrue(self.found("size", "lane/x.c", body))
        self.assertTrue(self.found("size", "lane/x.c", "\n" * 501))

    def test_banned(self):
        self.assertTrue(self.found("banned", "lane/x.c", "  strcpy(a, b);\n"))

    def test_paths(self):
        path = "/" + "work" + "/main/x"
        self.assertTrue(self.found("paths", "lane/x.c", f"see {path}\n"))

    def test_format(self):
        self.assertTrue(self.found("format", "lane/x.c", "int   f( void ){}\n"))

    def test_pairs(self):
        store = "    __atomic_store_n(&x->y, 1, __ATOMIC_RELEASE);\n"
        said = "    /* release; pairs\n     * with g() */\n"
        g = "void g(void)\n{\n}\n"
        self.assertTrue(self.found("pairs", "lane/x.c", g + store))
        self.assertTrue(self.found("pairs", "lane/x.c", said + store))
        self.assertFalse(self.found("pairs", "lane/x.c", g + said + store))
        self.assertTrue(self.found("pairs", "preload/x.c", g + store))
        self.assertTrue(self.found("pairs", "lane/x.c",
                                   g + said + 8 * "\n" + store))

    def test_asserts(self):
        enough = "void f(void)\n{\n" + "    lane_assert(x <= y);\n" + "}\n"
        few = enough + 60 * "int x;\n"
        body = enough.replace("    lane", "    if (x)\n    lane")
        effect = enough.replace("x <= y", "x++ <= y")
        self.assertFalse(self.found("asserts", "lane/x.c", enough))
        for text in few, body, effect:
            self.assertTrue(self.found("asserts", "lane/x.c", text), text)

    def test_contracts(self):
        def faults(header):
            root = self.tree("lane/x.h", header)
            with open(f"{root}/lane/x.c", "w", encoding="utf-8") as f:
                f.write("int f(int a)\n{\n}\n\nvoid g(void)\n{\n}\n")
            return list(contracts.check(root))
        both = "int f(int a) __attribute__((warn_unused_result));\nvoid g(void);\n"
        self.assertEqual(faults("/* 0 or -errno. */\n" + both), [])
        self.assertEqual(len(faults("#pragma once\n\n" + both)), 2)
        self.assertEqual(len(faults("/* The file. */\n#pragma once\n\n" +
                                    both)), 2)
        self.assertEqual(len(faults("/* 0. */\nint f(int a);\n\nvoid g(void);\n")),
                         1)
        self.assertEqual(len(faults("")), 1)

    def test_where(self):
        def faults(row):
            root = self.tree("docs/where.md", row)
            os.makedirs(f"{root}/tests/cli")
            for path, text in (("tests/README.md", "| `cli` | x |\n"),
                               ("tests/cli/CMakeLists.txt", ""),
                               ("x.c", "int f(void)\n{\n}\n")):
                with open(f"{root}/{path}", "w", encoding="utf-8") as f:
                    f.write(text)
            return len(list(where.check(root))) - 1  # too few questions
        self.assertEqual(faults("| Where? | `x.c` | `f` |\n"), 0)
        self.assertEqual(faults("| Where? | `x.c` | `g` |\n"), 1)
        self.assertEqual(faults("| Where? | `y.c` | `f` |\n"), 1)


if __name__ == "__main__":
    unittest.main()

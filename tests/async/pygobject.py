# SPDX-License-Identifier: Apache-2.0
"""For Debian's python3-gi, which runs on GLib: idle and timeout sources, files
that GIO reads in its threads, each started by a callback of another. step()
goes through a function of GLib that the test's manifest names, and into the
file $TRUTH."""
import os

from gi.repository import Gio, GLib

truth = open(os.environ["TRUTH"], "w", encoding="utf-8")
loop = GLib.MainLoop()
count = pending = 0


def step(parent):
    global count
    count += 1
    print(count, parent, file=truth)
    GLib.setenv("step", str(count), True)
    return count


def done(me, depth):
    global pending
    if depth > 0:
        start(me, depth - 1)
    pending -= 1
    if pending == 0:
        loop.quit()


def start(parent, depth):
    global pending
    pending += 4

    def on_idle():
        done(step(parent), depth)
        return False

    def on_timeout():
        done(step(parent), depth)
        return False

    left = [3]

    def on_tick():
        me = step(parent)
        left[0] -= 1
        if left[0] == 0:
            done(me, 0)
        return left[0] > 0

    def on_file(file, result):
        file.load_contents_finish(result)
        done(step(parent), depth)

    GLib.idle_add(on_idle)
    GLib.timeout_add(depth, on_timeout)
    GLib.timeout_add(1, on_tick)
    Gio.File.new_for_path("/etc/passwd").load_contents_async(None, on_file)


for _ in range(3):
    start(0, 2)
loop.run()
truth.close()

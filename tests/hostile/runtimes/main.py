# SPDX-License-Identifier: Apache-2.0
"""Greenlets: their stacks are copied to and fro under open calls of handlers.
   main.py NATIVE"""
import ctypes
import gc
import sys

import greenlet

native = ctypes.CDLL(sys.argv[1])
BACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
log = []


def back(n):
    """Below a handler: away to somebody else, several times."""
    total = n
    for _ in range(n % 4 + 1):
        total += main.switch(n)
    if n % 5 == 0:
        total += native.native_call(deeper, n + 1)
    return total


def further(n):
    return native.native_text(b"below") + main.switch(n) + n


callback, deeper = BACK(back), BACK(further)


def body(n):
    got = 0
    for i in range(3):
        got += native.native_call(callback, n + i)
        got += native.native_work(i)
    log.append((n, got))
    return got


main = greenlet.getcurrent()
for turn in range(5):
    all_of_them = [greenlet.greenlet(body) for _ in range(60)]
    for n, one in enumerate(all_of_them):
        one.switch(n)
    step = 7
    while any(not one.dead for one in all_of_them):
        for k in range(len(all_of_them)):
            one = all_of_them[k * step % len(all_of_them)]
            if not one.dead:
                one.switch(k % 3)
        gc.collect(0)
print(len(log), sum(got for _, got in log), hash(tuple(log)))
left = [greenlet.greenlet(body) for _ in range(20)]
for n, one in enumerate(left):
    one.switch(n)
print(native.native_work(1))  # these are left behind below open calls
sys.stdout.flush()

# SPDX-License-Identifier: Apache-2.0
"""In gdb, which reads the symbols once: run the program for each case of the
JSON in $GDB_CASES, with commands that bring it to where it fails, and print
the stack where it stands, as JSON after a mark."""
import json
import os

import gdb


def frames():
    frame, out = gdb.newest_frame(), []
    while frame is not None:
        place = frame.find_sal()
        pc = frame.pc()
        out.append({"function": frame.name(),
                    "file": os.path.basename(place.symtab.filename)
                    if place.symtab else None,
                    "line": place.line or None,
                    "inlined": frame.type() == gdb.INLINE_FRAME,
                    "tail": frame.type() == gdb.TAILCALL_FRAME,
                    "object": os.path.basename(
                        gdb.solib_name(pc) or gdb.current_progspace().filename
                        or "?")})
        try:
            frame = frame.older()
        except gdb.error:
            break
    return out


def end_all():
    """Also what a fork was followed into."""
    for inferior in gdb.inferiors():
        if inferior.pid:
            gdb.execute(f"kill inferiors {inferior.num}")
    gdb.execute("inferior 1")
    gdb.execute("delete")


for case in json.loads(os.environ["GDB_CASES"]):
    try:
        for command in case["commands"]:
            gdb.execute(command)
        stack = frames()
    except gdb.error as e:
        print(e)
        stack = []
    print(f"\n@@{case['number']} {json.dumps(stack)}")
    end_all()

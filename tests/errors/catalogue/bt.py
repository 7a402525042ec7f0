# SPDX-License-Identifier: Apache-2.0
"""In gdb: the stack where the program stands, as JSON after a mark."""
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


try:
    print("\n@@" + json.dumps(frames()))
except gdb.error as e:
    print("\n@@[]", e)

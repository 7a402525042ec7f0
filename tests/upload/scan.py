# SPDX-License-Identifier: Apache-2.0
"""What left the machine, and whether a value of the program is in it.

Every server of a test (gateway, OTLP receiver, servers that misbehave) appends
what came in to a wire file with record(): first line, headers, body, unpacked.
A sink with values=on talks to servers below /loud, all others to /quiet, so
what may be in a request is known from where it went, not from what it says.
check(wire) finds the planted values in what went to /quiet: none may be there;
check(wire, loud=True) sees them in what went to /loud, so the scan can fail.

A plant is a word that no machine, program or library has by itself; it is
looked for plainly, in base64, in hex and percent-encoded, in any case.
"""
import base64
import gzip
import json
import os
import urllib.parse
import zlib

QUIET, LOUD = "/quiet", "/loud"
# Where the test puts each: what a handler was given and gave back, the command
# line, stderr, an exception's message, a path, an error's text, an attribute.
PLANTS = {what: f"Plant{what.capitalize()}Qx7Zt" for what in (
    "input", "output", "command", "stderr", "exception", "path", "error",
    "attribute")}


def unpacked(headers, body):
    if str(headers.get("Content-Encoding", "")).lower() == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return body
    return body


def record(wire, method, path, headers, body):
    """One request, as one write: servers are threads and processes. Of what
    went to /loud, which may have values, 64 MiB are enough."""
    if split(path)[0] == LOUD and os.path.exists(wire) and \
            os.stat(wire).st_size > 64 << 20:
        return
    entry = json.dumps({
        "method": method, "path": path, "headers": dict(headers.items()),
        "body": base64.b64encode(unpacked(headers, body)).decode()}) + "\n"
    fd = os.open(wire, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, entry.encode())
    finally:
        os.close(fd)


def split(path):
    """("/loud", the path behind it), or ("", path)."""
    for place in (QUIET, LOUD):
        if path == place or path.startswith((place + "/", place + "?")):
            return place, path[len(place):] or "/"
    return "", path


def requests(wire, loud=None):
    """(method, path, headers, body); loud None: all of them."""
    if not os.path.exists(wire):
        return
    with open(wire, encoding="utf-8") as f:
        for line in f:
            if not line.endswith("\n"):
                continue  # its writer was killed
            r = json.loads(line)
            if loud is None or loud == (split(r["path"])[0] == LOUD):
                yield (r["method"], r["path"], r["headers"],
                       base64.b64decode(r["body"]))


def shapes(word):
    """The ways in which a word may be written, in small letters."""
    raw = word.encode()
    found = {raw, raw.hex().encode(), b"".join(b"%%%02x" % b for b in raw),
             urllib.parse.quote(word, safe="").encode()}
    for lead in (b"", b"x", b"xx"):  # base64 at each of its three places
        text = base64.b64encode(lead + raw)[4 if lead else 0:-4]
        if len(text) >= 8:
            found.add(text)
    return [shape.lower() for shape in found]


def plants_in(wire, loud, more=()):
    """{what: first place} of the plants in the requests of one kind."""
    words = {**PLANTS, **{w: w for w in more}}
    patterns = {what: shapes(w) for what, w in words.items()}
    found = {}
    for method, path, headers, body in requests(wire, loud):
        text = "\n".join([method + " " + path] + [
            f"{k}: {v}" for k, v in headers.items()]).encode() + b"\n" + body
        small = text.lower()
        for what, needles in patterns.items():
            at = max(small.find(n) for n in needles)
            if at >= 0 and what not in found:
                found[what] = f"{method} {path[:40]}: " + repr(
                    text[max(0, at - 80):at + 60])
    return found


def check(wire, more=()):
    """Nothing of the program's values went where values=on was not said."""
    found = plants_in(wire, False, more)
    if found:
        raise AssertionError(f"values left the machine: {found}")

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check and reality agree: for an unmodified Debian program, no declaration
that check calls fully seen has a call that was missed. The independent count
is gdb's (tests/e2e/count_calls.py), which shares nothing with handspan. It follows the first process
alone, so handspan may have seen more (gst-inspect-1.0 starts a scanner).

usage: agree_test.py HANDSPAN PROGRAM
The handlers are the first of what `suggest` finds, in each object, and those
of NAMED: what the command below is known to call, from outside the library
and within it.
"""
import json
import os
import re
import subprocess
import sys

from common import HERE, Place, expect

MOST = 6  # of an object: gdb stops at each call
COMMANDS = {
    "samtools": ["samtools", "view", "-c", "in.sam"],
    "sqlite3": ["sqlite3", ":memory:", "create table t(x); insert into t "
                "values(1),(2); select sum(x) from t;"],
    "curl": ["curl", "-s", "file:///etc/debian_version"],
    "git": ["git", "hash-object", "-w", "in.sam"],
    "gst-inspect-1.0": ["gst-inspect-1.0", "fakesink"],
    "ffprobe": ["ffprobe", "-v", "error", "-f", "lavfi",
                "testsrc=size=32x32:duration=0.1"],
    "ffmpeg": ["ffmpeg", "-v", "error", "-threads", "1", "-filter_threads",
               "1", "-f", "lavfi", "-i", "testsrc=size=32x32:duration=0.1",
               "-f", "null", "-"],
    "tesseract": ["tesseract", "in.pgm", "-"],
    "xz": ["xz", "-k", "-T1", "in.sam"],
    "pdftoppm": ["pdftoppm", "-r", "10", "in.pdf", "out"],
    "file": ["file", "in.sam", "in.pdf"],
    "jq": ["jq", "-c", ".[] | select(. > 1) | {a: .}", "in.json"],
    "bzip2": ["bzip2", "-k", "-f", "in.sam"],
    "xmllint": ["xmllint", "--format", "--valid", "in.xml"],
}
API = "_ZN9tesseract11TessBaseAPI"
NAMED = {
    "git": {"libz.so*": "deflateInit_ deflate deflateEnd crc32 adler32 "
            "inflate"},
    "tesseract": {"libtesseract.so*":
                  f"{API}C1Ev {API}D1Ev {API}3EndEv {API}8SetImageEP3Pix "
                  f"{API}11GetUTF8TextEv {API}9RecognizeEPNS_10ETEXT_DESCE",
                  "liblept.so*": "pixRead pixCreate pixDestroy pixClone "
                  "pixGetDimensions"},
    "pdftoppm": {"libpoppler.so*":
                 "_ZN6PDFDoc11getNumPagesEv _ZN6PDFDoc7getPageEi "
                 "_ZN15SplashOutputDev8startDocEP6PDFDoc "
                 "_ZN12SplashBitmap12writePNMFileEPc "
                 "_ZN6PDFDocD1Ev _ZN7Catalog11getNumPagesEv"},
    "file": {"libmagic.so*": "magic_open magic_load magic_file magic_close "
             "magic_buffer magic_error"},
    "jq": {"libjq.so*": "jq_init jq_compile_args jq_start jq_next "
           "jv_object_set jv_parser_next jq_teardown"},
    "bzip2": {"libbz2.so*": "BZ2_bzWriteOpen BZ2_bzWrite BZ2_bzWriteClose64 "
              "BZ2_bzCompress BZ2_bzCompressInit BZ2_bzCompressEnd"},
    "xmllint": {"libxml2.so*": "xmlFreeDoc xmlNewNode xmlNewDocNode "
                "xmlStrdup xmlDictLookup xmlSAX2StartElementNs xmlAddChild "
                "xmlValidateDocument xmlCleanupParser"},
}
PDF = """%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj
trailer<</Root 1 0 R>>
"""
XML = """<!DOCTYPE a [<!ELEMENT a (b*)><!ELEMENT b (#PCDATA)>]>
<a><b>one</b><b>two</b></a>
"""


def handlers(draft):
    """[object's glob, name], at most MOST of an object."""
    scope, found = "", []
    for line in draft.splitlines():
        where = re.match(r'\[\[object\("?([^")]+)', line)
        scope = where.group(1) if where else scope
        name = re.match(r"\[\[span\]\] (\w+);", line)
        if name and sum(f[0] == scope for f in found) < MOST:
            found.append((scope, name.group(1)))
    return found


def main():
    program = sys.argv[2]
    command = COMMANDS[program]
    with Place() as p:
        p.sh("printf '@SQ\\tSN:a\\tLN:9\\nr\\t0\\ta\\t1\\t9\\t2M\\t*\\t0\\t0"
             "\\tAC\\tII\\n' > in.sam")
        p.sh("git init -q .")
        p.write("in.pdf", PDF)
        p.write("in.xml", XML)
        p.write("in.json", "[1, 2, 3]")
        p.write("in.pgm", "P2 64 32 1\n" + "1 " * 64 * 32)
        draft = p.handspan("suggest", command[0], status=0).stdout
        chosen = handlers(draft)
        for glob, names in NAMED.get(program, {}).items():
            chosen += [(glob, name) for name in names.split()
                       if (glob, name) not in chosen]
        path = p.sh(f"readlink -f $(command -v {command[0]})").stdout.strip()
        p.write("m", "".join(
            f"[[object({'main' if o == 'main' else json.dumps(o)})]];\n"
            f"[[span]] {n};\n" for o, n in chosen))
        before = p.rows("-m", "m", command[0])
        after = p.rows("-m", "m", "--run", "--", *command)
        p.sh("rm -rf in.sam.xz .git/objects/??")
        symbols = [[n, os.path.basename(path) if o == "main" else o, n]
                   for o, n in chosen]
        env = dict(p.env, COUNT_SYMBOLS=json.dumps(symbols),
                   COUNT_OUT=f"{p.at}/count.json")
        subprocess.run(["gdb", "-batch", "-nx", "-x",
                        os.path.join(HERE, "../e2e/count_calls.py"), "--args",
                        path, *command[1:]], cwd=p.at, env=env, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
        with open(f"{p.at}/count.json", encoding="utf-8") as f:
            counted = json.load(f)["calls"]
        wrong = {n: (r["calls"], counted.get(n, 0)) for n, r in after.items()
                 if before[n]["status"] == "ok"
                 and r["calls"] < counted.get(n, 0)}
        silent = [n for n, r in before.items()
                  if r["status"] != "ok" and not r["remark"]]
        expect(wrong, {}, f"{program}: fully seen, but (seen, made)")
        expect(silent, [], f"{program}: partly seen without saying why")
        expect(sum(counted.values()) > 0, True, "calls to compare")
        print(f"{program}: {len(after)} declarations, "
              f"{sum(counted.values())} calls agree")


main()

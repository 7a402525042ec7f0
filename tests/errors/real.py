#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Failures of unmodified Debian programs: does `handspan errors` say what a
user of the program would find right? real.py BUILD [--show]

--show prints each screen: docs/errors.md has them.
"""
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
SAMTOOLS = TOP / "examples/samtools/handlers.manifest"
GST = HERE / "real/gst.manifest"
NOBODY = 65534

# name, manifest, command, what the screens must say
CASES = [
    ("truncated", SAMTOOLS, "samtools view -c cut.bam",
     [r"sam_read1: return -2.*Failed to read BGZF block data"]),
    ("missing", SAMTOOLS, "samtools view -c nothing.bam",
     [r'hts_open_format: .*\(ENOENT\).*open\("nothing.bam"\) = ENOENT']),
    ("full", SAMTOOLS, "samtools view -b -o /dev/full in.sam",
     [r"sam_write1: return -1 \(ENOSPC\): No space left on device; first "
      r"cause write\(.*\) = ENOSPC"]),
    ("denied", SAMTOOLS, "samtools view -b -o locked/out.bam in.sam",
     [r'hts_open_format: .*\(EACCES\).*open\("locked/out.bam"\) = EACCES']),
    ("encrypted", HERE / "real/pdf.manifest", "pdftotext locked.pdf",
     [r"PDFDoc::checkEncryption: return 0.*Incorrect password"]),
    ("png", GST, "gst-launch-1.0 filesrc location=bad.png ! pngdec ! "
     "fakesink async=false",
     [r"gst_element_message_full: ",
      r'text = "No valid frames decoded before end of stream"']),
    ("codec", GST, "gst-launch-1.0 filesrc location=bad.png ! avdec_h265 ! "
     "fakesink", [r"gst_element_factory_find: return 0", r"avdec_h265"]),
    ("killed", SAMTOOLS, "exec 3<>fifo; samtools view fifo & p=$!; "
     "until sqlite3 \"$HANDSPAN_STORE\" \"SELECT status FROM spans\" 2>&1 | "
     "grep -q open || [ $((i += 1)) -gt 1200 ]; do sleep 0.1; done; "
     "kill -9 $p; wait $p",
     [r"samtools: SIGKILL; 1 open handler", r"Open +(\S+ > )*\w+"]),
]


def files(work):
    """The input: sound first, then damaged."""
    awk = TOP / "examples/samtools/make_sam.awk"
    with open(work / "in.sam", "wb") as out:
        subprocess.run(["awk", "-v", "reads=3000", "-f", awk], stdout=out,
                       check=True)
    subprocess.run(["samtools", "view", "-b", "-o", "whole.bam", "in.sam"],
                   cwd=work, check=True, stderr=subprocess.DEVNULL)
    (work / "cut.bam").write_bytes((work / "whole.bam").read_bytes()[:40000])
    (work / "bad.png").write_bytes(broken_png())
    (work / "locked.pdf").write_text(encrypted_pdf(), encoding="latin-1")
    (work / "locked").mkdir(mode=0o555)
    os.mkfifo(work / "fifo")


def chunk(name, data):
    return (struct.pack(">I", len(data)) + name + data +
            struct.pack(">I", zlib.crc32(name + data)))


def broken_png():
    """Sound chunks, but the compressed rows end too early."""
    rows = zlib.compress(bytes(16 * 49))[:6] + b"\xff" * 40
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def encrypted_pdf():
    """A page that needs a password nobody knows."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>",
               "<</Type/Pages/Kids[3 0 R]/Count 1>>",
               "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
               f"<</Filter/Standard/V 1/R 2/P -4/O<{'a1' * 32}>"
               f"/U<{'b2' * 32}>>>"]
    text, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{at:010d} 00000 n \n" for at in offsets)
    return (f"{text}xref\n0 5\n0000000000 65535 f \n{table}trailer\n<</Size 5"
            f"/Root 1 0 R/Encrypt 4 0 R/ID[<{'c3' * 16}><{'c3' * 16}>]>>\n"
            f"startxref\n{len(text)}\n%%EOF\n")


def run(handspan, work, name, manifest, command, show):
    lanes = work / f"lanes-{name}"
    lanes.mkdir(mode=0o700)
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("HANDSPAN", "LD_", "GST_"))}
    env.update(HANDSPAN_DIR=str(lanes), HANDSPAN_STORE=str(lanes / "s.db"),
               COLUMNS="80", TERM="dumb", LC_ALL="C.UTF-8", HOME=str(work))
    as_nobody = {}
    if name == "denied" and os.geteuid() == 0:
        os.chown(lanes, NOBODY, NOBODY)
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    shell = command if name == "killed" else f"exec {command}"
    for _ in range(10):
        done = subprocess.run([handspan, "run", "-m", manifest, "--",
                               "/bin/sh", "-c", shell], cwd=work, env=env,
                              timeout=300, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False,
                              **as_nobody)
        # GStreamer may end by the end of the stream before its error is told
        # (and hangs without async=false, untraced as well)
        if name != "png" or "No valid frames" in done.stdout + done.stderr:
            break
    subprocess.run([handspan, "sidecar", "--once"], env=env, timeout=300,
                   capture_output=True, check=False, **as_nobody)
    screens = [subprocess.run([handspan, "errors", *more], env=env, timeout=300,
                              capture_output=True, text=True, check=False,
                              **as_nobody).stdout
               for more in ([], ["--full"])]
    if show:
        print(f"$ {command}\n{done.stderr.rstrip()}\n$ handspan errors\n"
              f"{screens[0]}$ handspan errors --full\n{screens[1]}")
    return "\n".join(screens)


def main():
    build, show = pathlib.Path(sys.argv[1]).resolve(), "--show" in sys.argv
    failed = 0
    with tempfile.TemporaryDirectory(prefix="handspan-real-",
                                     dir=os.environ.get("TEST_MEMORY")) as folder:
        work = pathlib.Path(folder)
        work.chmod(0o755)
        files(work)
        for name, manifest, command, wanted in CASES:
            text = run(str(build / "bin/handspan"), work, name, manifest,
                       command, show)
            flat = re.sub(r"\s+", " ", text)
            for pattern in wanted:
                if not re.search(pattern, flat):
                    failed += 1
                    print(f"FAILED  {name}: no {pattern}\n{text}")
    print(f"{len(CASES)} failures, {failed} not explained")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()

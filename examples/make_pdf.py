#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a small PDF to standard output: make_pdf.py [PAGES]. The standard
font Helvetica, a few lines of text and a frame on each page."""
import sys

LINES = ("Handspan traces handlers.", "This is page number {page}.",
         "The quick brown fox jumps", "over the lazy dog.")


def page_content(page):
    text = " T* ".join(f"({line.format(page=page)}) Tj" for line in LINES)
    return f"BT /F1 24 Tf 40 220 Td 30 TL {text} ET 20 20 360 260 re S"


def build(pages):
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>",
               f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for i in range(pages):
        content = page_content(i + 1)
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] "
            f"/Contents {5 + 2 * i} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(f"<< /Length {len(content)} >>\n"
                       f"stream\n{content}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{at:010d} 00000 n \n" for at in offsets)
    table += (f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
              f"startxref\n{len(out)}\n%%EOF\n")
    return out + table.encode()


sys.stdout.buffer.write(build(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

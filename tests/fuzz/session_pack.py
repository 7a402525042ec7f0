#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stands in a session's file, as fuzz_session.c takes it:
session_pack.py SESSION > INPUT"""
import os
import struct
import sys


def main():
    fd = os.open(sys.argv[1], os.O_RDONLY)
    size, at = os.fstat(fd).st_size, 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        page = os.pread(fd, 4096, at)
        bytes_ = page.rstrip(b"\0")
        lead = len(bytes_) - len(bytes_.lstrip(b"\0"))
        lead -= lead % 64
        if bytes_:
            sys.stdout.buffer.write(
                struct.pack("<QI", at + lead, len(bytes_) - lead) +
                bytes_[lead:])
        at += 4096


main()

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Disassemble what stands on the path of a call and fail on any vector, mask or
# x87 register. Of the shim only what the trampolines reach directly: slow.S,
# whose business they are, and what runs at start or under an exception, are
# not meant.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for archive in "$@"; do
  mkdir "$work/$(basename "$archive")"
  (cd "$work/$(basename "$archive")" && ar x "$archive")
done
count=0
for object in "$work"/libhandspan_runtime.a/*.o "$work"/liblane_writer.a/*.o \
  "$work"/libhandspan_shim.a/stubs.S.o \
  "$work"/libhandspan_shim.a/trampoline.S.o \
  "$work"/libhandspan_shim.a/entries.c.o; do
  count=$((count + 1))
  if objdump -d --no-show-raw-insn "$object" |
    grep -E '%([xyz]mm[0-9]|k[0-7]\b|st\b|mm[0-7])|\b(f(ld|st)[a-z]*|emms)\b' |
    head -5 | grep .; then
    echo "$(basename "$object"): touches vector or x87 registers"
    status=1
  fi
done
echo "$count objects"
[ "$count" -ge 10 ] || status=1
exit $status

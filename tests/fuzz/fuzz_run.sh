#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One target under libFuzzer (clang 14): fuzz_run.sh manifest|elf|dwarf RUNS DIR
# What it found goes to DIR/found-NAME; the corpus here stays as it is.
set -eu
name=$1 runs=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case $name in
manifest) sources="$here/fuzz_manifest.c $root/manifest/*.c" ;;
elf) sources="$here/fuzz_elf_image.c $root/shim/plan/*.c" ;;
dwarf) sources="$here/fuzz_dwarf.c $root/tools/dwarf/*.c $root/tools/common/buf.c" ;;
*) echo "no target '$name'" >&2; exit 2 ;;
esac
mkdir -p "$out/found-$name"
# shellcheck disable=SC2086
clang -std=gnu17 -O1 -g -D_GNU_SOURCE -I"$root" -fno-strict-aliasing \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -o "$out/libfuzzer_$name" $sources -lZydis -ldw -lelf
exec "$out/libfuzzer_$name" -runs="$runs" -timeout=10 -rss_limit_mb=4096 \
    -max_len=65536 -artifact_prefix="$out/crash-$name-" \
    "$out/found-$name" "$here/corpus/$name"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One target under libFuzzer (clang 14):
#   fuzz_run.sh manifest|elf|dwarf|session|answers RUNS DIR [CORPUS]
# What it found goes to DIR/found-NAME; the corpus here stays as it is.
set -eu
libraries= coverage= options='-max_len=65536'
name=$1 runs=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
corpus=${4:-$here/corpus/$name}
root=$(cd "$here/../.." && pwd)
case $name in
manifest)
    # Ten times as many runs: the corpus' words as a dictionary in place of a
    # look at each comparison, and inputs of some declarations, not of pages.
    sources="$here/fuzz_manifest.c $root/manifest/*/*.c"
    coverage='-O2 -fno-sanitize-coverage=trace-cmp'
    options="-max_len=1024 -entropic=0 -dict=$out/manifest.dict"
    mkdir -p "$out"
    cat "$corpus"/* | tr -cs 'A-Za-z0-9_' '\n' | sort -u |
        sed -n 's/^.\{2,40\}$/"&"/p' > "$out/manifest.dict"
    printf '"%s"\n' '[[' ']];' '->' '::' '&&' '||' '==' '<=' '(*' '{' '};' \
        >> "$out/manifest.dict" ;;
answers)
    sources="$here/fuzz_answers.c $root/tools/upload/postgrest/answers.c"
    sources="$sources $root/tools/upload/otlp/otlp_answers.c"
    sources="$sources $root/tools/upload/http/http.c"
    libraries="-lcjson -lcurl" ;;
elf) sources="$here/fuzz_elf_image.c $root/shim/plan/*/*.c" ;;
dwarf)
    sources="$here/fuzz_dwarf.c $root/tools/dwarf/*.c"
    sources="$sources $root/tools/common/text/buf.c $root/tools/common/text/text.c"
    sources="$sources $root/lane/format/utf8.c" ;;
session)
    # Looking for leaks is half of a run: once, at the end.
    options="$options -detect_leaks=0"
    # all of a sidecar but its main and what other processes do for it; the SQL
    # is in C arrays of the build
    sources="$here/fuzz_session.c $root/lane/*/*.c"
    for file in "$root"/tools/sidecar/*.c "$root"/tools/sidecar/*/*.c; do
        case $file in
        */main.c | */round.c | */coverage.c | */coverage_known.c | */types_fill.c | */names.c | */uploads.c) ;;
        *) sources="$sources $file" ;;
        esac
    done
    sources="$sources $root/tools/store/*.c $root/tools/common/*.c $root/tools/common/*/*.c"
    sources="$sources $root/tools/symbolize/*.c $out/../../sql/*.c"
    sources="$sources $root/sql/sqlite/migrations.c"
    libraries="-lsqlite3 -lcjson -lcurl -lunwind-generic -lunwind -liberty -lm -lstdc++" ;;
*) echo "no target '$name'" >&2; exit 2 ;;
esac
mkdir -p "$out/found-$name"
# shellcheck disable=SC2086
clang -std=gnu17 -O1 -g -w -D_GNU_SOURCE -DHANDSPAN_VERSION='"fuzz"' -I"$root" -fno-strict-aliasing \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $coverage \
    -o "$out/libfuzzer_$name" $sources -lZydis -ldw -lelf $libraries
# shellcheck disable=SC2086
exec "$out/libfuzzer_$name" -runs="$runs" -timeout=10 -rss_limit_mb=4096 \
    $options -artifact_prefix="$out/crash-$name-" \
    "$out/found-$name" "$corpus"

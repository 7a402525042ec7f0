#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tools under ASan and UBSan (lane, sidecar, store, views), in a build of their
# own beside the ordinary one, whose preload the traced programs have:
#   run.sh SOURCE BUILD PYTHON WORDS...
# runs what WORDS name: golden (screens), upload (servers that misbehave), manifest
# (its own tests), and *_test.py of tests/.
set -eu
source=$1 build=$2 python=$3
shift 3
out=$build/sanitized
jobs=$(nproc)
cmake -G Ninja -S "$source" -B "$out" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O1 -g1" \
    -DHANDSPAN_SANITIZE=address,undefined >"$out.log" 2>&1 ||
    { cat "$out.log"; exit 1; }
ninja -C "$out" -j "$jobs" handspan >"$out.log" 2>&1 ||
    { tail -40 "$out.log"; exit 1; }
rm -rf "$out/lib" && ln -s "$build/lib" "$out/lib"
# SQLite and libunwind keep what they have until the end
export ASAN_OPTIONS=detect_leaks=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
status=0
for word; do
    if [ "$word" = golden ]; then
        for case in "$source"/tests/cli/golden/*.txt; do
            "$python" "$source/tests/cli/golden.py" "$out/bin/handspan" \
                "$source/tests/cli" "$case" || status=1
        done
    elif [ "$word" = upload ]; then
        /usr/bin/python3 "$source/tests/upload/servers_test.py" \
            "$out/bin/handspan" "$build/bin/sidecar_writer" || status=1
    elif [ "$word" = manifest ]; then
        ninja -C "$out" -j "$jobs" manifest_dump manifest_eval_test \
            manifest_place_test >"$out.log" 2>&1 ||
            { tail -40 "$out.log"; exit 1; }
        ctest --test-dir "$out" --output-on-failure \
            -R '^manifest_(golden|eval|place)' || status=1
    else
        "$python" "$source/tests/$word" "$out/bin/handspan" || status=1
    fi
done
exit $status

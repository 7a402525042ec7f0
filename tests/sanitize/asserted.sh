#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ci set once more in a build with all assertions, of its own beside the
# ordinary one:
#   asserted.sh SOURCE BUILD
# Fails on a test that fails, and on a line in the build's `asserted`, in which
# each assertion that fails anywhere is named: what a program of the tests dies of
# may look like something else. Left out is what runs nothing of that build: rules
# of the house, models, linters, builds of their own.
set -eu
source=$1 out=$2/asserting
aside='^(house|model|lint|sanitize|fuzz|lane\.tsan|lane\.asserted)\.'
cmake -G Ninja -S "$source" -B "$out" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DHANDSPAN_ASSERT=ON >"$out.log" 2>&1 || { cat "$out.log"; exit 1; }
ninja -C "$out" -j "$(nproc)" >"$out.log" 2>&1 ||
    { tail -40 "$out.log"; exit 1; }
: >"$out/asserted"
status=0
ctest --test-dir "$out" -L ci -E "$aside" --output-on-failure -j "$(nproc)" \
    --no-tests=error >"$out.log" 2>&1 || { status=1; cat "$out.log"; }
grep -E '^[0-9]+% tests passed|Total Test time' "$out.log"
if [ -s "$out/asserted" ]; then
    echo "assertions that failed, and how often:"
    sort "$out/asserted" | uniq -c
    status=1
fi
exit $status

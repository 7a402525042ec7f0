#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# golden.sh DUMP CASE [--update]: dump the manifest CASE and compare with what
# stands beside it as CASE.expect.
set -u
dump=$1 case=$2
cd "$(dirname "$case")" || exit 2
base=$(basename "$case" .manifest)
if [ "${3-}" = --update ]; then
    "$dump" "$base.manifest" > "$base.expect"
    exit
fi
"$dump" "$base.manifest" | diff -u "$base.expect" -

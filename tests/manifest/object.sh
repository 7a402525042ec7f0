#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# object.sh ARCHIVE: eval.c's object calls nothing and touches no vector or
# x87 register; the whole library needs only these functions of libc.
set -u
archive=$1
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" && ar x "$archive" eval.c.o || exit 2
undefined=$(nm -u eval.c.o | grep -v _GLOBAL_OFFSET_TABLE_)
[ -z "$undefined" ] || { echo "eval.c needs: $undefined"; exit 1; }
if objdump -d eval.c.o | grep -E '%([xyz]mm[0-9]+|st\()'; then
    echo "eval.c uses a vector or x87 register"
    exit 1
fi
nm "$archive" 2>/dev/null | awk 'NF == 2 && $1 == "U" { need[$2] = 1 }
    NF == 3 && $2 ~ /[TRDB]/ { have[$3] = 1 }
    END { for (n in need) if (!(n in have)) print n }' | sort > need
printf '%s\n' _GLOBAL_OFFSET_TABLE_ memcmp memcpy memset strchr strcmp strlen \
    strstr > allowed
extra=$(comm -23 need allowed)
[ -z "$extra" ] || { echo "the library needs: $extra"; exit 1; }

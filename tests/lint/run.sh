#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh tidy|cppcheck SOURCE BUILD [FILE...]: no finding in lane and tools.
set -eu
linter=$1 source=$2 build=$3
shift 3
cd "$source"
[ $# -gt 0 ] || set -- lane/*/*.c tools/main.c tools/*/*.c tools/*/*/*.c
case $linter in
tidy)
    command -v clang-tidy >/dev/null || { echo "no clang-tidy"; exit 77; }
    printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet \
        --extra-arg=-Wno-unknown-warning-option -p "$build"
    ;;
cppcheck)
    command -v cppcheck >/dev/null || { echo "no cppcheck"; exit 77; }
    cppcheck --quiet --error-exitcode=1 --std=c11 --language=c -j "$(nproc)" \
        --enable=warning,portability --inline-suppr -D_GNU_SOURCE -I. \
        --suppress=preprocessorErrorDirective --suppress=unknownMacro \
        --suppress=syntaxError --suppressions-list=tests/lint/cppcheck.txt "$@"
    ;;
esac

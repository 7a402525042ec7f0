#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# objects.sh OBJECT...: what stands on the path of a call uses no vector or
# x87 register and calls no libc. capture_bind.c and
# capture_keep_reserve() (mmap) run at binding and may.
set -u
fault=0
for object; do
    case $object in *capture_bind*) continue ;; esac
    if objdump -d "$object" | grep -E '%([xyz]mm[0-9]+|st\()'; then
        echo "$object: a vector or x87 register"
        fault=1
    fi
    may='^$'
    case $object in *capture_keep*) may='^mmap$' ;; esac
    extra=$(nm -u "$object" | awk '{ print $2 }' | grep -v -E \
        '^(_GLOBAL_OFFSET_TABLE_|runtime|capture_.*|read_.*|reader_start|manifest_eval(_condition)?|span_make_room|span_thread|shim_read_(xmm|x87))$' |
        grep -v -E "$may")
    [ -z "$extra" ] || { echo "$object needs: $extra"; fault=1; }
done
exit $fault

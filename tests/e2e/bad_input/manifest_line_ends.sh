# SPDX-License-Identifier: Apache-2.0
# A manifest written elsewhere: CRLF and a byte order mark mean nothing; a NUL
# byte is an error with its place.
. "$(dirname "$0")/lib.sh" "$1"
printf '\357\273\277[[object("libz.so*")]];\r\n[[span]] const char *zlibVersion(void);\r\n' \
    >"$manifest"
same samtools --version
ask check -m "$manifest" samtools || fail "check: $(cat "$work/ask")"
says 'zlibVersion'
grep -q error "$said" && fail "an error: $(cat "$said")"
printf '[[object("libz.so*")]];\n[[span]] int \0x(void);\n' >"$manifest"
same samtools --version
ask check -m "$manifest" samtools
says 'handlers\.manifest:2:14: error'
finish

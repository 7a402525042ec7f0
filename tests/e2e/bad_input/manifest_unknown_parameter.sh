# SPDX-License-Identifier: Apache-2.0
# input() names a parameter that the prototype does not have: no capture, but
# the handler is traced.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[object("libz.so*")]];
[[span, input(lem)]]
unsigned long crc32(unsigned long crc, const void *buf, unsigned len);
M
same samtools --version
ask check -m "$manifest" samtools
says "handlers\.manifest:2:15: error: no parameter 'lem' in 'crc32'" \
    "did you mean 'len'" '\^~~'
finish

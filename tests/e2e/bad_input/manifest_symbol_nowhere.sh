# SPDX-License-Identifier: Apache-2.0
# A handler that no object defines: check says so and names the nearest.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[object("libz.so*")]];
[[span]] int crc32_combined(void);
M
same samtools --version
ask check -m "$manifest" samtools
[ $? = 1 ] || fail "check: exit status is not 1"
says 'NONE +crc32_combined' 'no such symbol' 'crc32_combine'
finish

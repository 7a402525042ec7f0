# SPDX-License-Identifier: Apache-2.0
# A misspelt attribute switches off its declaration alone.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[object("libz.so*")]];
[[spam]] int deflateEnd(void *strm);
[[span]] const char *zlibVersion(void);
M
same samtools --version
ask check -m "$manifest" samtools
says "handlers\.manifest:2:3: error: .*spam" "did you mean '?span"
finish

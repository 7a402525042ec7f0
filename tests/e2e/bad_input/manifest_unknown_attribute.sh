# SPDX-License-Identifier: Apache-2.0
# A misspelt attribute switches off its declaration alone.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[object("libz.so*")]];
[[spam]] int deflateEnd(void *strm);
[[span]] const char *zlibVersion(void);
M
same python3 -c 'import zlib; print(zlib.crc32(b"x"))'
ask check -m "$manifest" python3
says "handlers\.manifest:2:3: error: .*spam" "did you mean '?span"
finish

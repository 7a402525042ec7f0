# SPDX-License-Identifier: Apache-2.0
# HANDSPAN_DIR is on a file system without room (a tmpfs of 64 KiB).
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77
mount -t tmpfs -o size=64k,mode=700 none "$HANDSPAN_DIR" 2>/dev/null || exit 77
trap 'bury "$HANDSPAN_DIR"' EXIT
head -c 1M /dev/zero >"$HANDSPAN_DIR/ballast" 2>/dev/null
same gzip --version
says 'lanes.*(No space|full|room)'
finish

# SPDX-License-Identifier: Apache-2.0
# A session of another major version of the layout: left in place, named.
. "$(dirname "$0")/lib.sh" "$1"
. "$cases/session.inc"
make_session
# The major version is the 16-bit number behind the magic (lane/format/layout.h).
printf '\143\000' | dd of="$session" bs=1 seek=8 conv=notrunc status=none
cp "$session" kept
ask sidecar
ask status
says "$(basename "$session").*(version|layout)"
cmp -s kept "$session" || fail "the session was changed or removed"
same gzip --version
finish

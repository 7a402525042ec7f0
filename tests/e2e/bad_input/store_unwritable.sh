# SPDX-License-Identifier: Apache-2.0
# The store cannot be made; the sessions wait for a sidecar that can.
. "$(dirname "$0")/lib.sh" "$1"
echo content >file
HANDSPAN_STORE=$work/file/store.db same gzip --version
ls "$HANDSPAN_DIR"/session-* >/dev/null 2>&1 || fail "no session was kept"
HANDSPAN_STORE=$work/file/store.db ask sidecar
HANDSPAN_STORE=$work/file/store.db ask list
says 'file/store\.db.*(unable|cannot|Not a directory)'
ask sidecar --store "$HANDSPAN_STORE" # one that can be written
stored
ask list
says gzip
finish

# SPDX-License-Identifier: Apache-2.0
# A store of a later version is left as it is.
. "$(dirname "$0")/lib.sh" "$1"
same gzip --version
stored
sqlite3 "$HANDSPAN_STORE" 'pragma user_version = 99999; pragma journal_mode = delete;' >/dev/null
sum=$(cksum <"$HANDSPAN_STORE")
ask list
[ $? = 2 ] || fail "list: exit status is not 2"
says 'store\.db.*version'
same gzip --version
ask sidecar
sqlite3 "$HANDSPAN_STORE" 'pragma wal_checkpoint(truncate); pragma journal_mode = delete;' >/dev/null
[ "$(cksum <"$HANDSPAN_STORE")" = "$sum" ] || fail "the store was changed"
finish

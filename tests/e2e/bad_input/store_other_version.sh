# SPDX-License-Identifier: Apache-2.0
# A store of a later version is left as it is.
. "$(dirname "$0")/lib.sh" "$1"
same gzip --version
stored
flock "$HANDSPAN_DIR/sidecar.lock" true # the sidecar has ended
content() { sqlite3 "$HANDSPAN_STORE" 'pragma user_version' .dump | cksum; }
sqlite3 -cmd '.timeout 20000' "$HANDSPAN_STORE" \
    'pragma user_version = 99999' || fail "cannot write the store"
sum=$(content)
ask list
[ $? = 2 ] || fail "list: exit status is not 2"
says 'store\.db.*(version|schema) 99999' '(--store|move)'
same gzip --version
ask sidecar
[ "$(content)" = "$sum" ] || fail "the store was changed"
finish

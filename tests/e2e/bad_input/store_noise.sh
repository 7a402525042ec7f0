# SPDX-License-Identifier: Apache-2.0
# The store is a file that is no database: it is not overwritten.
. "$(dirname "$0")/lib.sh" "$1"
seq 1 20000 >"$HANDSPAN_STORE"
sum=$(cksum <"$HANDSPAN_STORE")
same gzip --version
ask list
[ $? = 2 ] || fail "list: exit status is not 2"
says 'store\.db.*(not a|no SQLite) database'
[ "$(cksum <"$HANDSPAN_STORE")" = "$sum" ] || fail "the file was changed"
finish

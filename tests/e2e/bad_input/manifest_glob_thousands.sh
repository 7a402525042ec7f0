# SPDX-License-Identifier: Apache-2.0
# A glob that matches thousands of functions: the limit is said, and up to it
# they are traced; the program does not change.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[span, match("*")]];
M
echo "select 6*7;" >q.sql
same sqlite3 -batch :memory: '.read q.sql'
ask check -m "$manifest" sqlite3
says 'match\(?"?\*|\*.*[0-9]{4,}|4,?096'
finish

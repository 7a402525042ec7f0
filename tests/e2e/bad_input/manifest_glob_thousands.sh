# SPDX-License-Identifier: Apache-2.0
# A glob that matches thousands of functions is more than anybody meant: it is
# refused whole, with the number and the way out.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[span, match("*")]];
M
echo "select 6*7;" >q.sql
same sqlite3 -batch :memory: '.read q.sql'
ask check -m "$manifest" sqlite3
says 'NONE +\* +[0-9],?[0-9]{3} functions match' 'narrow the glob'
finish

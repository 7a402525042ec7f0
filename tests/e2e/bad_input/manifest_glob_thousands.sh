# SPDX-License-Identifier: Apache-2.0
# A glob that matches thousands of functions is more than anybody meant: the first
# ones are traced, and the number and the way out are said.
. "$(dirname "$0")/lib.sh" "$1"
cat >"$manifest" <<'M'
[[span, match("*")]];
M
echo "select 6*7;" >q.sql
same sqlite3 -batch :memory: '.read q.sql'
ask check -m "$manifest" sqlite3
says '[0-9],?[0-9]{3} functions match, more than 2,000: the first' 'narrow the glob'
finish

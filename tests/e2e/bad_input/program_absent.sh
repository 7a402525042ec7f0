# SPDX-License-Identifier: Apache-2.0
# A program that is not there: 127, as env(1).
. "$(dirname "$0")/lib.sh" "$1"
capture run "$handspan" run -m "$manifest" -- no-such-program-here
[ "$(cat "$work/run.status")" = 127 ] ||
    fail "status $(cat "$work/run.status"), not 127"
cat "$work/run.err" >>"$said"
says 'no-such-program-here.*(not found|No such file|no such program)'
touch here
capture run "$handspan" run -m "$manifest" -- ./here
[ "$(cat "$work/run.status")" = 126 ] ||
    fail "status $(cat "$work/run.status"), not 126"
cat "$work/run.err" >>"$said"
says '/here.*(Permission denied|not executable)'
finish

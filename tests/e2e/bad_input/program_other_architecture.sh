# SPDX-License-Identifier: Apache-2.0
# A program for another processor: the status is what bash makes of it
# (env(1) would hand the binary to sh, which calls it a syntax error).
. "$(dirname "$0")/lib.sh" "$1"
cp "$(command -v gzip)" arm
printf '\267' | dd of=arm bs=1 seek=18 conv=notrunc status=none # EM_AARCH64
capture run "$handspan" run -m "$manifest" -- ./arm
bash -c ./arm >/dev/null 2>&1
bash_status=$?
[ "$(cat "$work/run.status")" = $bash_status ] ||
    fail "status $(cat "$work/run.status"), bash's is $bash_status"
cat "$work/run.err" >>"$said"
says 'arm.*(architecture|aarch64|machine|Exec format error)'
ask check -m "$manifest" ./arm
says 'arm.*(architecture|aarch64|machine|not x86-64)'
finish

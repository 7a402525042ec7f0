# SPDX-License-Identifier: Apache-2.0
# A program for another processor: 126, as env(1) says where its exec fails;
# or what env's way out, /bin/sh, makes of the file.
. "$(dirname "$0")/lib.sh" "$1"
cp "$(command -v gzip)" arm
printf '\267' | dd of=arm bs=1 seek=18 conv=notrunc status=none # EM_AARCH64
capture run "$handspan" run -m "$manifest" -- ./arm
env ./arm >/dev/null 2>&1
env_status=$?
status=$(cat "$work/run.status")
[ "$status" = 126 ] || [ "$status" = $env_status ] ||
    fail "status $status is neither 126 nor env's, $env_status"
cat "$work/run.err" >>"$said"
says 'arm.*(architecture|aarch64|machine|Exec format error)'
ask check -m "$manifest" ./arm
says 'arm.*(architecture|aarch64|machine|not x86-64)'
finish

# SPDX-License-Identifier: Apache-2.0
# A session cut short at many lengths: the sidecar neither dies nor loops.
. "$(dirname "$0")/lib.sh" "$1"
. "$cases/session.inc"
make_session
cp "$session" whole
for bytes in 0 1 7 63 64 100 4095 4096 5000 9000 70000; do
    head -c $bytes whole >"$session"
    timeout 20 "$handspan" sidecar >>"$said" 2>&1
    [ $? -lt 124 ] || fail "cut to $bytes: the sidecar died or hung"
    rm -f "$session"
done
head -c 100 whole >"$session"
ask sidecar
ask status
says "$(basename "$session")"
rm -f "$session"
same gzip --version
stored
finish

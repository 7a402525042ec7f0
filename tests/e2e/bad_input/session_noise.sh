# SPDX-License-Identifier: Apache-2.0
# A session filled with noise, at places and as a whole; and one that is fine
# beside it is stored.
. "$(dirname "$0")/lib.sh" "$1"
. "$cases/session.inc"
make_session
cp --sparse=always "$session" whole
noise() { # BYTES SEED
    awk -v n="$1" -v s="$2" 'BEGIN { srand(s); for (i = 0; i < n; i++)
        printf "%c", int(rand() * 255) + 1 }'
}
for seed in 1 2 3 4 5 6; do
    cp --sparse=always whole "$session"
    noise 3000 $seed | dd of="$session" bs=1 seek=$((seed * 640)) \
        conv=notrunc status=none
    timeout 20 "$handspan" sidecar >>"$said" 2>&1
    [ $? -lt 124 ] || fail "noise $seed: the sidecar died or hung"
    rm -f "$session"
done
noise 100000 9 >"$session"
same gzip --version
ask sidecar
ask status
says "$(basename "$session")"
rm -f "$session"
stored
ask list
says gzip
finish

# SPDX-License-Identifier: Apache-2.0
# `handspan run` in `handspan run`, scripts that start many short programs,
# and several of that at once into one directory and one store.
. "$(dirname "$0")/lib.sh" "$1"
inner="$handspan run --summary=never -m $manifest -- sh -c"
SECONDS=0
same sh -c 'gzip --version'
plain=$SECONDS # on a machine that is busy
SECONDS=0
same sh -c "$inner 'gzip --version; exit 7'"
# the pid that `run` waits for is also that of the fork before it
[ $SECONDS -lt $((9 + 4 * plain)) ] ||
    fail "run in run took $SECONDS s, a run alone $plain"
same sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do gzip --version; done; exit 4'
stored
for i in 1 2 3 4 5 6; do
    "$handspan" run --summary=never -m "$manifest" -- \
        sh -c 'for i in 1 2 3 4 5; do gzip --version; done' >/dev/null &
done
wait
stored
"$handspan" list --json --limit=0 >all
for t in $(sed -n 's/.*"trace_id": *"\([0-9a-f]*\)".*/\1/p' all); do
    "$handspan" spans $t --json
done >spans
echo "$(grep -c trace_id all) traces" >>"$said"
got=$(grep -c '"name": *"gzip"' spans)
# 2 alone, 3 of the nested (untraced outside as well), 2 * 10 of the script,
# 6 * 5 at once
[ "$got" = 55 ] || fail "gzip runs in the store: $got, not 55"
ls "$HANDSPAN_DIR" >>"$said"
finish

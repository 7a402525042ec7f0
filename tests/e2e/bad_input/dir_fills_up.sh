# SPDX-License-Identifier: Apache-2.0
# The file system fills up while a program is traced: its calls are counted.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77
mount -t tmpfs -o size=3m,mode=700 none "$HANDSPAN_DIR" 2>/dev/null || exit 77
trap 'umount -l "$HANDSPAN_DIR"; rm -rf "$work"' EXIT
cat >many.c <<'C'
#include <stdio.h>
__attribute__((noipa)) long tick(long n) { __asm__ volatile(""); return n + 1; }
int main(void)
{
    long n = 0;
    while (n < 400000)
        n = tick(n);
    printf("%ld\n", n);
    return 6;
}
C
gcc -O2 -o many many.c || exit 1
printf '[[object(main)]];\n[[span]] tick;\n' >"$manifest"
for how in off on; do
    export HANDSPAN_SIDECAR=$how
    [ $how = on ] && unset HANDSPAN_SIDECAR
    same ./many
done
"$handspan" sidecar
stored
"$handspan" list --json --limit=0 | sed -n 's/.*"trace_id": *"\([0-9a-f]*\)".*/\1/p' |
    while read -r t; do "$handspan" stats $t --json; done >stats
grep '"name": *"tick"' stats >ticks
grep -v '"calls": *400000[,}]' ticks && fail "calls were lost"
echo "$(grep -c . ticks) traces with all calls" >>"$said"
[ -s ticks ] || fail "no trace"
finish

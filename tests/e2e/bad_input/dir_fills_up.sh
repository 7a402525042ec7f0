# SPDX-License-Identifier: Apache-2.0
# The file system fills up while a program is traced: its calls are counted.
# Where an eighth of it is too little for a session none is made, and that is
# told.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77
mount -t tmpfs -o size=32m,mode=700 none "$HANDSPAN_DIR" 2>/dev/null || exit 77
trap 'bury "$HANDSPAN_DIR"' EXIT
cat >many.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char page[4096];
/* ours fills it, as others do: with all that is left */
static void fill(void)
{
    int fd = open("lanes/ballast", O_CREAT | O_WRONLY, 0600);
    while (write(fd, page, sizeof page) > 0)
        ;
    close(fd);
}
__attribute__((noipa)) long tick(long n) { __asm__ volatile(""); return n + 1; }
int main(void)
{
    long n = 0;
    while (n < 400000) {
        if (n == 1000)
            fill();
        n = tick(n);
    }
    unlink("lanes/ballast");
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
[ "$(grep -c . ticks)" = 4 ] || fail "not a trace of each run"
mount -o remount,size=3m none "$HANDSPAN_DIR" || exit 77
rm -f "$HANDSPAN_DIR/log"
export HANDSPAN_SIDECAR=off
capture plain ./many
capture preload env LD_PRELOAD="$preload" HANDSPAN_MANIFEST="$manifest" ./many
compare preload
cmp -s "$work/plain.err" "$work/preload.err" || fail "stderr differs"
compgen -G "$HANDSPAN_DIR/session-*" && fail "a session of more than an eighth"
cat "$HANDSPAN_DIR/log" >>"$said"
says 'session: none could be made in .*an eighth of what .* is too little'
finish

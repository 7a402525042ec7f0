# SPDX-License-Identifier: Apache-2.0
# Little of everything that can be limited: address space, descriptors,
# processes, file size, stack, data.
. "$(dirname "$0")/lib.sh" "$1"
for limit in 'v 20000' 'v 60000' 'v 200000' 'n 5' 'n 10' 'u 1' 'f 0' \
    'f 64' 's 128' 'd 2000' 'd 4000' 'd 16000' 'd 60000' 'l 0'; do
    same_limit="ulimit -${limit% *} ${limit#* }"
    capture plain bash -c "$same_limit; exec gzip --version"
    capture preload bash -c "$same_limit; export LD_PRELOAD=$preload \
HANDSPAN_MANIFEST=$manifest; exec gzip --version"
    compare preload
    cmp -s "$work/plain.err" "$work/preload.err" ||
        fail "$limit: stderr is '$(cat "$work/preload.err")', untraced" \
            "'$(cat "$work/plain.err")'"
done
# a sidecar that lives under such a limit leaves them to one that does not
for try in 1 2 3 4 5 6 7 8 9 10; do
    ask sidecar
    compgen -G "$HANDSPAN_DIR/session-*" >/dev/null || break
    sleep 0.3 # waits for a state: the other sidecar's end
done
stored
echo "limits change nothing" >>"$said"
finish

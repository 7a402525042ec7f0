# SPDX-License-Identifier: Apache-2.0
# What the cases of bad input share; sourced with the build folder as $1.
#
# A case makes one thing wrong, runs a program with `same CMD...` and then
# says with `says REGEX` what the message must name. `same` runs CMD three
# times: untraced, under a bare LD_PRELOAD and under `handspan run`. Output and
# exit status must be the same each time, byte for byte; what `handspan run`
# itself has to say are lines of standard error that start with "handspan: "
# or, for a manifest, are a compiler-like message (and its caret lines).
set -u
build=$(cd "$1" && pwd)
handspan=$build/bin/handspan
preload=$build/lib/libhandspan.so
cases=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
# Takes away what is mounted in the folder, and the folder.
bury() { # MOUNT...
    python3 "$cases/../../common/alive.py" "$work"
    for mounted in "$@"; do umount -l "$mounted"; done
    chmod -R u+rwx "$work" 2>/dev/null
    rm -rf "$work"
}
trap bury EXIT
cd "$work" || exit 1
for name in $(env | sed -n 's/^\(HANDSPAN[A-Z_]*\|LD_[A-Z_]*\|TRACE[A-Z]*\)=.*/\1/p'); do
    unset "$name"
done
export PATH=/usr/local/bin:/usr/bin:/bin
export LC_ALL=C HANDSPAN_DIR=$work/lanes HANDSPAN_STORE=$work/store.db
mkdir -m 700 "$HANDSPAN_DIR"
manifest=$work/handlers.manifest # a good one, for cases that spoil others
cat >"$manifest" <<'M'
[[object("libz.so*")]];
[[span]] unsigned long crc32(unsigned long crc, const void *buf, unsigned len);
M
said=$work/said # what handspan said, over all runs of the case
: >"$said"
failed=0

fail() {
    echo "FAILED  $*"
    failed=1
}

# Runs "$@"; its output and status go to $work/NAME.{out,err,status}.
capture() { # NAME COMMAND...
    local to=$work/$1
    shift
    "$@" >"$to.out" 2>"$to.err" </dev/null
    echo $? >"$to.status"
}

compare() { # NAME
    local what
    for what in out status; do
        cmp -s "$work/plain.$what" "$work/$1.$what" ||
            fail "$1: $what is '$(head -c 300 "$work/$1.$what")', untraced" \
                "'$(head -c 300 "$work/plain.$what")'"
    done
}

# Our own lines of standard error: "handspan: ...", "FILE:1:2: error: ...",
# and the lines with the source and the caret.
ours='^handspan: |^[^ ]+:[0-9]+:[0-9]+: |^ *[0-9]+ \| |^ +\| '

same() { # COMMAND...
    capture plain "$@"
    capture preload env LD_PRELOAD="$preload" HANDSPAN_MANIFEST="$manifest" \
        "$@"
    compare preload
    cmp -s "$work/plain.err" "$work/preload.err" ||
        fail "preload: stderr is '$(cat "$work/preload.err")', untraced" \
            "'$(cat "$work/plain.err")'"
    same_under_run "$@"
}

same_under_run() { # COMMAND...
    [ -e "$work/plain.out" ] || capture plain "$@"
    capture run "$handspan" run --summary=never -m "$manifest" -- "$@"
    compare run
    grep -aEv "$ours" "$work/run.err" >"$work/run.rest"
    cmp -s "$work/plain.err" "$work/run.rest" ||
        fail "run: stderr is '$(cat "$work/run.err")', untraced" \
            "'$(cat "$work/plain.err")'"
    cat "$work/run.err" >>"$said"
}

# Adds what another handspan command says, on either stream.
ask() { # handspan's arguments
    "$handspan" "$@" >"$work/ask" 2>&1
    status=$?
    cat "$work/ask" >>"$said"
    [ $status -lt 126 ] || fail "handspan $*: died, status $status"
    return $status
}

says() { # REGEX...: each must be found in what handspan said
    local regex
    for regex in "$@"; do
        grep -aEqi -- "$regex" "$said" ||
            fail "no message like /$regex/ in: $(head -c 1500 "$said")"
    done
}

# Waits until all sessions of the directory are stored (they are gone then).
stored() {
    local tries=0
    # not ls: it fails if one of many goes meanwhile
    while compgen -G "$HANDSPAN_DIR/session-*" >/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 3000 ]; then
            fail "not stored: $(ls "$HANDSPAN_DIR"); $(tail -5 \
                "$HANDSPAN_DIR/log" 2>/dev/null)"
            return 1
        fi
        sleep 0.1 # waits for a state: the sidecar's commit
    done
}

# Spans of a trace with this name, as a number.
spans_named() { # NAME [TRACE]
    "$handspan" spans "${2:-latest}" --json 2>/dev/null |
        grep -c "\"name\": *\"$1\""
}

finish() {
    [ $failed = 0 ] && echo "as untraced, and it says: $(head -3 "$said")"
    exit $failed
}

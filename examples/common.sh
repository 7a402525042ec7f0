# SPDX-License-Identifier: Apache-2.0
# What the `run` of every example shares; sourced, not run.
#
# An example prepares its input in a directory of its own and then calls
# `trace COMMAND...`. Variables, all optional:
#   HANDSPAN       the handspan command     (build/bin/handspan, else $PATH)
#   EXAMPLE_DIR    where input and output go            (build/examples/NAME)
#   EXAMPLE_WRAP   run the bare command under this instead of `handspan run`;
#                  empty: run it as it is. The end-to-end tests use it to run
#                  one and the same command untraced, under a bare LD_PRELOAD
#                  and under gdb.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$here")
top=$(cd "$here/../.." && pwd)
export LC_ALL=C

if [ -z "${HANDSPAN:-}" ]; then
    HANDSPAN=$top/build/bin/handspan
    [ -x "$HANDSPAN" ] || HANDSPAN=handspan
fi
EXAMPLE_DIR=${EXAMPLE_DIR:-$top/build/examples/$name}
mkdir -p "$EXAMPLE_DIR"
cd "$EXAMPLE_DIR"

need() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null && return
    echo "examples/$name: no program '$1'; it is in Debian's package $2:" \
        "apt-get install $2" >&2
    exit 2
}

trace() { # COMMAND...
    if [ -n "${EXAMPLE_WRAP+set}" ]; then
        exec $EXAMPLE_WRAP "$@"
    fi
    status=0
    "$HANDSPAN" run --summary=always -m "$here/handlers.manifest" -- "$@" ||
        status=$?
    echo
    "$HANDSPAN" show latest || true
    echo
    "$HANDSPAN" stats latest || true
    exit $status
}

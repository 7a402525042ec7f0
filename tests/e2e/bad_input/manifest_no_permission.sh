# SPDX-License-Identifier: Apache-2.0
# The manifest may not be read by this user.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" != 0 ] || chmod 755 "$work"
chmod 000 "$manifest"
if [ "$(id -u)" = 0 ]; then # root reads everything: be somebody else
    command -v setpriv >/dev/null || exit 77
    chown -R nobody "$work"
    as="setpriv --reuid nobody --clear-groups"
    $as test -x "$handspan" || exit 77 # the build cannot be reached
    handspan_real=$handspan
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$as" "$handspan_real" >"$work/hs"
    chmod 755 "$work/hs"
    handspan=$work/hs
fi
same_under_run gzip --version
says 'handlers\.manifest.*Permission denied'
finish

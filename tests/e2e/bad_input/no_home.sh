# SPDX-License-Identifier: Apache-2.0
# No $HOME, and a user that /etc/passwd does not know (as in a container):
# there is a store all the same, and `status` says where.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77
unset HOME XDG_DATA_HOME XDG_RUNTIME_DIR HANDSPAN_STORE
user=$((54000 + $$ % 1000))
chmod 755 "$work"
mkdir lane && rmdir "$HANDSPAN_DIR" && export HANDSPAN_DIR=$work/lane/dir
chown $user lane "$manifest"
as="setpriv --reuid $user --regid $user --clear-groups"
$as test -x "$handspan" || exit 77 # the build cannot be reached
printf '#!/bin/sh\nexec %s %s "$@"\n' "$as" "$handspan" >hs
chmod 755 hs
handspan=$work/hs
same_under_run gzip --version
ask status
says 'Store +/.*\.db'
ask list
says gzip
finish

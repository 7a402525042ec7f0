# SPDX-License-Identifier: Apache-2.0
# HANDSPAN_DIR cannot be made: its parent is a file.
. "$(dirname "$0")/lib.sh" "$1"
echo content >file
export HANDSPAN_DIR=$work/file/lanes
same gzip --version
says 'file/lanes.*(Not a directory|cannot)'
[ "$(cat file)" = content ] || fail "the file was changed"
finish

# SPDX-License-Identifier: Apache-2.0
# The store is on a file system without room; nothing is lost, and when there
# is room again it is stored.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77
mkdir small
mount -t tmpfs -o size=64k,mode=700 none small 2>/dev/null || exit 77
trap 'bury "$work/small"' EXIT
head -c 1M /dev/zero >small/ballast 2>/dev/null
export HANDSPAN_STORE=$work/small/store.db
same gzip --version
ask sidecar
says 'small/store\.db.*(full|No space)'
mount -o remount,size=16m small
ask sidecar
stored
ask list
says gzip
finish

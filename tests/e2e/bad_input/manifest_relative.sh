# SPDX-License-Identifier: Apache-2.0
# A relative path: `handspan run` makes it absolute; in the environment it
# would mean another file in every directory the program changes to, so it is
# not used and `handspan env` writes an absolute one.
. "$(dirname "$0")/lib.sh" "$1"
cp "$manifest" here.manifest
manifest=here.manifest
same sh -c 'cd / && gzip --version'
ask env -m here.manifest
says "HANDSPAN_MANIFEST=['\"]?$work/here\.manifest"
finish

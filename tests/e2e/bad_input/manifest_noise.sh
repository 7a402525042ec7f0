# SPDX-License-Identifier: Apache-2.0
# The manifest is not text at all (the bytes of a program).
. "$(dirname "$0")/lib.sh" "$1"
head -c 20000 "$(command -v gzip)" >"$manifest"
same gzip --version
says 'handlers\.manifest:1:1: error'
finish

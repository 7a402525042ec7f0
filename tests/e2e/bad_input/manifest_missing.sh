# SPDX-License-Identifier: Apache-2.0
# HANDSPAN_MANIFEST names a file that is not there.
. "$(dirname "$0")/lib.sh" "$1"
manifest=$work/gone.manifest
same gzip --version
says 'gone\.manifest.*No such file'
ask status
finish

# SPDX-License-Identifier: Apache-2.0
# No $HOME and no $HANDSPAN_STORE: where the store is then, is said.
. "$(dirname "$0")/lib.sh" "$1"
unset HOME XDG_DATA_HOME XDG_RUNTIME_DIR HANDSPAN_STORE
same gzip --version
ask status
says 'HOME|HANDSPAN_STORE|store'
says '\.db'
finish

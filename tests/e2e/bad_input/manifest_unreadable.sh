# SPDX-License-Identifier: Apache-2.0
# The manifest is a directory: opened, but not to be read, even by root.
. "$(dirname "$0")/lib.sh" "$1"
manifest=$work/folder.manifest
mkdir "$manifest"
same gzip --version
says 'folder\.manifest.*(is a directory|not a (regular )?file|cannot read)'
finish

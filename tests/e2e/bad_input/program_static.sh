# SPDX-License-Identifier: Apache-2.0
# A static program: the loader that would load the preload is not in it.
. "$(dirname "$0")/lib.sh" "$1"
echo 'int puts(const char *); int main(void) { puts("static"); return 3; }' |
    gcc -x c -static -o still - || exit 1
same ./still
says 'still.*static'
ask check -m "$manifest" ./still
says 'still.*static'
finish

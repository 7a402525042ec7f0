# SPDX-License-Identifier: Apache-2.0
# A setuid program: the loader ignores LD_PRELOAD in it.
. "$(dirname "$0")/lib.sh" "$1"
[ "$(id -u)" = 0 ] || exit 77 # needs a file of another user
echo 'int puts(const char *); int main(void) { puts("setuid"); return 4; }' |
    gcc -x c -o other - || exit 1
chown nobody other
chmod u+s other
same ./other
says 'other.*set-?(user|uid|u)'
finish

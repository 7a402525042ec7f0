/* SPDX-License-Identifier: Apache-2.0 */
/* Statics that are called as some of prog.c are. */
int second(int n);

__attribute__((noipa)) static int worker(int n)
{
    __asm__ volatile("");
    return n * 5;
}
__attribute__((noipa)) static int both(int n)
{
    __asm__ volatile("");
    return n * 6;
}
int second(int n)
{
    return worker(n) + worker(n + 1) + both(n);
}

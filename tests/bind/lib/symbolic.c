/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with -Bsymbolic: calls inside it go through no slot at all. */
int symbolic_outer(int n);
int symbolic_inner(int n);

__attribute__((noipa)) int symbolic_inner(int n)
{
    __asm__ volatile("");
    return n + 7;
}

int symbolic_outer(int n)
{
    return symbolic_inner(n) + symbolic_inner(n + 1);
}

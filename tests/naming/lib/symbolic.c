/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with -Bsymbolic: its own calls go to its own functions, past any
 * PLT; and a function that is only ever tail-called. */
int symbolic_inner(int n);
int symbolic_outer(int n);
int symbolic_tail(int n);

__attribute__((noipa)) int symbolic_tail(int n)
{
    return n * 3 + 1;
}
__attribute__((noipa)) int symbolic_inner(int n)
{
    return symbolic_tail(n + 2);
}
__attribute__((noipa)) int symbolic_outer(int n)
{
    return symbolic_inner(n) + symbolic_inner(n + 1);
}

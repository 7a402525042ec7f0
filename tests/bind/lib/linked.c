/* SPDX-License-Identifier: Apache-2.0 */
/* A linked library: an entry that callers reach through their PLT, and one
 * that it calls itself. */
int linked_sum(int n);
int linked_inner(int n);

__attribute__((noipa)) int linked_inner(int n)
{
    __asm__ volatile("");
    return n * 2;
}

int linked_sum(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += linked_inner(i);
    return sum;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A library with two versions of each name: functions with room for a jump,
 * and functions that are seen through slots alone. */
__asm__(".symver load_1, load@SV_1\n.symver load_2, load@@SV_2\n"
        ".symver peek_1, peek@SV_1\n.symver peek_2, peek@@SV_2\n");
int load_1(int n), load_2(int n), peek_1(int n), peek_2(int n);
static volatile int seen;

__attribute__((noipa)) int load_1(int n)
{
    seen += n;
    return n + seen;
}

__attribute__((noipa)) int load_2(int n)
{
    seen += 2 * n;
    return n * seen;
}

__attribute__((noipa)) int peek_1(int n)
{
    return n;
}

__attribute__((noipa)) int peek_2(int n)
{
    return -n;
}

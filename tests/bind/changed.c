/* SPDX-License-Identifier: Apache-2.0 */
/* For test_changed.py: functions that others change, and a program that undoes
 * what was changed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noipa, aligned(4096))) int leaf(int n)
{
    return n * 3 + 1;
}

/* seven = entry + 1: the constant */
__attribute__((noipa, naked, aligned(16))) int constant(void)
{
    __asm__("mov $7, %eax\n ret");
}

/* the second instruction begins at entry + 3 */
__attribute__((noipa, naked, aligned(4096))) int moves(int n
                                                       __attribute__((unused)))
{
    __asm__("mov %rdi, %rax\n add %rdi, %rax\n ret");
}

/* what is behind the first jump begins at entry + 2 */
__attribute__((noipa, naked, aligned(16))) int turns(int n
                                                     __attribute__((unused)))
{
    __asm__("jmp 2f\n 1: mov %edi, %eax\n ret\n 2: jmp 1b");
}

int main(int argc, char **argv)
{
    int sum = 0;
    for (int i = 0; i < 100; i++)
        sum += leaf(i) + constant() + moves(i) + turns(i);
    if (argc > 1 && strcmp(argv[1], "undo") == 0)
        madvise((void *)((uintptr_t)leaf & ~4095ul), 4096, MADV_DONTNEED);
    for (int i = 0; i < 100; i++)
        sum += leaf(i);
    printf("%d\n", sum);
    fflush(stdout);
    if (argc > 2)
        _exit(3);
    return 0;
}

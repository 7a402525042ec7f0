/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers for golden/check.txt: one of each kind that `check` tells apart. */
#define HANDLER __attribute__((noinline, noipa))
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

HANDLER int run_pipeline(const char *dag)
{
    return (int)strlen(dag) * 3 + abs((int)dag[0]);
}
HANDLER int stage_load(int n)
{
    return n * n + (int)strtol("7", NULL, 10);
}
HANDLER int stage_out(int n)
{
    return n * n - (int)strtol("8", NULL, 10);
}
/* Arguments on the stack. */
HANDLER long many(long a, long b, long c, long d, long e, long f, long g,
                  long h)
{
    return a + b + c + d + e + f + g * h + strtol("9", NULL, 10);
}
/* Too short for a jump. */
__asm__(".globl tiny\n.type tiny,@function\ntiny:\n.cfi_startproc\n"
        "ret\n.cfi_endproc\n.size tiny,.-tiny\n"
        ".globl after\n.type after,@function\nafter:\n.cfi_startproc\n"
        "ret\n.cfi_endproc\n.size after,.-after\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");

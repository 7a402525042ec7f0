// SPDX-License-Identifier: Apache-2.0
/* die() inside of a handler, and outside of any; a crash outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) static void die(const char *f)
{
    fprintf(stderr, "exits: cannot open %s\n", f);
    exit(3);
}
__attribute__((noinline)) int load(const char *f)
{
    FILE *x = fopen(f, "r");
    if (!x)
        die(f);
    return fgetc(x);
}
__attribute__((noinline)) int outside(int *p)
{
    fputs("exits: going to fail\n", stderr);
    return *p;
}
int main(int c, char **v)
{
    (void)c;
    if (strcmp(v[1], "crash") == 0)
        return outside(NULL);
    if (strcmp(v[1], "early") == 0)
        die("the manual");
    if (strcmp(v[1], "child") == 0 && fork() != 0)
        return 0;
    return load("/data/none.csv") & 1;
}

// SPDX-License-Identifier: Apache-2.0
/* Which failed call is a cause: cause.c MODE FILE */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static const char *mode;
__attribute__((noinline)) static int probe(const char *path)
{
    char pad[100];
    memset(pad, 1, sizeof pad);
    return open(path, O_RDONLY) + pad[3] - 1;
}
__attribute__((noinline)) static int wide(const char *path)
{
    volatile char pad[12000];
    pad[0] = 1;
    return probe(path) + pad[0] - 1;
}
__attribute__((noinline)) int job(const char *in)
{
    if (strcmp(mode, "wide") == 0)
        return wide(in);
    if (strcmp(mode, "full") == 0) {
        int fd = open("/dev/full", O_WRONLY);
        int rc =
            access("/none/optional", R_OK) && write(fd, in, 5) == 5 ? 0 : -1;
        fputs("cause: the disk\n", stderr);
        return rc;
    }
    fopen("/etc/optional-cause.conf", "r"); /* harmless */
    if (strcmp(mode, "parse") == 0) {
        fputs("cause: syntax error in line 3\n", stderr);
        return -1;
    }
    FILE *f = fopen(in, "r");
    if (!f) {
        fprintf(stderr, "cause: cannot read %s\n", in);
        access("/etc/also-missing", R_OK);
        return -1;
    }
    char b[64];
    if (!fgets(b, sizeof b, f) || strncmp(b, "OK", 2) != 0) {
        fputs("cause: bad header\n", stderr);
        return -1;
    }
    return 0;
}
__attribute__((noinline)) int often(int n)
{
    return n % 2 ? -1 : open("/none/often", O_RDONLY);
}
int main(int c, char **v)
{
    mode = v[1];
    if (strcmp(mode, "often") == 0) {
        for (int i = 0; i < 2000; i++)
            often(1);
        return 1;
    }
    return c > 2 && job(v[2]) != 0;
}

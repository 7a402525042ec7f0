// SPDX-License-Identifier: Apache-2.0
/* Rules on arguments and on results that are codes or amounts; an errno that is
 * cleared before the call returns. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#define OUTER __attribute__((noinline))
static volatile int last;

OUTER void finish(int rc, const char *why)
{
    last = rc + why[0];
}
OUTER int note(int level)
{
    last = level;
    return last - level;
}
OUTER int step(int n)
{
    last = n;
    return last == 3 || last == 5 ? 5 : last == 4 ? -3 : 0;
}
OUTER int part(int n)
{
    last = n;
    return last / 2;
}
OUTER int look(const char *path)
{
    int fd = open(path, O_RDONLY);
    errno = 0;
    return fd;
}
int main(void)
{
    finish(200, "fine");
    finish(404, "gone");
    finish(404, "gone");
    finish(502, "bad");
    for (int n = 2; n < 6; n++)
        last = step(n) + part(n * 10);
    last = note(1) + note(3);
    return look("/data/none") != -1;
}

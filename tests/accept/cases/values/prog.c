/* Every kind of value a prototype can name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

struct job {
    long id;
    char tenant[32];
    const char *title;
    unsigned flags : 3;
};

HANDLER int extract(struct job *job, const char *path, char **out)
{
    if (!path) {
        errno = ENOENT;
        return -2;
    }
    if (strcmp(path, "eof") == 0)
        return -541478725;
    *out = strdup("text of it");
    return (int)job->id;
}
HANDLER size_t stage(const void *buf, size_t n)
{
    return n + (buf != NULL);
}
HANDLER double scale(double x, float y, signed char c, unsigned short u)
{
    return x * (double)y + c + u;
}
HANDLER int login(const char *user, const char *token)
{
    return (int)(strlen(user) + strlen(token));
}

int main(void)
{
    struct job job = {4242, "acme", "nightly", 5};
    char *out = NULL;
    int sum = 0;
    sum += extract(&job, "/data/\xc3\xa9.csv", &out);
    free(out);
    sum += extract(&job, NULL, &out) == -2;
    sum += extract(&job, "eof", &out) < 0;
    char buf[256];
    for (int i = 0; i < 256; i++)
        buf[i] = (char)i;
    sum += (int)stage(buf, sizeof buf);
    sum += (int)stage((void *)8, 3); /* not mapped */
    sum += (int)scale(1.5, 2.5f, -3, 65535);
    sum += login("ada", "S3CRET-T0KEN");
    /* longer than any cap */
    size_t n = 200000;
    char *big = malloc(n + 1);
    memset(big, 'a', n);
    big[0] = '<';
    big[n - 1] = '>';
    big[n] = 0;
    sum += extract(&job, big, &out);
    free(out);
    free(big);
    printf("%d\n", sum);
    return 0;
}

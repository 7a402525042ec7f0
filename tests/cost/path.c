/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in a row, counted instruction by instruction (path_test.py).
 *
 *   path names|values|carry
 */
#define HANDLER __attribute__((noipa, visibility("default")))
enum {
    CALLS = 1000
};

long names(long n);
long values(const char *text, long n);
long give(long item);
long take(long item);

HANDLER long names(long n)
{
    return n + 1 - (n >> 62) + ((n >> 61) & 5);
}

HANDLER long values(const char *bytes, long n)
{
    __asm__ volatile("" : : "r"(bytes) : "memory");
    return n + 1 - (n >> 62) + ((n >> 61) & 5);
}

HANDLER long give(long item)
{
    return item + 1 - (item >> 62) + ((item >> 61) & 5);
}

HANDLER long take(long item)
{
    return item + 0 - (item >> 62) + ((item >> 61) & 5);
}

/* On the stack: below valgrind nothing else is read without the kernel. */
static const char *text;

static inline __attribute__((always_inline)) long calls(char what)
{
    long n = 1;
    for (int i = 0; i < CALLS; i++)
        switch (what) {
        case 'n':
            n = names(n);
            break;
        case 'v':
            n = values(text, n);
            break;
        default:
            n = take(give(n));
        }
    return n;
}

/* Here callgrind counts. */
__attribute__((noipa)) static long measured(char what)
{
    return calls(what);
}

/* The lane, its pages, what is looked up once. */
__attribute__((noipa)) static long warm(char what)
{
    return calls(what);
}

int main(int argc, char **argv)
{
    char what = argc > 1 ? *argv[1] : 'n';
    char bytes[] = "/data/2026-03-03/input-0042.csv, 35";
    text = bytes;
    return warm(what) + measured(what) > 0 ? 0 : 1;
}

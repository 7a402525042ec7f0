/* SPDX-License-Identifier: Apache-2.0 */
/* A handler with stack arguments is called by code that was made at run time,
 * whose owner finds its frames by their return addresses, as collectors of
 * compiled JavaScript do: the address must be there while the handler runs,
 * and the handler's other callers are seen as ever. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct big {
    long v[4];
};

int handler(struct big b, int n);

static uint64_t *below_call; /* where the made code's call puts its address */
static uint64_t made_return;
static int found, strange;

/* The walk of a collector that runs while the handler does. */
static __attribute__((noipa)) void walk(void)
{
    if (!below_call)
        return;
    found += *below_call == made_return;
    strange += *below_call != made_return;
}

__attribute__((noipa)) int handler(struct big b, int n)
{
    walk();
    return n > 0 ? (int)b.v[n % 4] + n : 0;
}

/* push rbp; mov rbp, rsp; sub rsp, 32; copy 32 bytes from rsi; store where
 * the call will push; mov edi, edx; call *rcx; leave; ret */
static const uint8_t code[] = {
    0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20,       /* frame */
    0x48, 0x8b, 0x06, 0x48, 0x89, 0x04, 0x24,             /* v[0] */
    0x48, 0x8b, 0x46, 0x08, 0x48, 0x89, 0x44, 0x24, 0x08, /* v[1] */
    0x48, 0x8b, 0x46, 0x10, 0x48, 0x89, 0x44, 0x24, 0x10, /* v[2] */
    0x48, 0x8b, 0x46, 0x18, 0x48, 0x89, 0x44, 0x24, 0x18, /* v[3] */
    0x48, 0x8d, 0x44, 0x24, 0xf8, 0x48, 0x89, 0x07,       /* *rdi = rsp - 8 */
    0x89, 0xd7,                                           /* edi = edx */
    0xff, 0xd1,                                           /* call *rcx */
    0xc9, 0xc3};
enum {
    RETURN_AT = sizeof(code) - 2
};

typedef int made_fn(uint64_t **where, const struct big *b, int n,
                    int (*f)(struct big, int));

int main(void)
{
    struct big b = {{1, 2, 3, 4}};
    int sum = 0;
    uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 2;
    memcpy(page, code, sizeof(code));
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        return 2;
    made_return = (uint64_t)page + RETURN_AT;
    for (int i = 1; i <= 5; i++)
        sum += handler(b, i);
    for (int i = 1; i <= 100; i++)
        sum += ((made_fn *)page)(&below_call, &b, i, handler);
    printf("%d found %d strange %d\n", sum, found, strange);
    return strange;
}

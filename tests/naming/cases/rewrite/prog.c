/* SPDX-License-Identifier: Apache-2.0 */
/* A function made at run time, registered: only its pointer can be replaced.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef int job_fn(int n);
static job_fn *volatile job;

__attribute__((noipa)) void set_job(int priority, job_fn *fn)
{
    job = priority ? fn : NULL;
}

int main(void)
{
    /* lea 1(%rdi),%eax; ret */
    static const unsigned char code[] = {0x8d, 0x47, 0x01, 0xc3};
    int sum = 0;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    for (int i = 0; i < 3; i++) {
        set_job(1, (job_fn *)page);
        sum += job(i * 10);
    }
    printf("%d\n", sum);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose first function also begins what another one ends. */
#include <stdio.h>

#define HANDLER __attribute__((noipa))

HANDLER int work(int key)
{
    volatile int sum = 0;
    for (int i = 0; i < key; i++)
        sum += i;
    return sum;
}

HANDLER int request_start(int key)
{
    return work(key) + key;
}
HANDLER int late_start(int key)
{
    return key + 1000 + 0 * work(key);
}
HANDLER int job_done(int key)
{
    return key + puts("done");
}

int main(void)
{
    for (int i = 1; i < 4; i++) {
        request_start(i);
        job_done(i);
        job_done(late_start(i));
    }
    return 0;
}

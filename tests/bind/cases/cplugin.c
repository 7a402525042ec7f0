/* SPDX-License-Identifier: Apache-2.0 */
/* A C host opens a C++ plugin RTLD_LOCAL; exceptions pass through handlers in
 * it although this process had no C++ when it started. */
#include <dlfcn.h>
#include <stdio.h>

void *opener_open(const char *name);

int main(void)
{
    void *handle = opener_open("libbind_thrower.so");
    if (!handle) {
        printf("%s\n", dlerror());
        return 1;
    }
    int (*work)(int) = (int (*)(int))dlsym(handle, "thrower_work");
    printf("%d\n", work(20));
    return 0;
}

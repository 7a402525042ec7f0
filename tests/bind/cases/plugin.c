/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that is found through its opener's RUNPATH, whose handler runs in
 * its constructor, and which is closed and opened again. */
#include <dlfcn.h>
#include <stdio.h>

void *opener_open(const char *name);

int main(void)
{
    int sum = 0;
    for (int round = 0; round < 3; round++) {
        void *handle = opener_open("libbind_plugin.so");
        if (!handle) {
            printf("%s\n", dlerror());
            return 1;
        }
        int (*work)(int) = (int (*)(int))dlsym(handle, "plugin_work");
        for (int i = 0; i < 5; i++)
            sum += work(i);
        dlclose(handle);
    }
    printf("%d\n", sum);
    return 0;
}

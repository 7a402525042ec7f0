/* SPDX-License-Identifier: Apache-2.0 */
/* An interpreter with debug information, and a stripped plugin below it. */
#include <dlfcn.h>
#include <stdio.h>
static int eval_frame(int (*native)(int), int n)
{
    return native(n);
}
int main(void)
{
    void *plug = dlopen("./plug.so", RTLD_NOW);
    int (*run)(int) = plug ? (int (*)(int))dlsym(plug, "run") : 0;
    printf("%d\n", run ? eval_frame(run, 7) : -9);
    return 0;
}

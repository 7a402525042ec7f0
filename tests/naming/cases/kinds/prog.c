/* SPDX-License-Identifier: Apache-2.0 */
/* A handler of every kind that C has. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define HANDLER __attribute__((noipa))
typedef int plugin_fn(int n);
int symbolic_outer(int n);
int second(int n);

HANDLER int exported(int n)
{
    return n + 1;
}
HANDLER static int hidden(int n)
{
    return n * 2 + 1;
}
HANDLER static int worker(int n) /* also in second.c */
{
    return n - 7;
}
HANDLER static int both(int n) /* also in second.c */
{
    return n - 8;
}
HANDLER int cloned(int n) __asm__("cloned.constprop.0");
HANDLER int cloned(int n)
{
    return -n - 3;
}
static inline __attribute__((always_inline)) int inlined(int n)
{
    return n ^ 0x55;
}

HANDLER static int picked_here(int n)
{
    return n + 1000;
}
typedef int picked_fn(int);
static picked_fn *pick(void)
{
    return picked_here;
}
int picked(int n) __attribute__((ifunc("pick")));

HANDLER int table_a(int n)
{
    return n / 2 + 9;
}
HANDLER static int table_b(int n)
{
    return n / 3 + 9;
}
static picked_fn *const table[] = {table_a, table_b};

HANDLER void take_plugin(plugin_fn *fn)
{
    __asm__ volatile("" : : "r"(fn));
}

int main(int argc, char **argv)
{
    char path[4096];
    int (*entry)(int, plugin_fn **);
    plugin_fn *fn;
    long sum = argc;
    for (int i = 0; i < 3; i++) {
        sum += exported(i) + hidden(i) + worker(i) + both(i) + second(i);
        sum += cloned(i) + inlined(i) + picked(i) + symbolic_outer(i);
        sum += table[i % 2](i);
    }
    snprintf(path, sizeof path, "%s", argv[0]);
    *strrchr(path, '/') = 0;
    strncat(path, "/libnaming_plugin.so", sizeof path - strlen(path) - 1);
    void *plugin = dlopen(path, RTLD_NOW);
    if (!plugin)
        return 2;
    *(void **)&entry = dlsym(plugin, "plugin_entry");
    sum += entry(4, &fn);
    take_plugin(fn);
    sum += fn(3);
    printf("%ld\n", sum);
    return 0;
}

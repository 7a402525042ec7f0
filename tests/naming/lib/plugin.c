/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose entry is found by dlsym, and the callback that it brings. */
typedef int plugin_fn(int n);
int plugin_entry(int n, plugin_fn **out);

__attribute__((noipa)) static int plugin_work(int n)
{
    __asm__ volatile("");
    return n * n + 1;
}
__attribute__((noipa)) int plugin_entry(int n, plugin_fn **out)
{
    *out = plugin_work;
    return n + 5;
}

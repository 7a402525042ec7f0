/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose handler runs in its constructor already. */
int plugin_work(int n);
int plugin_setup(int n);

static int state;

__attribute__((noipa)) int plugin_setup(int n)
{
    __asm__ volatile("");
    state += n;
    return state;
}

__attribute__((constructor)) static void begin(void)
{
    plugin_setup(40);
}

static __attribute__((noipa)) int hidden_step(int n)
{
    __asm__ volatile("");
    return n + state;
}

int plugin_work(int n)
{
    return hidden_step(n) + 1;
}

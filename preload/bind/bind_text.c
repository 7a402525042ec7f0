/* SPDX-License-Identifier: Apache-2.0 */
/* See bind_text.h. */
#include "preload/bind/bind_text.h"
#include "preload/objects/modules.h"
#include "preload/signal/trap.h"
#include <errno.h>
#include <unistd.h>

static bool may_always(uint64_t low, uint64_t high)
{
    (void)low;
    (void)high;
    return true;
}

/* Of an object of this round, or an island that was taken for one. */
static bool is_of_round(uint64_t address)
{
    const struct module *module = modules_find(address);
    return !module || module->generation == modules.generation;
}

static bool may_if_fresh(uint64_t low, uint64_t high)
{
    return is_of_round(low) && is_of_round(high - 1);
}

int bind_text_open_alone(void)
{
    return shim_text_open(may_always);
}

int bind_text_open(bool is_fresh)
{
    int err = shim_text_open(NULL);
    /* a policy may take the right to execute what was written, for good */
    if (err != -EACCES || access("/sys/fs/selinux/enforce", F_OK) == 0)
        return err;
    if (trap_thread_count() == 1)
        return shim_text_open(may_always);
    if (!is_fresh)
        return err;
    shim_island_seal();
    return shim_text_open(may_if_fresh);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See served.h. */
#include "preload/watch/served.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include "preload/bind/bind.h"
#include "preload/bind/bind_lock.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/span.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/record/span.h"

static long tell(long text, long unused)
{
    struct bind_hold hold;
    (void)unused;
    span_busy++;
    if (*runtime.alive != 0 && bind_lock(&hold)) {
        note_line("userfaultfd", (const char *)text);
        note_publish();
        bind_unlock(&hold);
    }
    span_busy--;
    return 0;
}

/* Also of a child of vfork: its memory is its parent's. */
static bool read_argument(void *to, uint64_t from, size_t len)
{
    return read_by_kernel(process_self(), to, from, len) == len;
}

static void forbid_all(void)
{
    static bool is_told;
    read_forbid_syscalls();
    if (!__atomic_test_and_set(&is_told, __ATOMIC_RELAXED))
        shim_call_slow(tell, (long)"no text of the heap is read any more", 0);
}

static void see_register(uint64_t argument)
{
    static const char text[] = "the program fills memory of its own at the "
                               "first touch: no text there is read";
    static bool is_told;
    struct uffdio_register what;
    if (!read_argument(&what, argument, sizeof(what))) {
        forbid_all();
        return;
    }
    /* a fault for a first write is none of ours */
    if ((what.mode & ~(uint64_t)UFFDIO_REGISTER_MODE_WP) == 0)
        return;
    uint64_t high = what.range.start + what.range.len;
    if (high <= what.range.start)
        return;
    if (read_add_served(what.range.start, high) != 0)
        forbid_all();
    else if (!__atomic_test_and_set(&is_told, __ATOMIC_RELAXED))
        shim_call_slow(tell, (long)text, 0);
}

/* Who asks to be told of mremap() takes the memory along. */
static void see_features(uint64_t argument)
{
    struct uffdio_api api;
    if (read_argument(&api, argument, sizeof(api)) &&
        (api.features & UFFD_FEATURE_EVENT_REMAP))
        forbid_all();
}

static void see_unregister(uint64_t argument)
{
    struct uffdio_range range;
    if (read_argument(&range, argument, sizeof(range)))
        read_drop_served(range.start, range.start + range.len);
}

void served_ioctl(uint64_t request, uint64_t argument)
{
    if (__builtin_expect(_IOC_TYPE(request) != UFFDIO, 1) || sandboxed)
        return; /* nothing but what is known is read there anyway */
    switch ((uint32_t)request) {
    case UFFDIO_REGISTER:
        see_register(argument);
        return;
    case UFFDIO_UNREGISTER:
        see_unregister(argument);
        return;
    case UFFDIO_API:
        see_features(argument);
        return;
    default:
        return;
    }
}

static void enter_ioctl(struct shim_call *call)
{
    served_ioctl(call->args.rsi, call->args.rdx);
}

void served_watch(void)
{
    (void)bind_internal("ioctl", enter_ioctl, NULL);
}

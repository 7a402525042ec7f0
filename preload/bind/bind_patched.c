/* SPDX-License-Identifier: Apache-2.0 */
/* See bind_patched.h. */
#include "preload/bind/bind_patched.h"
#include "lane/x86_64/machine.h"
#include "preload/bind/bind_lock.h"
#include "preload/bind/bind_site.h"
#include "preload/settings/config.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct patched {
    uint64_t at; /* of the jump; 0: free */
    uint32_t site;
    uint8_t original[PLAN_PATCH_BYTES], jump[PLAN_PATCH_BYTES];
    uint8_t copy_bytes, boundary_count; /* as in struct plan_patch */
    struct {
        uint8_t at, copy;
    } boundary[PLAN_PATCH_BYTES - 1];
    uint64_t copy_at;
};
enum {
    COMPARED = 32 /* entries by one system call */
};
static struct patched *patches; /* SHIM_SITE_MAX, once there is a first */
static uint32_t patch_count;

/* For plan_image.restore. Few plans are made after the first entry of an
 * object was changed. */
static void restore(const struct plan_image *image, uint64_t vaddr,
                    uint8_t *bytes, uint64_t n)
{
    uint64_t low = image->base + vaddr;
    for (uint32_t i = 0; i < patch_count; i++) {
        const struct patched *patch = &patches[i];
        for (uint64_t k = 0; k < PLAN_PATCH_BYTES; k++) {
            if (patch->at != 0 && patch->at + k - low < n)
                bytes[patch->at + k - low] = patch->original[k];
        }
    }
}

static bool reserve(void)
{
    if (patches)
        return true;
    void *at =
        mmap(NULL, SHIM_SITE_MAX * sizeof(*patches), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    patches = at == MAP_FAILED ? NULL : at;
    return patches != NULL;
}

void bind_patched_add(const struct work *work)
{
    lane_assert(work->module != NULL);
    uint32_t i = 0;
    if (!reserve())
        return; /* then nobody tells that somebody changed it */
    while (i < patch_count && patches[i].at != 0)
        i++;
    if (i == SHIM_SITE_MAX)
        return; /* there are no more sites than that */
    patches[i].site = work->index;
    memcpy(patches[i].original, work->patch.original, PLAN_PATCH_BYTES);
    memcpy(patches[i].jump, (const void *)work->patch.patch_at,
           PLAN_PATCH_BYTES);
    patches[i].copy_bytes = (uint8_t)work->patch.copy_len;
    patches[i].boundary_count = work->patch.boundary_count;
    memcpy(patches[i].boundary, work->patch.boundary,
           sizeof(patches[i].boundary));
    patches[i].copy_at = work->bound->island + SHIM_ISLAND_COPY;
    /* release; pairs with bind_patched_after() */
    __atomic_store_n(&patches[i].at, work->patch.patch_at, __ATOMIC_RELEASE);
    __atomic_store_n(&patch_count, patch_count + (i == patch_count),
                     __ATOMIC_RELEASE);
    work->module->image.restore = restore;
}

uint64_t bind_patched_place(uint64_t pc)
{
    for (uint32_t i = 0; i < patch_count; i++) {
        const struct patched *patch = &patches[i];
        uint64_t offset = pc - patch->copy_at, at = 0;
        if (patch->at == 0 || offset >= patch->copy_bytes)
            continue;
        for (uint32_t k = 0; k < patch->boundary_count; k++)
            if (patch->boundary[k].copy <= offset)
                at = patch->boundary[k].at;
        return patch->at + at;
    }
    return pc;
}

uint64_t bind_patched_after(uint64_t pc)
{
    /* acquire; pairs with bind_patched_add() */
    uint32_t count = __atomic_load_n(&patch_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++) {
        const struct patched *patch = &patches[i];
        /* acquire; pairs with bind_patched_add() */
        uint64_t at = __atomic_load_n(&patch->at, __ATOMIC_ACQUIRE);
        if (at == 0 || pc - at >= PLAN_PATCH_BYTES)
            continue;
        for (uint32_t k = 0; k < patch->boundary_count; k++)
            if (patch->boundary[k].at == pc - at)
                return patch->copy_at + patch->boundary[k].copy;
    }
    return 0;
}

void bind_patched_forget(uint64_t low, uint64_t high)
{
    lane_assert(low <= high);
    for (uint32_t i = 0; i < patch_count; i++) {
        if (patches[i].at >= low && patches[i].at < high)
            patches[i].at = 0;
    }
}

/* What `n` of them are now, one behind the other, where all can be read. */
static bool read_entries(const struct patched *const *at, uint32_t n,
                         uint8_t now[][PLAN_PATCH_BYTES])
{
    struct iovec from[COMPARED], to = {now, n * PLAN_PATCH_BYTES};
    lane_assert(n <= COMPARED);
    for (uint32_t i = 0; i < n; i++)
        from[i] = (struct iovec){(void *)at[i]->at, PLAN_PATCH_BYTES};
    return machine_syscall(SYS_process_vm_readv, process_self(), (long)&to, 1,
                           (long)from, n, 0) == (long)to.iov_len;
}

/* A site of its own, without calls: the first one keeps those that were seen.
 * Once in a session: children have the text of their parent. */
static void tell(const struct patched *patch)
{
    const struct manifest_decl *decl = runtime.sites[patch->site].decl;
    struct lane_site *record = &runtime.map.sites[patch->site];
    char name[256];
    size_t len = record->symbol.len_bytes;
    if (!decl || __atomic_exchange_n(&record->is_changed, 1, __ATOMIC_RELAXED))
        return;
    if (len >= sizeof(name))
        len = sizeof(name) - 1;
    memcpy(name, runtime.map.strings + record->symbol.offset, len);
    name[len] = '\0';
    bind_site_unbound(decl, name, record->address,
                      "its entry was changed by the program or a breakpoint "
                      "(uprobe): later calls were not seen");
}

/* What cannot be read was unmapped, and is no news. */
static void compare(const struct patched *const *at, uint32_t n)
{
    uint8_t now[COMPARED][PLAN_PATCH_BYTES];
    lane_assert(n > 0 && n <= COMPARED);
    if (n > 1 && !read_entries(at, n, now)) {
        for (uint32_t i = 0; i < n; i++)
            compare(&at[i], 1);
        return;
    }
    if (n == 1 && !read_entries(at, 1, now))
        return;
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(now[i], at[i]->jump, PLAN_PATCH_BYTES) != 0)
            tell(at[i]);
}

void bind_patched_compare(void)
{
    const struct patched *some[COMPARED];
    uint32_t n = 0;
    if (sandboxed || config.is_seccomp)
        return; /* a filter may kill for reading that way */
    for (uint32_t i = 0; i < patch_count; i++) {
        /* of sites of our own there is nobody to tell it to */
        if (patches[i].at != 0 && runtime.sites[patches[i].site].decl)
            some[n++] = &patches[i];
        if (n == COMPARED || (i + 1 == patch_count && n > 0)) {
            compare(some, n);
            n = 0;
        }
    }
}

void bind_end(void)
{
    struct bind_hold hold;
    if (!bind_lock_now(&hold))
        return;
    bind_patched_compare();
    bind_unlock(&hold);
}

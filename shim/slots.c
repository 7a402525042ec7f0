/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call slots, where text may not be written: the words of the PLT's GOT
 * through which one object calls another. Sees only calls that go through
 * them: not those inside an object, nor through pointers.
 *
 * Only JUMP_SLOT: a GLOB_DAT word may be a pointer that the program compares,
 * and then &f would differ between places. Under RELRO the words are
 * read-only; /proc/self/mem writes them all the same.
 */
#include "shim/shim.h"
#include "shim/plan/image/image.h"
#include <elf.h>
#include <errno.h>
#include <string.h>

struct rewrite {
    const struct plan_image *image;
    const char *name, *version;
    uint64_t function, stub;
    int count;
};

/* A lazily bound slot leads into its own object's PLT until its first call. */
static bool is_unresolved(const struct plan_image *image, uint64_t value)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *segment = &image->segments[i];
        uint64_t low = image->base + segment->vaddr;
        if (value >= low && value < low + segment->memsz)
            return true;
    }
    return false;
}

/* Will the loader bind this slot to the function's version? */
static bool demands_it(const struct rewrite *work, const struct plan_slot *slot)
{
    const char *version = plan_image_version(work->image, slot->index);
    return !work->version || (version && strcmp(version, work->version) == 0);
}

static int rewrite_slot(void *context, const struct plan_slot *slot)
{
    struct rewrite *work = context;
    uint64_t value;
    if (slot->type != R_X86_64_JUMP_SLOT || !slot->name ||
        strcmp(slot->name, work->name) != 0)
        return 0;
    const void *at = plan_image_at(work->image, slot->vaddr, sizeof(value));
    if (!at)
        return 0;
    memcpy(&value, at, sizeof(value));
    bool may_be_it = !slot->is_defined_here ||
                     work->image->base + slot->definition == work->function;
    if (value != work->function && !(may_be_it && demands_it(work, slot) &&
                                     is_unresolved(work->image, value)))
        return 0;
    int err = shim_write_text((uint64_t)at, &work->stub, sizeof(work->stub));
    if (err)
        return err;
    work->count++;
    return 0;
}

int shim_slots_rewrite(const struct plan_image *image, const char *name,
                       const char *version, uint64_t function, uint64_t stub)
{
    struct rewrite work = {image, name, version, function, stub, 0};
    int err = plan_image_each_slot(image, rewrite_slot, &work);
    return err ? err : work.count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a site captures, planned once: as far as HANDSPAN_CAPTURE lets it, and
 * where the function has the arguments that its prototype says.
 */
#include "bind/names.h"
#include "bind/way.h"
#include "preload/bind/bind_work.h"
#include "preload/call/capture/capture.h"
#include "preload/call/carry/carry.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <sys/mman.h>

static struct manifest_arena arena; /* capture plans */

static bool grow_arena(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    arena = (struct manifest_arena){at, 0, bytes};
    return true;
}

/*
 * The declaration as HANDSPAN_CAPTURE lets it be. `none`: no values, not even
 * in the report of an error; its rules are judged all the same. `named`: no
 * text that nobody named. False: no memory.
 */
static bool lower_capture(const struct manifest_decl *decl,
                          struct manifest_decl *lowered)
{
    lane_assert(lowered != decl);
    *lowered = *decl;
    if (config.capture_max == MANIFEST_CAPTURE_NONE) {
        lowered->item_count = 0;
        lowered->return_is_secret = true;
        return true;
    }
    if (config.capture_max >= decl->settings.capture)
        return true;
    size_t bytes = decl->item_count * sizeof(*decl->items);
    size_t at = (arena.used_bytes + 15) & ~(size_t)15;
    if (at > arena.cap_bytes || bytes > arena.cap_bytes - at)
        return false;
    struct manifest_item *items = (void *)(arena.base + at);
    arena.used_bytes = at + bytes;
    lane_assert(arena.used_bytes <= arena.cap_bytes);
    lowered->items = items;
    lowered->item_count = 0;
    for (uint32_t i = 0; i < decl->item_count; i++) {
        const struct manifest_item *item = &decl->items[i];
        bool is_text = item->type == MANIFEST_VALUE_TEXT ||
                       item->type == MANIFEST_VALUE_BYTES;
        if (!item->implied || !is_text)
            items[lowered->item_count++] = *item;
    }
    return true;
}

static int bind_capture(struct work *work)
{
    lane_assert(work->site != NULL);
    struct manifest_decl lowered;
    /* a pointer into no object is an address already */
    uint64_t base = work->module ? work->module->base : 0;
    if (!arena.base || !lower_capture(work->decl, &lowered))
        return -ENOMEM;
    int err = carry_bind(work->decl, base + work->vaddr, &arena,
                         &work->site->flags, &work->site->carry);
    if (err)
        return err;
    if ((work->decl->roles & MANIFEST_BOUND & ~(uint32_t)CARRY_ROLES) == 0)
        return 0;
    return capture_bind(&runtime.map, &lowered, &arena, work->record,
                        &work->site->flags, &work->site->capture);
}

void bind_work_plan_capture(struct work *work)
{
    lane_assert(work->site != NULL && work->decl != NULL);
    static const size_t sizes[] = {64 << 10, 1 << 20, 16 << 20};
    struct site *site = work->site;
    const char *object = text_basename(work->module ? work->module->path : "");
    const struct plan_image *image = work->module ? &work->module->image : NULL;
    char why[256];
    if (bind_values_text(work->decl, image, object, work->name, work->vaddr,
                         why, sizeof(why)))
        bind_work_say(work, why);
    if (bind_other_text(work->decl, image, object, work->name, work->vaddr))
        return;
    for (size_t i = 0;; i++) {
        int err = bind_capture(work);
        if (err == 0)
            return;
        if (i == sizeof(sizes) / sizeof(*sizes) || err != -ENOMEM ||
            !grow_arena(sizes[i]))
            break;
    }
    site->capture = NULL;
    bind_work_say(work, "no memory for its captures: times and errors only");
}

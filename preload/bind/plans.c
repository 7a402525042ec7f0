/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See plans.h. What is kept of an object is a list of struct kept, in the order
 * of addresses; what comes new stands behind it until the end of the round.
 */
#include "preload/bind/plans.h"
#include "lane/format/assert.h"
#include "preload/objects/branches.h"
#include "preload/objects/decoder.h"
#include "preload/objects/kept.h"
#include <string.h>
#include <sys/mman.h>

enum {
    OBJECTS_MAX = 32, /* in a round, whose plans are known or kept */
    ROOM_LEAST =
        20, /* for new plans of one object; doubled when they fill it */
    KEPT_MAX = 8192, /* of one object */
    ENDBR = 4,
    WINDOW = 24, /* an endbr64 and 19 displaced bytes */
    ASKED_MAX = 4,
    COPY_WORDS_MAX = 128 / 8, /* struct plan_reason, args_bytes */
    IS_ENDBR = 1,             /* flags */
    IS_PUSHING = 2,
    IS_EXCLUDED = 4,
    IS_PROVED = 8,
};

/* A word of the loader's that a proof relied on: in the object of one build id,
 * leading into another one's; `to` 0: nowhere that is known. */
struct asked {
    uint64_t from, slot, to, vaddr;
};
struct kept {
    uint64_t vaddr;
    uint8_t flags, displaced_bytes, copy_len, boundary_count, field_count;
    uint8_t shim, copy_words, asked_count;
    uint8_t boundary[PLAN_PATCH_BYTES - 1][2];
    uint8_t window[WINDOW]; /* from the entry on */
    uint8_t copy[PLAN_COPY_MAX];
    struct plan_field field[PLAN_FIELDS_MAX];
    struct asked asked[ASKED_MAX];
    uint64_t alone; /* a sum of the name beside which it has no other; 0 */
};
_Static_assert(sizeof(struct kept) % 8 == 0, "kept as words");

struct object {
    struct module *module;
    uint64_t symbols; /* of its .symtab, when this was made */
    struct kept_identity of;
    struct kept *at; /* old ones, then those of this round */
    uint32_t old, count, room;
};
static struct {
    bool is_on;        /* there is a round */
    struct object *at; /* OBJECTS_MAX, once one was asked for */
    uint32_t count;
    struct asked asked[ASKED_MAX];
    uint32_t asked_count; /* more than ASKED_MAX: not kept */
    bool is_unknown;      /* something that was asked has no build id */
} plans;

void plans_begin(void)
{
    lane_assert(plans.at == NULL);
    plans.is_on = decoder_is_open(); /* else nothing is patched, as ever */
    plans.count = 0;
}

static bool is_ready(void)
{
    if (plans.at || !plans.is_on)
        return plans.at;
    void *at =
        mmap(NULL, OBJECTS_MAX * sizeof(*plans.at), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    plans.at = at == MAP_FAILED ? NULL : at;
    return plans.at;
}

/* ---- of an object --------------------------------------------------------
 */

static uint64_t symbols_of(const struct module *module)
{
    return module->image.symtab ? module->image.symtab_count : 0;
}

/* Symbols that are known decide as well: what a file's .symtab says, not what
 * that of a debug file does. */
static bool identify(const struct module *module, struct kept_identity *out)
{
    if (!kept_identify_path(module, KEPT_PLANS, out))
        return false;
    out->extra[0] = symbols_of(module);
    out->extra[1] = module->image.under_shadow_stack;
    return !module->image.symtab || module->file_bytes == out->size;
}

static bool make_room(struct object *object, uint32_t room)
{
    size_t bytes = (size_t)room * sizeof(struct kept);
    void *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (to == MAP_FAILED)
        return false;
    lane_assert(object->count <= room && object->old <= object->count);
    if (object->at) {
        memcpy(to, object->at, object->count * sizeof(struct kept));
        munmap(object->at, object->room * sizeof(struct kept));
    }
    object->at = to;
    object->room = room;
    return true;
}

static void load(struct object *object)
{
    uint64_t words = 0;
    size_t mapped = 0;
    uint64_t *at = kept_load(&object->of, &words, &mapped);
    uint64_t old = words * 8 / sizeof(struct kept);
    bool is_good =
        at && words * 8 % sizeof(struct kept) == 0 && old <= KEPT_MAX;
    if (make_room(object, (is_good ? (uint32_t)old : 0) + ROOM_LEAST) &&
        is_good) {
        memcpy(object->at, at, words * 8);
        object->old = object->count = (uint32_t)old;
    }
    if (at)
        munmap(at, mapped);
}

static void open_object(struct object *object, struct module *module)
{
    lane_assert(module != NULL && plans.count < OBJECTS_MAX);
    *object = (struct object){.module = module, .symbols = symbols_of(module)};
    if (identify(module, &object->of))
        load(object);
}

/* NULL: nothing can be known of it. */
static struct object *object_of(struct module *module)
{
    if (!is_ready())
        return NULL;
    struct object *object = plans.at;
    for (uint32_t i = 0; i < plans.count; i++, object++)
        if (object->module == module && object->symbols == symbols_of(module))
            return object->at ? object : NULL;
    if (plans.count == OBJECTS_MAX)
        return NULL;
    open_object(object, module);
    plans.count++;
    return object->at ? object : NULL;
}

static const struct kept *find(const struct object *object, uint64_t vaddr)
{
    uint32_t low = 0, high = object->old;
    lane_assert(object->at != NULL && object->old <= object->count);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (object->at[middle].vaddr < vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < object->old && object->at[low].vaddr == vaddr
               ? &object->at[low]
               : NULL;
}

static const struct kept *kept_of(const struct work *work)
{
    const struct object *object = object_of(work->module);
    return object ? find(object, work->vaddr) : NULL;
}

/* ---- entries ------------------------------------------------------------- */

static void put_patch(struct kept *kept, const struct plan_patch *patch)
{
    lane_assert(patch->boundary_count < PLAN_PATCH_BYTES &&
                patch->field_count <= PLAN_FIELDS_MAX);
    kept->flags =
        (uint8_t)((patch->has_endbr ? IS_ENDBR : 0) |
                  (patch->pushes_return ? IS_PUSHING : 0) |
                  (patch->verdict == PLAN_EXCLUDED ? IS_EXCLUDED : 0));
    kept->displaced_bytes = patch->displaced_bytes;
    kept->copy_len = (uint8_t)patch->copy_len;
    kept->boundary_count = patch->boundary_count;
    kept->field_count = patch->field_count;
    for (uint32_t i = 0; i < patch->boundary_count; i++) {
        kept->boundary[i][0] = patch->boundary[i].at;
        kept->boundary[i][1] = patch->boundary[i].copy;
    }
    memcpy(kept->copy, patch->copy, sizeof(kept->copy));
    for (uint32_t i = 0; i < patch->field_count; i++) {
        kept->field[i].at = patch->field[i].at;
        kept->field[i].behind = patch->field[i].behind;
        kept->field[i].vaddr = patch->field[i].vaddr;
    }
}

static uint32_t window_of(const struct kept *kept)
{
    return kept->displaced_bytes + (kept->flags & IS_ENDBR ? ENDBR : 0u);
}

/* What is not in order plan_patch_move() refuses. */
static void get_patch(const struct kept *kept, struct plan_patch *patch)
{
    *patch = (struct plan_patch){
        .verdict = kept->flags & IS_EXCLUDED ? PLAN_EXCLUDED : PLAN_OK,
        .boundary_count = kept->boundary_count,
        .displaced_bytes = kept->displaced_bytes,
        .copy_len = kept->copy_len,
        .field_count = kept->field_count,
        .has_endbr = kept->flags & IS_ENDBR,
        .pushes_return = kept->flags & IS_PUSHING,
    };
    for (uint32_t i = 0; i < PLAN_PATCH_BYTES - 1; i++) {
        patch->boundary[i].at = kept->boundary[i][0];
        patch->boundary[i].copy = kept->boundary[i][1];
    }
    memcpy(patch->copy, kept->copy, sizeof(patch->copy));
    memcpy(patch->field, kept->field, sizeof(patch->field));
    memcpy(patch->original, kept->window + (patch->has_endbr ? ENDBR : 0),
           PLAN_PATCH_BYTES);
}

bool plans_is_known(const struct work *work)
{
    return kept_of(work) != NULL;
}

bool plans_find(struct work *work, uint64_t island)
{
    const struct kept *kept = kept_of(work);
    const struct plan_image *image = &work->module->image;
    struct plan_patch patch;
    if (!kept || window_of(kept) > WINDOW)
        return false;
    const void *now = plan_image_at(image, work->vaddr, window_of(kept));
    if (!now || memcmp(now, kept->window, window_of(kept)) != 0)
        return false;
    get_patch(kept, &patch);
    if (plan_patch_move(&patch, work->vaddr, image->base,
                        island + SHIM_ISLAND_COPY) != 0)
        return false;
    work->patch = patch;
    return true;
}

/* ---- proofs -------------------------------------------------------------- */

/* 0: it has no build id. */
static uint64_t build_of(const struct module *module)
{
    lane_assert(module->image.build_id_len <= PLAN_BUILD_ID_MAX);
    uint64_t sum = module->image.build_id_len;
    for (uint32_t i = 0; i < module->image.build_id_len; i++)
        sum = (sum ^ module->image.build_id[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* The object of a build: this one, or the only one. */
static const struct module *find_build(uint64_t build,
                                       const struct module *first)
{
    const struct module *found = NULL;
    if (build_of(first) == build)
        return first;
    for (uint32_t i = 0; i < modules.count; i++) {
        const struct module *module = &modules.at[i];
        if (!module->is_loaded || !module->is_usable ||
            build_of(module) != build)
            continue;
        if (found)
            return NULL; /* a copy under another name */
        found = module;
    }
    return found;
}

void plans_prove(const struct work *work)
{
    lane_assert(work->module != NULL);
    plans.asked_count = 0;
    plans.is_unknown = build_of(work->module) == 0;
}

void plans_note_slot(const struct module *from, uint64_t slot,
                     const struct module *to, uint64_t vaddr)
{
    struct asked asked = {build_of(from), slot, to ? build_of(to) : 0, vaddr};
    plans.is_unknown |= asked.from == 0 || (to && asked.to == 0);
    for (uint32_t i = 0; i < plans.asked_count && i < ASKED_MAX; i++)
        if (plans.asked[i].from == asked.from && plans.asked[i].slot == slot)
            return;
    if (plans.asked_count < ASKED_MAX)
        plans.asked[plans.asked_count] = asked;
    plans.asked_count++;
}

static bool is_as_asked(const struct asked *asked, const struct module *first)
{
    uint64_t value;
    const struct module *from = find_build(asked->from, first);
    const void *at =
        from ? plan_image_at(&from->image, asked->slot, sizeof(value)) : NULL;
    if (!at)
        return false;
    memcpy(&value, at, sizeof(value));
    const struct module *to = modules_find(value);
    if (!to || !to->is_usable || to->kind == MODULE_OWN)
        return asked->to == 0;
    return build_of(to) == asked->to && value - to->base == asked->vaddr;
}

enum lane_shim plans_find_shim(struct work *work)
{
    const struct kept *kept = kept_of(work);
    if (!kept || !(kept->flags & IS_PROVED) || kept->asked_count > ASKED_MAX ||
        kept->copy_words > COPY_WORDS_MAX ||
        (kept->shim != LANE_SHIM_FRAME && kept->shim != LANE_SHIM_ZERO_COPY))
        return 0;
    for (uint32_t i = 0; i < kept->asked_count; i++)
        if (!is_as_asked(&kept->asked[i], work->module))
            return 0;
    work->copy_words = kept->copy_words;
    return kept->shim;
}

/* ---- what is new --------------------------------------------------------- */

static void put_shim(struct kept *kept, const struct work *work,
                     enum lane_shim shim)
{
    if (shim == 0 || plans.is_unknown || plans.asked_count > ASKED_MAX)
        return;
    kept->flags |= IS_PROVED;
    kept->shim = (uint8_t)shim;
    kept->copy_words = (uint8_t)work->copy_words;
    kept->asked_count = (uint8_t)plans.asked_count;
    memcpy(kept->asked, plans.asked, plans.asked_count * sizeof(*kept->asked));
}

/* For one more; what is there may move. */
static bool has_room(struct object *object)
{
    return object->count < KEPT_MAX && (object->count < object->room ||
                                        make_room(object, 2 * object->room));
}

void plans_note(const struct work *work, enum lane_shim shim)
{
    struct object *object = object_of(work->module);
    const struct plan_patch *patch = &work->patch;
    if (!object || patch->copy_len == 0 || !has_room(object))
        return;
    const struct kept *old = find(object, work->vaddr);
    struct kept *kept = &object->at[object->count];
    memset(kept, 0, sizeof(*kept));
    kept->vaddr = work->vaddr;
    put_patch(kept, patch);
    put_shim(kept, work, shim);
    const void *now =
        plan_image_at(&work->module->image, work->vaddr, window_of(kept));
    if (!now || window_of(kept) > WINDOW)
        return;
    memcpy(kept->window, now, window_of(kept));
    if (old && memcmp(old, kept, sizeof(*kept)) == 0)
        return; /* planned anew for another reason */
    object->count++;
}

/* ---- names --------------------------------------------------------------- */

static uint64_t sum_of_name(const char *name)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        sum = (sum ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return sum | 1;
}

bool plans_is_alone(const struct work *work)
{
    lane_assert(work->name != NULL);
    const struct kept *kept = kept_of(work);
    return kept && kept->alone == sum_of_name(work->name);
}

void plans_note_alone(const struct work *work)
{
    lane_assert(work->module != NULL && work->name != NULL);
    struct object *object = object_of(work->module);
    struct kept *last =
        object && object->count > 0 ? &object->at[object->count - 1] : NULL;
    const struct kept *old = object ? find(object, work->vaddr) : NULL;
    if (last && last->vaddr == work->vaddr && object->count > object->old) {
        last->alone = sum_of_name(work->name);
    } else if (old && has_room(object)) {
        old = find(object, work->vaddr);
        object->at[object->count] = *old;
        object->at[object->count++].alone = sum_of_name(work->name);
    }
}

/* ---- the end of a round -------------------------------------------------- */

/* In order; of two of one function the newer one, which stands behind. */
static uint32_t merge(struct object *object, struct kept *to)
{
    struct kept *fresh = object->at + object->old;
    lane_assert(object->count > object->old);
    uint32_t count = 0, n = object->count - object->old;
    for (uint32_t i = 1; i < n; i++) { /* few, or in order of addresses */
        struct kept one = fresh[i];
        uint32_t k = i;
        for (; k > 0 && fresh[k - 1].vaddr > one.vaddr; k--)
            fresh[k] = fresh[k - 1];
        fresh[k] = one;
    }
    for (uint32_t i = 0, k = 0; i < object->old || k < n;) {
        bool is_old =
            k == n || (i < object->old && object->at[i].vaddr < fresh[k].vaddr);
        const struct kept *next = is_old ? &object->at[i++] : &fresh[k++];
        count -= count > 0 && to[count - 1].vaddr == next->vaddr;
        if (!is_old && i < object->old && object->at[i].vaddr == next->vaddr)
            i++;
        to[count++] = *next;
    }
    return count;
}

/* Of the file, not of somebody's who changed the text before us. */
static bool is_of_file(const struct kept *kept, const struct plan_image *file)
{
    lane_assert(!file->is_mapped && window_of(kept) <= WINDOW);
    const void *at = plan_image_at(file, kept->vaddr, window_of(kept));
    return at && memcmp(at, kept->window, window_of(kept)) == 0;
}

static void store(struct object *object)
{
    struct plan_image file;
    if (!module_take_file(object->module, &file))
        return;
    uint32_t kept = object->old;
    for (uint32_t i = object->old; i < object->count; i++)
        if (is_of_file(&object->at[i], &file))
            object->at[kept++] = object->at[i];
    object->count = kept;
    size_t len = object->count * sizeof(struct kept);
    void *at = kept == object->old ? MAP_FAILED
                                   : mmap(NULL, len, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    uint64_t bytes = merge(object, at) * sizeof(struct kept);
    kept_store_mapped(object->module, &object->of, at, bytes / 8);
    munmap(at, len);
}

void plans_end(void)
{
    for (uint32_t i = 0; plans.at && i < plans.count; i++) {
        struct object *object = &plans.at[i];
        if (!object->at)
            continue;
        if (object->count > object->old && object->module->is_loaded)
            store(object);
        munmap(object->at, object->room * sizeof(struct kept));
    }
    if (plans.at)
        munmap(plans.at, OBJECTS_MAX * sizeof(*plans.at));
    plans.at = NULL;
    plans.count = 0;
    plans.is_on = false;
    modules_drop_files();
}

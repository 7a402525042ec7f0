/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/objects/branches.h"
#include "preload/objects/kept.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    LARGE_BITMAP = 4 << 20,  /* is touched everywhere, and but once */
    KEPT_CODE_MIN = 1 << 20, /* smaller code is looked at in less than 0.3 ms */
};
/* Before the branches. */
struct kept_branches {
    uint64_t low, place_low, is_cut, with_symtab;
};
enum {
    HEAD_WORDS = sizeof(struct kept_branches) / 8
};

/* ---- what is looked at --------------------------------------------------- */

static bool is_same_segment(const struct plan_segment *a,
                            const struct plan_segment *b)
{
    return a->vaddr == b->vaddr && a->memsz == b->memsz &&
           a->filesz == b->filesz && a->offset == b->offset &&
           a->flags == b->flags;
}

bool module_take_file(struct module *module, struct plan_image *file)
{
    const struct plan_image *image = &module->image;
    const char *why;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        uint32_t flags = image->segments[i].flags;
        if ((flags & PF_X) && (flags & PF_W))
            return false;
    }
    if (image->has_text_relocations)
        return false;
    module_open_text(module);
    if (!module->text_file ||
        plan_image_file(file, module->text_file, module->text_file_bytes,
                        &why) != 0 ||
        file->segment_count != image->segment_count)
        return false;
    for (uint32_t i = 0; i < image->segment_count; i++)
        if (!is_same_segment(&image->segments[i], &file->segments[i]))
            return false;
    return true;
}

static uint64_t code_bytes(const struct plan_image *image)
{
    uint64_t code = 0;
    for (uint32_t i = 0; i < image->segment_count; i++)
        code += image->segments[i].flags & PF_X ? image->segments[i].memsz : 0;
    return code;
}

static void take(struct module *module, void *at, size_t bytes,
                 struct plan_branches found)
{
    module_drop_branches(module);
    module->branches = at;
    module->branches_bytes = bytes;
    module->image.branches = found;
}

static bool look(struct module *module, struct plan_image *image)
{
    size_t len = plan_image_branches_bytes(image);
    void *at = len == 0
                   ? MAP_FAILED
                   : mmap(NULL, len, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    if (len >= LARGE_BITMAP)
        (void)madvise(at, len, MADV_HUGEPAGE);
    size_t used = plan_image_find_branches(image, at);
    used = (used + PAGE) & ~(size_t)(PAGE - 1);
    if (used < len)
        munmap((char *)at + used, len - used);
    image->branches.at = at;
    take(module, at, used < len ? used : len, image->branches);
    return true;
}

void module_drop_branches(struct module *module)
{
    if (module->branches && !sandboxed)
        munmap(module->branches, module->branches_bytes);
    module->branches = NULL;
    module->image.branches = (struct plan_branches){0};
}

/* ---- what was kept ------------------------------------------------------- */

/* Entries are in order; where they lead is looked at whenever they are used. */
static bool is_in_order(const uint64_t *at, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++)
        if (at[i] < at[i - 1])
            return false;
    return count <= UINT32_MAX;
}

static bool load(struct module *module, const struct kept_identity *of)
{
    struct kept_branches head;
    uint64_t words;
    size_t mapped;
    uint64_t *at = kept_load(of, &words, &mapped);
    if (!at)
        return false;
    memcpy(&head, at, sizeof(head)); /* words behind the last one are 0 */
    if (words < HEAD_WORDS || head.is_cut > 1 || head.with_symtab > 1 ||
        !is_in_order(at + HEAD_WORDS, words - HEAD_WORDS)) {
        munmap(at, mapped);
        return false;
    }
    take(module, at, mapped,
         (struct plan_branches){.at = at + HEAD_WORDS,
                                .low = head.low,
                                .place_low = head.place_low,
                                .count = (uint32_t)(words - HEAD_WORDS),
                                .is_known = true,
                                .is_cut = head.is_cut,
                                .with_symtab = head.with_symtab});
    return true;
}

static void store(const struct module *module, const struct kept_identity *of)
{
    const struct plan_branches *found = &module->image.branches;
    struct kept_branches head = {found->low, found->place_low, found->is_cut,
                                 found->with_symtab};
    size_t len = sizeof(head) + found->count * sizeof(uint64_t);
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    memcpy(at, &head, sizeof(head));
    memcpy((char *)at + sizeof(head), found->at, len - sizeof(head));
    kept_store(of, at, len / sizeof(uint64_t));
    munmap(at, len);
}

/* ---- all of it ------------------------------------------------------------
 */

/* Its code as the file has it, whatever was done to it in memory; not where
 * the loader itself writes into it. Of small code only once it was changed. */
static bool is_looked_at_in_file(const struct plan_image *image)
{
    return code_bytes(image) >= KEPT_CODE_MIN || image->restore != NULL;
}

void module_find_branches(struct module *module, uint64_t vaddr)
{
    struct plan_image file;
    struct kept_identity of;
    struct plan_image *image = &module->image;
    lane_assert(module != NULL);
    if (plan_image_branches_bytes(image) == 0 ||
        plan_image_has_branches(image, vaddr))
        return;
    if (!image->branches.is_known && is_looked_at_in_file(image) &&
        module_take_file(module, &file)) {
        bool is_known =
            code_bytes(image) >= KEPT_CODE_MIN &&
            kept_identify(module, &module->text_stat, KEPT_BRANCHES, &of);
        if ((!is_known || !load(module, &of)) && look(module, &file) &&
            is_known)
            store(module, &of);
    }
    /* of a separate debug file, or not as its file has it; too late where text
     * was changed by a plan that was kept */
    if (!plan_image_has_branches(image, vaddr) &&
        (image->branches.is_known || !image->restore))
        (void)look(module, image);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bind_entries.h. Gathered as pairs of object and address, then sorted:
 * each object's addresses end up side by side, as the planner wants them.
 */
#include "preload/bind_entries.h"
#include <sys/mman.h>

enum {
    ENTRIES_MAX = 64 * 1024 /* there are 4,096 sites; globs may be refused */
};

struct pair {
    uint64_t module, vaddr; /* index in modules.at */
};
static struct {
    struct pair *pairs;
    struct plan_entry *entries;
    uint32_t count;
} all;

static void *reserve(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

void entries_add(const struct module *module, uint64_t vaddr)
{
    if (!all.pairs)
        all.pairs = reserve(ENTRIES_MAX * sizeof(*all.pairs));
    if (!all.pairs || all.count == ENTRIES_MAX)
        return;
    all.pairs[all.count++] =
        (struct pair){(uint64_t)(module - modules.at), vaddr};
}

uint32_t entries_count(void)
{
    return all.count;
}

void entries_drop(uint32_t count)
{
    all.count = count;
}

static bool is_less(const struct pair *a, const struct pair *b)
{
    return a->module != b->module ? a->module < b->module : a->vaddr < b->vaddr;
}

/* libc's qsort() may call malloc(), which is the program's. */
static void sift(struct pair *pairs, uint32_t at, uint32_t count)
{
    struct pair moved = pairs[at];
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_less(&pairs[child], &pairs[child + 1]))
            child++;
        if (!is_less(&moved, &pairs[child]))
            break;
        pairs[at] = pairs[child];
    }
    pairs[at] = moved;
}

static void sort(struct pair *pairs, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift(pairs, i, count);
    for (uint32_t end = count; end-- > 1;) {
        struct pair last = pairs[end];
        pairs[end] = pairs[0];
        pairs[0] = last;
        sift(pairs, 0, end);
    }
}

/* The pairs from `at` on that are of one object; returns behind the last. */
static uint32_t learn_module(uint32_t at)
{
    uint64_t index = all.pairs[at].module;
    struct plan_image *image = &modules.at[index].image;
    struct plan_entry *entries = all.entries + at;
    uint32_t count = 0;
    for (; at < all.count && all.pairs[at].module == index; at++) {
        uint64_t vaddr = all.pairs[at].vaddr;
        if (count == 0 || entries[count - 1].vaddr != vaddr)
            entries[count++].vaddr = vaddr;
    }
    plan_learn_entries(image, entries, count);
    image->entries = entries;
    image->entry_count = count;
    return at;
}

void entries_learn(void)
{
    if (all.count == 0)
        return;
    all.entries = reserve(all.count * sizeof(*all.entries));
    if (!all.entries)
        return;
    sort(all.pairs, all.count);
    for (uint32_t at = 0; at < all.count;)
        at = learn_module(at);
}

void entries_forget(void)
{
    for (uint32_t i = 0; i < modules.count; i++) {
        modules.at[i].image.entries = NULL;
        modules.at[i].image.entry_count = 0;
    }
    if (all.entries)
        munmap(all.entries, all.count * sizeof(*all.entries));
    if (all.pairs)
        munmap(all.pairs, ENTRIES_MAX * sizeof(*all.pairs));
    all.entries = NULL;
    all.pairs = NULL;
    all.count = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: any bytes as an ELF file, with all that check and suggest ask of
 * it: symbols, extents, relocations, the patch and the proof. */
#include "shim/plan/plan.h"
#include "tests/plan/look.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

struct work {
    struct plan_image image;
    void *scratch;
    int left;
    uint64_t seen;
};

static int look_at_symbol(void *context, const struct plan_symbol *symbol)
{
    struct work *w = context;
    struct plan_symbol found;
    struct plan_patch patch;
    uint64_t end;
    w->seen += strlen(symbol->name);
    if (plan_image_find_symbol(&w->image, symbol->name, &found) == 0)
        w->seen += found.vaddr;
    if (plan_image_function_extent(&w->image, symbol->vaddr, &end) == 0)
        w->seen += end;
    if (plan_entry_patch(&plan_decoder_zydis, &w->image, symbol->vaddr, 0,
                         w->scratch, &patch) == 0)
        w->seen += patch.verdict;
    uint32_t steps = 300;
    w->seen += plan_prove_within(&plan_decoder_zydis, &w->image, symbol->vaddr,
                                 NULL, w->scratch, &steps, NULL);
    return --w->left < 0;
}

static int look_at_slot(void *context, const struct plan_slot *slot)
{
    struct work *w = context;
    struct plan_slot found;
    w->seen += slot->name ? strlen(slot->name) : 0;
    if (plan_image_find_slot(&w->image, slot->vaddr, &found) == 0)
        w->seen += found.addend;
    return --w->left < 0;
}

/* The index of labels changes no answer; its memory is of the exact length. */
static void look_again_with_labels(struct work *w)
{
    size_t len = plan_image_labels_bytes(&w->image);
    uint32_t *memory = len && len < 64 << 20 ? malloc(len) : NULL;
    if (!memory)
        return;
    w->left = 8;
    w->seen = 0;
    plan_image_each_function(&w->image, look_at_symbol, w);
    uint64_t before = w->seen;
    plan_image_index_labels(&w->image, memory);
    w->left = 8;
    w->seen = 0;
    plan_image_each_function(&w->image, look_at_symbol, w);
    if (w->seen != before)
        abort();
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void *scratch;
    const char *why = NULL;
    scratch = scratch ? scratch : aligned_alloc(16, plan_scratch_bytes());
    struct work w = {.scratch = scratch, .left = 8};
    /* a copy of the exact length, so that one byte too far is found */
    uint8_t *bytes = malloc(len ? len : 1);
    if (!bytes || !scratch)
        abort();
    memcpy(bytes, data, len);
    if (plan_image_file(&w.image, bytes, len, &why) == 0) {
        void *branches = look_for_branches(&w.image);
        plan_image_each_function(&w.image, look_at_symbol, &w);
        w.left = 64;
        plan_image_each_slot(&w.image, look_at_slot, &w);
        look_again_with_labels(&w);
        free(branches);
    }
    free(bytes);
    return 0;
}

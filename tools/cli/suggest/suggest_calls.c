/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From how many places of the executable each of its own candidates is called:
 * `call rel32` straight to it. Bytes that only look like a call seldom hit the
 * first byte of a function.
 */
#include "tools/cli/suggest/suggest.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_BYTES = 5,
};

static void count(const struct suggestions *s, const struct object *object,
                  const uint8_t *bytes, uint64_t start, uint64_t len)
{
    for (uint64_t i = 0; i + CALL_BYTES <= len; i++) {
        int32_t rel;
        if (bytes[i] != 0xe8)
            continue;
        memcpy(&rel, bytes + i + 1, sizeof rel);
        struct candidate *c = suggest_find(
            s, object, start + i + CALL_BYTES + (uint64_t)(int64_t)rel);
        if (c)
            c->callers++;
    }
}

void suggest_count_calls(const struct suggestions *s,
                         const struct objects *objects)
{
    const struct object *main = &objects->at[0];
    for (uint32_t i = 0; i < main->image.segment_count; i++) {
        const struct plan_segment *g = &main->image.segments[i];
        const uint8_t *bytes = plan_image_at(&main->image, g->vaddr, g->filesz);
        if (bytes && (g->flags & PF_X))
            count(s, main, bytes, g->vaddr, g->filesz);
    }
}

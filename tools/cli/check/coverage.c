/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What symbols cannot tell: copies of a handler that the compiler put in place
 * of calls, and clones with an address of their own. One pass over the debug
 * information of each object that a declaration has to do with.
 */
#include "tools/cli/check/bindings.h"
#include "tools/dwarf/debug.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct question {
    struct binding *binding;
    const struct function *function; /* NULL: no symbol of that name */
};
struct questions {
    struct question *at;
    struct debug_copies *copies;
    size_t count, cap;
};

static bool ask(struct questions *q, struct binding *binding,
                const struct function *function)
{
    if (q->count == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        void *at = realloc(q->at, cap * sizeof *q->at);
        q->at = at ? at : q->at;
        void *copies = realloc(q->copies, cap * sizeof *q->copies);
        q->copies = copies ? copies : q->copies;
        if (!at || !copies)
            return false;
        q->cap = cap;
    }
    q->at[q->count] = (struct question){binding, function};
    q->copies[q->count++] = (struct debug_copies){
        .symbol = function ? function->name : binding->name,
        .vaddr = function ? function->vaddr : 0,
    };
    return true;
}

static void collect(struct questions *q, const struct object *object,
                    struct binding *b)
{
    const struct manifest_decl *decl = b->decl;
    bool by_name = !decl->match && !decl->has_at;
    if (b->status == BINDING_NONE && b->function_count == 0 && by_name &&
        object_matches(object, decl->object)) {
        ask(q, b, NULL);
        return;
    }
    for (size_t i = 0; i < b->functions.count; i++)
        if (b->functions.at[i].is_bound && b->functions.at[i].object == object)
            ask(q, b, &b->functions.at[i]);
}

static void answer(const struct question *q, const struct debug_copies *c)
{
    struct binding *b = q->binding;
    char text[1024];
    debug_copies_text(c, text, sizeof text);
    if (!q->function && c->inlined) {
        buf_reset(&b->remark);
        binding_remark(b, "every call of it is inlined: %s", text);
    }
    if (!q->function || !text[0])
        return;
    if (b->status == BINDING_OK)
        b->status = BINDING_PART;
    binding_remark(b, "%s%snot seen: %s",
                   b->decl->match ? q->function->name : "",
                   b->decl->match ? ": " : "", text);
}

static void note_without(struct buf *without, const struct object *object)
{
    buf_printf(without, "%s%s", without->len_bytes ? ", " : "", object->name);
}

static void look_into(const struct object *object, struct questions *q,
                      struct buf *without)
{
    struct debug *debug;
    int err = debug_open(object->path, &debug);
    if (err) {
        for (size_t i = 0; i < q->count; i++)
            if (q->at[i].function) {
                note_without(without, object);
                break;
            }
        return;
    }
    err = debug_find_copies(debug, q->copies, q->count);
    for (size_t i = 0; i < q->count; i++) {
        answer(&q->at[i], &q->copies[i]);
        if (err && q->at[i].function)
            binding_remark(q->at[i].binding,
                           "the debug information of %s %s: there may be "
                           "inlined copies",
                           object->name,
                           err == -E2BIG ? "is too large" : "is damaged");
    }
    debug_close(debug);
}

void coverage_add(const struct objects *objects, struct binding *bindings,
                  size_t count, struct buf *without)
{
    struct questions q = {0};
    for (size_t i = 0; i < objects->count; i++) {
        q.count = 0;
        for (size_t j = 0; j < count; j++)
            collect(&q, &objects->at[i], &bindings[j]);
        if (q.count)
            look_into(&objects->at[i], &q, without);
    }
    free(q.at);
    free(q.copies);
}

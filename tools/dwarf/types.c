/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked for, of which objects, and the text that answers; where it is:
 * types_find.c.
 */
#include "tools/dwarf/types_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct debug_types *debug_types_new(void)
{
    struct debug_types *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->wants = calloc(TYPES_WANTS, sizeof *t->wants);
    t->records = calloc(TYPES_RECORDS, sizeof *t->records);
    t->constants = calloc(TYPES_CONSTANTS, sizeof *t->constants);
    buf_init(&t->text, TYPES_TEXT);
    buf_init(&t->remarks, 1 << 16);
    t->left = DEBUG_ENTRIES_MAX;
    if (t->wants && t->records && t->constants)
        return t;
    debug_types_free(t);
    return NULL;
}

void debug_types_free(struct debug_types *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->want_count; i++) {
        for (size_t j = 0; j < t->wants[i].param_count; j++)
            free(t->wants[i].params[j]);
        free(t->wants[i].params);
        free(t->wants[i].symbol);
        free(t->wants[i].name);
    }
    for (size_t i = 0; i < t->record_count; i++)
        free(t->records[i].tag);
    for (size_t i = 0; i < t->constant_count; i++)
        free(t->constants[i].name);
    for (size_t i = 0; i < t->object_count; i++) {
        debug_close(t->objects[i].debug);
        free(t->objects[i].path);
    }
    free(t->objects);
    free(t->wants);
    free(t->records);
    free(t->constants);
    buf_free(&t->text);
    buf_free(&t->remarks);
    free(t);
}

static size_t find_object(const struct debug_types *t, const char *path)
{
    size_t i = 0;
    while (i < t->object_count && strcmp(t->objects[i].path, path) != 0)
        i++;
    return i;
}

int debug_types_add_object(struct debug_types *t, const char *path)
{
    if (find_object(t, path) < t->object_count)
        return 0;
    void *grown =
        realloc(t->objects, (t->object_count + 1) * sizeof *t->objects);
    if (!grown)
        return -ENOMEM;
    t->objects = grown;
    struct types_object *o = &t->objects[t->object_count];
    *o = (struct types_object){.path = strdup(path)};
    if (!o->path)
        return -ENOMEM;
    t->object_count++;
    const char *part;
    if (debug_open(path, &o->debug) == 0 && !debug_lacks_part(o->debug, &part))
        return 0;
    if (o->debug) {
        buf_printf(&t->remarks,
                   "'%s': a part of its debug information is in '%.200s', "
                   "which is missing: none of it is used\n",
                   path, part);
        debug_close(o->debug);
    }
    o->debug = NULL;
    if (debug_is_zstd(path))
        buf_printf(&t->remarks,
                   "'%s': its debug information is compressed with zstd, which "
                   "is not read here; objcopy --decompress-debug-sections\n",
                   path);
    return 0;
}

bool debug_types_has(struct debug_types *t, const char *object)
{
    size_t i = find_object(t, object);
    return i < t->object_count && t->objects[i].debug;
}

static const char *last_part(const char *name)
{
    const char *angle = strchr(name, '<'), *last = name;
    for (const char *at = name;
         (at = strstr(at, "::")) && (!angle || at < angle);)
        last = at += 2;
    return last;
}

static bool is_asked(const struct types_want *w, enum types_kind kind,
                     const char *name, size_t object, uint64_t vaddr)
{
    return w->kind == kind && strcmp(w->name, name) == 0 &&
           (kind != TYPES_FUNCTION ||
            (w->object == object && w->vaddr == vaddr));
}

/* `object` and `vaddr`: of a function. NULL: asked before, or no room. */
static struct types_want *want(struct debug_types *t, enum types_kind kind,
                               const char *name, size_t object, uint64_t vaddr)
{
    char canonical[TYPES_NAME];
    if (kind == TYPES_FUNCTION)
        snprintf(canonical, sizeof canonical, "%s", name);
    else
        types_canonical(name, canonical);
    if (!canonical[0] || strlen(name) >= TYPES_NAME ||
        t->want_count == TYPES_WANTS)
        return NULL;
    for (size_t i = 0; i < t->want_count; i++)
        if (is_asked(&t->wants[i], kind, canonical, object, vaddr))
            return NULL;
    struct types_want *w = &t->wants[t->want_count];
    *w = (struct types_want){.kind = kind,
                             .name = strdup(canonical),
                             .object = object,
                             .vaddr = vaddr};
    if (!w->name) {
        t->failed = true;
        return NULL;
    }
    w->last = last_part(w->name);
    t->want_count++;
    return w;
}

void debug_types_want_type(struct debug_types *t, const char *name)
{
    want(t, TYPES_TYPE, name, 0, 0);
}

void debug_types_want_constant(struct debug_types *t, const char *name)
{
    want(t, TYPES_CONSTANT, name, 0, 0);
}

void debug_types_want_function(struct debug_types *t,
                               const struct debug_types_function *f)
{
    size_t index = find_object(t, f->object);
    struct types_want *w =
        index < t->object_count
            ? want(t, TYPES_FUNCTION, f->name, index, f->vaddr)
            : NULL;
    if (!w)
        return;
    w->is_result_unsure = f->is_result_unsure;
    w->is_symbol_enough = f->is_symbol_enough;
    w->symbol = f->symbol ? strdup(f->symbol) : NULL;
    w->params = calloc(f->param_count + 1, sizeof *w->params);
    w->param_count = w->params ? f->param_count : 0;
    for (size_t i = 0; i < w->param_count; i++)
        w->params[i] = f->params[i] ? strdup(f->params[i]) : NULL;
    t->failed |= !w->params || (f->symbol && !w->symbol);
}

const char *debug_types_text(const struct debug_types *t)
{
    return t->text.failed ? "" : buf_get(&t->text);
}

const char *debug_types_remarks(const struct debug_types *t)
{
    return buf_get(&t->remarks);
}

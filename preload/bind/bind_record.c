/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's entry of a site: a number for it, what its function and its
 * spans are called, which declaration it is of, what became of it.
 */
#include "bind/names.h"
#include "lane/format/assert.h"
#include "preload/bind/bind_work.h"
#include "preload/call/flow.h"
#include <stddef.h>
#include <string.h>

static void put_string(const char *string, struct lane_string *out)
{
    if (string && lane_string_put(&runtime.map, string,
                                  (uint32_t)strlen(string), out) != 0)
        *out = (struct lane_string){0, 0};
}

/* `match("x*")` gives each function its own name, unless a span("...") gave
 * one to all. */
static const char *span_name(const struct manifest_decl *decl,
                             const char *symbol)
{
    return decl->name && (decl->is_named || !decl->match) ? decl->name : symbol;
}

/* Which declaration it is; the strings of the last one are used again. */
static void put_declaration(const struct manifest_decl *decl,
                            struct lane_site *record)
{
    static const struct manifest_decl *last;
    static struct lane_string declared, manifest;
    if (decl != last) {
        declared = manifest = (struct lane_string){0, 0};
        put_string(bind_written_name(decl), &declared);
        put_string(decl->at_source.file, &manifest);
        last = decl;
    }
    record->declared = declared;
    record->manifest = manifest;
    record->declaration = decl->at_source.line;
}

uint32_t bind_record_take(bool counts)
{
    uint64_t *lost = &runtime.map.session->lost_sites;
    int64_t at = 0; /* index 0 is never used */
    while (at == 0)
        at = lane_table_take(&runtime.map, LANE_TABLE_SITES,
                             &runtime.map.session->site_next, 1);
    if (at > 0 && at < SHIM_SITE_MAX &&
        (!counts || lane_counter_make(&runtime.map, (uint32_t)at) == 0))
        return (uint32_t)at;
    __atomic_fetch_add(lost, 1, __ATOMIC_RELAXED);
    return 0;
}

/* A declaration of begin alone is called as its spans are. */
static const char *flow_only_name(const struct manifest_decl *decl)
{
    uint32_t other = MANIFEST_SPAN | MANIFEST_ROOT | MANIFEST_EVENT;
    if (decl->roles & other)
        return NULL;
    for (uint32_t i = 0; i < decl->flow_count; i++) {
        if (decl->flows[i].role == MANIFEST_BEGIN)
            return decl->flows[i].name;
    }
    return NULL;
}

void bind_work_name_begin(struct work *work)
{
    const struct manifest_decl *decl = work->decl;
    const char *name = NULL;
    for (uint32_t i = 0; i < decl->flow_count; i++) {
        if (decl->flows[i].role == MANIFEST_BEGIN)
            name = decl->flows[i].name;
    }
    if (!name)
        return;
    flow_name_begin(work->index, work->index);
    uint32_t index = flow_only_name(decl) ? 0 : bind_record_take(true);
    if (index == 0)
        return;
    lane_assert(index != work->index && index < SHIM_SITE_MAX);
    struct lane_site *record = &runtime.map.sites[index];
    *record = *work->record;
    put_string(name, &record->name);
    record->binding = LANE_BINDING_ENTRY;
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&record->state, 1, __ATOMIC_RELEASE);
    flow_name_begin(work->index, index);
}

void bind_work_describe(struct work *work)
{
    lane_assert(work->index != 0 && work->record != NULL);
    struct lane_site *record = work->record;
    const struct manifest_decl *decl = work->decl;
    put_string(work->name, &record->symbol);
    record->address = work->vaddr;
    if (work->module) {
        record->object = work->module->path_string;
        record->module = work->module->record;
    }
    if (!decl) {
        record->name = record->symbol;
        record->flags = LANE_SITE_INTERNAL;
        return;
    }
    const char *pair = flow_only_name(decl);
    put_string(pair             ? pair
               : work->own_name ? work->own_name
                                : span_name(decl, work->name),
               &record->name);
    put_declaration(decl, record);
    record->cap_bytes = decl->settings.cap_bytes;
    uint64_t slow_us = decl->slow_ns / 1000;
    record->slow_us = slow_us > UINT32_MAX ? UINT32_MAX : (uint32_t)slow_us;
    uint64_t overdue_ms = (decl->overdue_ns + 999999) / 1000000;
    record->overdue_ms =
        overdue_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)overdue_ms;
    record->stop = decl->overdue_stop;
    if (decl->roles & MANIFEST_ROOT)
        record->flags |= LANE_SITE_ROOT;
}

void bind_work_publish(struct work *work)
{
    lane_assert(work->index != 0 && work->record != NULL);
    if (work->reason.len > 0)
        put_string(work->reason.bytes, &work->record->reason);
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&work->record->state, 1, __ATOMIC_RELEASE);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sites of a session, as it binds them: see session.h. */
#define _GNU_SOURCE
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 4096,
    ITEMS_OF_SITE_MAX = 4096,
};

static int items_read(struct session *s, const struct lane_site *entry,
                      struct session_site *site)
{
    uint32_t count = entry->item_count;
    if (count > ITEMS_OF_SITE_MAX)
        count = 0;
    site->items = calloc(count ? count : 1, sizeof *site->items);
    if (!site->items)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct lane_item item;
        char key[1024];
        if (lane_reader_entry(&s->reader, LANE_TABLE_ITEMS,
                              entry->item_first + i, &item) != 0)
            break;
        lane_reader_string(&s->reader, item.key, 0, key, sizeof key);
        site->items[i] = (struct decode_item){
            .key = strdup(key),
            .direction = item.direction,
            .type = item.type,
            .size_bytes = item.size_bytes,
            .is_unsigned = item.is_unsigned != 0,
            .value = item.value,
        };
        if (!site->items[i].key)
            return -ENOMEM;
        site->decode.count = i + 1;
    }
    site->decode.item = site->items;
    site->decode.cap_bytes = entry->cap_bytes;
    site->decode.name = site->name;
    return 0;
}

void tables_build_id(const struct session *s, uint32_t module_plus_1, char *out,
                     size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    struct lane_module module;
    out[0] = 0;
    if (module_plus_1 == 0 ||
        lane_reader_entry(&s->reader, LANE_TABLE_MODULES, module_plus_1 - 1,
                          &module) != 0 ||
        module.build_id_bytes > sizeof module.build_id)
        return;
    for (uint32_t i = 0; i < module.build_id_bytes && i * 2 + 3 <= cap_bytes;
         i++)
        snprintf(out + i * 2, 3, "%02x", module.build_id[i]);
}

static int site_store(struct session *s, uint32_t index,
                      const struct lane_site *entry,
                      const struct session_site *site)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    static const char *const bindings[] = {"none", "entry", "slots"};
    static const char *const shims[] = {NULL, "frame", "zero-copy"};
    char symbol[TEXT_MAX], object[TEXT_MAX], reason[TEXT_MAX];
    char declared[TEXT_MAX], manifest[TEXT_MAX];
    char build_id[2 * sizeof(((struct lane_module *)0)->build_id) + 1];
    lane_reader_string(&s->reader, entry->symbol, 0, symbol, sizeof symbol);
    lane_reader_string(&s->reader, entry->object, 0, object, sizeof object);
    lane_reader_string(&s->reader, entry->reason, 0, reason, sizeof reason);
    lane_reader_string(&s->reader, entry->declared, 0, declared,
                       sizeof declared);
    lane_reader_string(&s->reader, entry->manifest, 0, manifest,
                       sizeof manifest);
    tables_build_id(s, entry->module, build_id, sizeof build_id);
    int rc = store_run(
        s->store, STORE_SITE_SET, "iittttttitiiitti", s->id, (int64_t)index,
        site->name, symbol[0] ? symbol : NULL, object[0] ? object : NULL,
        bindings[entry->binding < 3 ? entry->binding : 0],
        shims[entry->shim < 3 ? entry->shim : 0], reason[0] ? reason : NULL,
        entry->address ? (int64_t)entry->address : STORE_NULL,
        build_id[0] ? build_id : NULL,
        entry->declaration ? (int64_t)entry->declaration : STORE_NULL,
        (int64_t)site->is_root, site->slow_ns ? site->slow_ns : STORE_NULL,
        declared[0] ? declared : NULL, manifest[0] ? manifest : NULL,
        site->overdue_ns ? site->overdue_ns : STORE_NULL);
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

static int site_sync(struct session *s, uint32_t index,
                     const struct lane_site *entry)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    if (entry->state != 1)
        return 0;
    int rc = items_read(s, entry, site);
    if (rc != 0)
        return rc;
    lane_reader_string(&s->reader, entry->name, 0, site->name,
                       sizeof site->name);
    if (!site->name[0])
        lane_reader_string(&s->reader, entry->symbol, 0, site->name,
                           sizeof site->name);
    site->is_root = (entry->flags & LANE_SITE_ROOT) != 0;
    site->slow_ns = (int64_t)entry->slow_us * 1000;
    site->overdue_ns = (int64_t)entry->overdue_ms * 1000000;
    site->may_stop = entry->stop == 1;
    s->has_overdue |= site->overdue_ns != 0;
    site->is_known = true;
    site->is_internal = (entry->flags & LANE_SITE_INTERNAL) != 0;
    return site->is_internal ? 0 : site_store(s, index, entry, site);
}

/* Those that are not known yet, many in one look: a process watches some
 * hundred functions beside its handlers. */
int tables_sites(struct session *s)
{
    struct lane_site some[LANE_READ_MOST];
    struct lane_strings strings;
    uint32_t end = s->reader.header.site_next;
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i < end;) {
        if (s->site[i].is_known) {
            i++;
            continue;
        }
        uint32_t n = end - i < LANE_READ_MOST ? end - i : LANE_READ_MOST;
        rc = lane_reader_entries(&s->reader, LANE_TABLE_SITES, i, n, some);
        strings.offset = strings.len_bytes = 0; /* theirs are there now */
        s->reader.strings = &strings;
        for (uint32_t j = 0; rc == 0 && j < n; j++)
            if (!s->site[i + j].is_known)
                rc = site_sync(s, i + j, &some[j]);
        s->reader.strings = NULL;
        i += n;
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A declaration to a capture plan, and its keys to the session's item table.
 * Runs when a site is bound: in the constructor or from the loader's
 * notification, never on the path of a call.
 */
#include "preload/call/capture/capture_keep.h"
#include "lane/format/error_frames.h"
#include "lane/format/assert.h"

#include <errno.h>
#include <string.h>

bool capture_asks_longjmp;

static void *take(struct manifest_arena *memory, size_t count, size_t size)
{
    lane_assert(size != 0);
    size_t at = (memory->used_bytes + 15) & ~(size_t)15;
    size_t bytes = count * size; /* counts are the manifest's, small */
    if (at > memory->cap_bytes || bytes > memory->cap_bytes - at)
        return NULL;
    memory->used_bytes = at + bytes;
    memset(memory->base + at, 0, bytes);
    return memory->base + at;
}

/* An enum brings an item for each constant; a huge one goes without names. */
static uint32_t constants_of(const struct manifest_item *item)
{
    uint32_t count = item->ctype ? item->ctype->constant_count : 0;
    return item->type == MANIFEST_VALUE_ENUM && count <= 256 ? count : 0;
}

static uint32_t count_items(const struct manifest_decl *decl)
{
    uint32_t count = decl->fails_count;
    for (uint32_t i = 0; i < decl->item_count; i++)
        count += 1 + constants_of(&decl->items[i]);
    return count;
}

static bool is_output(const struct manifest_item *item)
{
    return item->direction == MANIFEST_OUTPUT;
}

static void put_key(struct lane_map *map, const char *key,
                    struct lane_item *item)
{
    size_t len = strlen(key);
    /* -ENOSPC leaves it without a name; the session counts that. */
    (void)lane_string_put(map, key, len > 4096 ? 4096 : (uint32_t)len,
                          &item->key);
}

static uint8_t size_of_value(const struct manifest_item *item)
{
    switch (item->type) {
    case MANIFEST_VALUE_TEXT:
    case MANIFEST_VALUE_BYTES:
        return 0;
    default:
        return item->ctype ? (uint8_t)item->ctype->size_bytes : 8;
    }
}

/* Describe decl's items from `first` on; values[i] learns its index. */
static void put_items(struct lane_map *map, const struct manifest_decl *decl,
                      struct lane_item *items, uint16_t *index_of)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < decl->item_count; i++) {
        const struct manifest_item *item = &decl->items[i];
        struct lane_item *out = &items[at];
        index_of[i] = (uint16_t)at++;
        lane_assert(at <= UINT16_MAX);
        put_key(map, item->key, out);
        out->direction = (uint8_t)item->direction;
        out->type = (uint8_t)item->type;
        out->is_unsigned = item->ctype && !item->ctype->is_signed;
        out->size_bytes = size_of_value(item);
        for (uint32_t j = 0; j < constants_of(item); j++, at++) {
            put_key(map, item->ctype->constants[j].name, &items[at]);
            items[at].direction = LANE_ENUM;
            items[at].value = item->ctype->constants[j].value;
        }
    }
    for (uint32_t i = 0; i < decl->fails_count; i++, at++) {
        index_of[decl->item_count + i] = (uint16_t)at;
        put_key(map, decl->fails[i].source, &items[at]);
        items[at].direction = LANE_RULE;
    }
}

static void set_value(const struct manifest_item *item, uint16_t index,
                      struct capture_value *value)
{
    lane_assert(item != NULL);
    uint32_t reg, size;
    bool is_signed;
    *value = (struct capture_value){.expr = item->expr,
                                    .head = index | (uint64_t)item->type << 24,
                                    .item = index,
                                    .type = (uint8_t)item->type,
                                    .source = CAPTURE_EVALUATE};
    if (item->type != MANIFEST_VALUE_BYTES &&
        manifest_expr_is_register(item->expr, &reg, &size, &is_signed)) {
        value->source = (uint8_t)reg;
        value->unused_bits = size < 8 ? (uint8_t)(64 - 8 * size) : 0;
        value->is_signed = is_signed;
    }
    /* What the handler writes through a pointer is garbage if it failed; a
     * text that it returns is not, nor are bytes of a length that was said. */
    value->needs_success = is_output(item) &&
                           manifest_expr_dereferences(item->expr) &&
                           !manifest_expr_needs_return(item->expr);
}

static void fill_list(const struct manifest_decl *decl,
                      const uint16_t *index_of, bool outputs,
                      struct capture_value *values, struct capture_list *list)
{
    uint32_t cap = decl->settings.cap_bytes;
    *list = (struct capture_list){
        .values = values,
        .cap_bytes = cap < LANE_CAPTURE_MAX ? cap : LANE_CAPTURE_MAX,
        .is_direct = true};
    for (uint32_t i = 0; i < decl->item_count; i++) {
        const struct manifest_item *item = &decl->items[i];
        if (is_output(item) != outputs)
            continue;
        set_value(item, index_of[i], &values[list->count]);
        list->is_direct &=
            values[list->count].source != CAPTURE_EVALUATE &&
            (item->type != MANIFEST_VALUE_TEXT || cap >= CAPTURE_SHORT_BYTES);
        list->needs_freg |= manifest_expr_needs_freg(item->expr);
        list->needs_x87 |= manifest_expr_needs_x87(item->expr);
        list->count++;
        lane_assert(list->count <= decl->item_count);
    }
    list->is_direct &= list->count != 0;
    list->is_value = list->is_direct && outputs && list->count == 1 &&
                     values[0].type != LANE_VALUE_TEXT;
}

static void fill_rules(const struct manifest_decl *decl,
                       const uint16_t *index_of, struct capture_rule *rules,
                       struct capture_plan *plan)
{
    plan->fails = rules;
    plan->fails_count = decl->fails_count;
    plan->benign = rules + decl->fails_count;
    plan->benign_count = decl->benign_count;
    for (uint32_t i = 0; i < decl->fails_count + decl->benign_count; i++) {
        bool is_benign = i >= decl->fails_count;
        const struct manifest_rule *rule =
            is_benign ? &decl->benign[i - decl->fails_count] : &decl->fails[i];
        rules[i] = (struct capture_rule){.condition = rule->condition,
                                         .code = rule->code,
                                         .is_secret = rule->is_secret};
        if (!is_benign)
            rules[i].item = index_of[decl->item_count + i];
        capture_asks_longjmp |= manifest_expr_asks_longjmp(rule->condition);
        plan->rules_need_freg |= manifest_expr_needs_freg(rule->condition);
    }
}

static void fill_return(const struct manifest_decl *decl,
                        struct capture_plan *plan)
{
    const struct manifest_type *type = decl->return_type;
    if (!decl->has_prototype || decl->return_is_secret ||
        decl->return_place.kind != MANIFEST_IREG ||
        type->kind == MANIFEST_RECORD || type->size_bytes > 8)
        return;
    plan->return_size_bytes = (uint8_t)type->size_bytes;
    plan->return_kind =
        (uint8_t)(type->is_signed ? LANE_RETURN_SIGNED : LANE_RETURN_UNSIGNED);
}

static void keep_for(const struct manifest_expr *expr,
                     struct capture_plan *plan)
{
    lane_assert(plan->keep_bytes <= CAPTURE_KEEP_BYTES);
    uint64_t bytes = expr ? manifest_expr_stack_bytes(expr) : 0;
    if (bytes > CAPTURE_KEEP_BYTES) /* what lies beyond is unreadable */
        bytes = 0;
    bytes = (bytes + 7) & ~UINT64_C(7);
    if (bytes > plan->keep_bytes)
        plan->keep_bytes = (uint16_t)bytes;
    plan->keeps_freg |= expr && manifest_expr_needs_freg_params(expr);
}

/* What outputs and rules ask of parameters that are gone by then. */
static void fill_keep(const struct manifest_decl *decl,
                      struct capture_plan *plan)
{
    for (uint32_t i = 0; i < decl->item_count; i++)
        if (is_output(&decl->items[i]))
            keep_for(decl->items[i].expr, plan);
    for (uint32_t i = 0; i < plan->fails_count; i++) {
        keep_for(plan->fails[i].condition, plan);
        keep_for(plan->fails[i].code, plan);
    }
    for (uint32_t i = 0; i < plan->benign_count; i++)
        keep_for(plan->benign[i].condition, plan);
}

static uint32_t site_flags(const struct capture_plan *plan)
{
    uint32_t flags = 0;
    if (plan->in.count)
        flags |= SITE_CAPTURE_IN;
    if (plan->in.is_direct)
        flags |= SITE_DIRECT;
    if (plan->out.count || plan->fails_count)
        flags |= SITE_CAPTURE_OUT;
    if (plan->out.is_value && plan->fails_count == 0)
        flags |= SITE_VALUE;
    if (plan->in.needs_freg || plan->out.needs_freg || plan->rules_need_freg)
        flags |= SITE_FREG;
    if ((plan->keep_bytes || plan->keeps_freg) && capture_keep_reserve() == 0)
        flags |= SITE_KEEP;
    return flags;
}

int capture_bind(struct lane_map *map, const struct manifest_decl *decl,
                 struct manifest_arena *memory, struct lane_site *lane_site,
                 uint32_t *flags, const struct capture_plan **plan)
{
    lane_assert(decl != NULL && lane_site != NULL);
    uint32_t count = count_items(decl);
    uint32_t rule_count = decl->fails_count + decl->benign_count;
    if (count == 0)
        return 0;
    if (count > UINT16_MAX)
        return -ENOSPC;
    /* All memory first: the caller comes again with more. */
    size_t mark = memory->used_bytes;
    struct capture_plan *made = take(memory, 1, sizeof(*made));
    struct capture_value *values =
        take(memory, decl->item_count, sizeof(*values));
    struct capture_rule *rules = take(memory, rule_count, sizeof(*rules));
    uint16_t *index_of = take(memory, count, sizeof(*index_of));
    if (!made || !values || !rules || !index_of) {
        memory->used_bytes = mark;
        return -ENOMEM;
    }
    int64_t first =
        lane_table_take(map, LANE_TABLE_ITEMS, &map->session->item_next, count);
    if (first < 0)
        return (int)first;
    put_items(map, decl, &map->items[first], index_of);
    lane_assert((uint64_t)first + count <=
                map->table[LANE_TABLE_ITEMS].capacity);
    lane_site->item_first = (uint32_t)first;
    lane_site->item_count = count;
    fill_list(decl, index_of, false, values, &made->in);
    fill_list(decl, index_of, true, values + made->in.count, &made->out);
    fill_rules(decl, index_of, rules, made);
    fill_return(decl, made);
    fill_keep(decl, made);
    lane_assert(made->in.count + made->out.count == decl->item_count);
    *flags |= site_flags(made);
    *plan = made;
    return 0;
}

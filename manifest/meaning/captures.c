/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a declaration captures and when it fails: input, output, attr, fails,
 * benign, the values that are captured without being named, and secret(),
 * which takes away from all of them.
 */
#include "manifest/meaning/meaning.h"

#include <string.h>

struct item_node {
    struct item_node *next;
    struct manifest_item item;
};
struct items {
    struct item_node *first, **end;
    uint32_t count;
    uint32_t depth; /* of records captured whole */
    uint32_t told;  /* of the one at depth 0: bits of enum missing */
};

static bool is_secret(const struct attribute *attrs, const struct node *node)
{
    for (; attrs; attrs = attrs->next)
        if (attrs->kind == ATTR_SECRET)
            for (const struct argument *a = attrs->args; a; a = a->next)
                if (node_touches(node, a->node))
                    return true;
    return false;
}

static struct manifest_item *find_item(const struct items *items,
                                       enum manifest_direction direction,
                                       const char *key)
{
    for (struct item_node *i = items->first; i; i = i->next)
        if (i->item.direction == direction && strcmp(i->item.key, key) == 0)
            return &i->item;
    return NULL;
}

static bool add_item(struct parser *p, struct items *items,
                     const struct manifest_item *item)
{
    struct item_node *node = PARSER_NEW(p, struct item_node);
    if (!node)
        return false;
    node->item = *item;
    *items->end = node;
    items->end = &node->next;
    items->count++;
    return true;
}

enum {
    RECORD_DEPTH = 4, /* of records in a record that is captured whole */
};

static bool declare_item(struct parser *p, const struct attribute *attrs,
                         const struct attribute *attr,
                         const struct argument *arg,
                         const struct manifest_decl *decl, struct items *items);

/* Why a part of a record that is captured whole is no item. */
enum missing {
    MISSING_UNION,
    MISSING_NAME,
    MISSING_PLACE,
    MISSING_DEEP
};

static void tell_missing_part(struct parser *p, struct items *items,
                              const struct node *record, enum missing why)
{
    static const char *const texts[] = {
        "a union without a name, of which no member is known to hold; name "
        "the one that does",
        "a member whose name the class hides, or that is no name of C",
        "members of virtual base classes, or whose place the debug information "
        "does not have",
        "what is more than four records deep; name it",
    };
    if (items->told & 1u << why)
        return;
    items->told |= 1u << why;
    parser_report(p, MANIFEST_NOT_YET, record->at, "a part of '",
                  parser_quote(p, &record->at), "' is left out: ", texts[why],
                  NULL);
}

static bool starts_with(const char *text, const char *with)
{
    return strlen(text) >= strlen(with) &&
           memcmp(text, with, strlen(with)) == 0;
}

/* Padding, or said. */
static bool is_left_out(struct parser *p, struct items *items,
                        const struct node *record,
                        const struct manifest_member *m)
{
    const struct manifest_type *t = m->type;
    if (!m->name && t->kind == MANIFEST_RECORD && !t->is_union)
        return false;
    if (!m->name && t->kind == MANIFEST_RECORD)
        tell_missing_part(p, items, record, MISSING_UNION);
    else if (m->name && starts_with(m->name, "handspan_hidden_"))
        tell_missing_part(p, items, record, MISSING_NAME);
    else if (m->name && starts_with(m->name, "handspan_lost_"))
        tell_missing_part(p, items, record, MISSING_PLACE);
    else if (m->name && t->kind == MANIFEST_ARRAY && !t->size_bytes)
        parser_report(p, MANIFEST_NOT_YET, record->at, "'", m->name, "' of '",
                      parser_quote(p, &record->at),
                      "' is left out: how long it is only the program knows; "
                      "name a part of it, as in p->data[0:p->n]",
                      NULL);
    else
        return !m->name || starts_with(m->name, "handspan_");
    return true;
}

/* The expression of a member of the record that `record` is. */
static struct node *member_node(struct parser *p, const struct node *record,
                                const char *name)
{
    struct node *node = PARSER_NEW(p, struct node);
    if (!node)
        return NULL;
    bool is_arrow = record->kind == NODE_DEREF;
    *node = (struct node){.kind = NODE_MEMBER,
                          .a = is_arrow ? record->a : (struct node *)record,
                          .text = name,
                          .is_arrow = is_arrow,
                          .at = record->at};
    return node;
}

/* `*job`, `job->place`: each member is an item of its own, named job_id as if
 * it had been written. */
static bool declare_members(struct parser *p, const struct attribute *attrs,
                            const struct attribute *attr,
                            const struct argument *arg, const char *key,
                            const struct manifest_type *record,
                            const struct manifest_decl *decl,
                            struct items *items)
{
    size_t len = strlen(key);
    bool ok = true;
    if (items->depth == RECORD_DEPTH) {
        tell_missing_part(p, items, arg->node, MISSING_DEEP);
        return true;
    }
    items->depth++;
    for (uint32_t i = 0; ok && i < record->member_count; i++) {
        const struct manifest_member *m = &record->members[i];
        if (is_left_out(p, items, arg->node, m))
            continue;
        if (!m->name) {
            ok =
                declare_members(p, attrs, attr, arg, key, m->type, decl, items);
            continue;
        }
        char *name = parser_alloc(p, len + strlen(m->name) + 2, 1);
        struct argument member = {.key = name, .key_at = arg->node->at};
        member.node = member_node(p, arg->node, m->name);
        if (!member.node || !name)
            return false;
        memcpy(name, key, len);
        name[len] = '_';
        memcpy(name + len + 1, m->name, strlen(m->name));
        ok = declare_item(p, attrs, attr, &member, decl, items);
    }
    items->depth--;
    return ok;
}

static bool declare_item(struct parser *p, const struct attribute *attrs,
                         const struct attribute *attr,
                         const struct argument *arg,
                         const struct manifest_decl *decl, struct items *items)
{
    struct compiled compiled;
    struct manifest_item item = {
        .direction = attr->kind == ATTR_INPUT    ? MANIFEST_INPUT
                     : attr->kind == ATTR_OUTPUT ? MANIFEST_OUTPUT
                                                 : MANIFEST_ATTRIBUTE,
        .at = parser_position(&arg->node->at)};
    enum expr_use use = attr->kind == ATTR_OUTPUT ? USE_OUTPUT : USE_INPUT;
    if (!compile_expression(p, decl, arg->node, use, &compiled))
        return false;
    item.key = arg->key ? arg->key : node_implied_key(p, arg->node);
    item.source = node_source(p, arg->node);
    if (p->fatal)
        return false;
    if (!item.key) {
        parser_error(p, arg->node->at, "'", item.source,
                     "' has no name of its own; write key = ", item.source);
        return false;
    }
    if (items->depth == 0)
        items->told = 0;
    if (compiled.record)
        return declare_members(p, attrs, attr, arg, item.key, compiled.record,
                               decl, items);
    if (find_item(items, item.direction, item.key)) {
        parser_error(p, arg->key ? arg->key_at : arg->node->at,
                     "two values of '", attribute_name(attr->kind),
                     "' have the key '", item.key,
                     "'; write another = ", item.source);
        return false;
    }
    if (is_secret(attrs, arg->node)) {
        parser_warn(p, arg->node->at, "'", item.source,
                    "' is secret, so it is not captured");
        return true;
    }
    if (compiled.is_unknown || decl->capture_disabled)
        return true;
    if (items->count >= LIMIT_ITEMS) {
        parser_error(p, arg->node->at, "more than 256 values");
        return false;
    }
    item.expr = compiled.expr;
    item.type = compiled.expr->type;
    item.ctype = compiled.ctype;
    return add_item(p, items, &item);
}

/* `input(r)` has become r_x, r_y. */
static bool has_parts(const struct items *items,
                      enum manifest_direction direction, const char *key)
{
    size_t len = strlen(key);
    for (struct item_node *i = items->first; i; i = i->next)
        if (i->item.direction == direction && strlen(i->item.key) > len &&
            memcmp(i->item.key, key, len) == 0 && i->item.key[len] == '_')
            return true;
    return false;
}

/* By itself: what became of it was said there. */
static bool is_named(const struct attribute *attrs,
                     enum manifest_direction direction, const char *key)
{
    enum attribute_kind kind =
        direction == MANIFEST_INPUT ? ATTR_INPUT : ATTR_OUTPUT;
    for (const struct attribute *a = attrs; a; a = a->next)
        for (const struct argument *arg = a->kind == kind ? a->args : NULL; arg;
             arg = arg->next)
            if (arg->node->kind == NODE_RETURN
                    ? direction == MANIFEST_OUTPUT
                    : arg->node->kind == NODE_NAME &&
                          strcmp(arg->node->text, key) == 0)
                return true;
    return false;
}

/* To who checks: nobody asked for it, but it is not there. */
static void tell_missing(struct parser *p, const struct attribute *attrs,
                         const struct manifest_decl *decl, int32_t index,
                         const char *key, const struct items *items,
                         enum manifest_direction direction)
{
    const struct manifest_type *type =
        index < 0 ? decl->return_type : decl->params[index].type;
    enum manifest_place_kind kind =
        index < 0 ? decl->return_place.kind : decl->params[index].place.kind;
    if (!p->host->compares || type->kind == MANIFEST_VOID ||
        kind == MANIFEST_NOWHERE || kind == MANIFEST_UNKNOWN ||
        kind == MANIFEST_ABSENT || has_parts(items, direction, key) ||
        is_named(attrs, direction, key))
        return;
    parser_report(p, MANIFEST_NOT_YET, attrs->at, "'", key, "' of '",
                  decl->name,
                  manifest_is_member_pointer(type)
                      ? "' is a pointer to a member, of which no value is made"
                  : type->kind == MANIFEST_RECORD
                      ? "' is a record and has no value of its own; name it, "
                        "or a member"
                      : "' is of a type that no value is made of",
                  NULL);
}

/* Parameter `index`, or the return value (-1), captured unasked. */
static bool declare_implied(struct parser *p, const struct attribute *attrs,
                            const struct manifest_decl *decl, int32_t index,
                            struct items *items)
{
    char unnamed[26] = "arg";
    const char *key = index < 0 ? "return" : decl->params[index].name;
    struct node node = {.kind = index < 0 ? NODE_RETURN : NODE_NAME,
                        .text = key};
    struct manifest_item item = {
        .direction = index < 0 ? MANIFEST_OUTPUT : MANIFEST_INPUT,
        .ctype = index < 0 ? decl->return_type : decl->params[index].type,
        .at = decl->at_source,
        .implied = true};
    if (!key) {
        parser_decimal((uint64_t)index + 1, unnamed + 3);
        key = parser_copy(p, unnamed, strlen(unnamed));
        if (!key)
            return false;
    } else if (is_secret(attrs, &node)) {
        return true;
    }
    if (find_item(items, item.direction, key))
        return true; /* named: there it may be text */
    item.expr = compile_implied(p, decl, index,
                                decl->settings.capture == MANIFEST_CAPTURE_ALL);
    if (!item.expr) {
        tell_missing(p, attrs, decl, index, key, items, item.direction);
        return !p->fatal;
    }
    item.key = item.source = key;
    item.type = item.expr->type;
    return add_item(p, items, &item);
}

static bool declare_all_implied(struct parser *p, const struct attribute *attrs,
                                const struct manifest_decl *decl,
                                struct items *items)
{
    uint32_t observed = MANIFEST_SPAN | MANIFEST_ROOT | MANIFEST_EVENT |
                        MANIFEST_BEGIN | MANIFEST_END;
    if (!(decl->roles & observed) || !decl->has_prototype ||
        decl->capture_disabled ||
        decl->settings.capture == MANIFEST_CAPTURE_NONE)
        return true;
    for (int32_t i = 0; i < (int32_t)decl->param_count; i++)
        if (!declare_implied(p, attrs, decl, i, items))
            return false;
    return declare_implied(p, attrs, decl, -1, items);
}

static bool store_items(struct parser *p, const struct items *items,
                        struct manifest_decl *decl)
{
    struct manifest_item *array =
        parser_alloc_array(p, items->count, sizeof(*array));
    if (!array)
        return false;
    decl->items = array;
    decl->item_count = items->count;
    for (struct item_node *i = items->first; i; i = i->next)
        *array++ = i->item;
    return true;
}

static bool declare_secrets(struct parser *p, const struct attribute *attrs,
                            struct manifest_decl *decl)
{
    bool ok = true;
    for (const struct attribute *a = attrs; a; a = a->next)
        for (struct argument *s = a->kind == ATTR_SECRET ? a->args : NULL; s;
             s = s->next) {
            ok &= compile_check_names(p, decl, s->node);
            decl->secret_count++;
            decl->return_is_secret |= s->node->kind == NODE_RETURN;
        }
    const char **list =
        parser_alloc_array(p, decl->secret_count, sizeof(*list));
    if (!list)
        return false;
    decl->secrets = list;
    for (const struct attribute *a = attrs; a; a = a->next)
        for (struct argument *s = a->kind == ATTR_SECRET ? a->args : NULL; s;
             s = s->next)
            *list++ = node_source(p, s->node);
    p->out->has_secret |= decl->secret_count != 0;
    return ok && !p->fatal;
}

static bool compile_rule(struct parser *p, const struct attribute *attrs,
                         const struct argument *arg,
                         const struct manifest_decl *decl, enum expr_use use,
                         struct manifest_rule *rule, bool *is_unknown)
{
    struct compiled condition, code = {0};
    if (!compile_expression(p, decl, arg->node, use, &condition) ||
        (arg->next &&
         !compile_expression(p, decl, arg->next->node, use, &code)))
        return false;
    *is_unknown = condition.is_unknown || code.is_unknown;
    *rule = (struct manifest_rule){
        .condition = condition.expr,
        .code = code.expr,
        .source = node_source(p, arg->node),
        .at = parser_position(&arg->node->at),
        .is_secret = is_secret(attrs, arg->node) ||
                     (arg->next && is_secret(attrs, arg->next->node))};
    return rule->source != NULL;
}

bool declare_rules_of(struct parser *p, const struct attribute *attrs,
                      enum attribute_kind kind,
                      const struct manifest_decl *decl, enum expr_use use,
                      const struct manifest_rule **rules, uint32_t *count)
{
    uint32_t limit = 0, n = 0;
    bool ok = true;
    for (const struct attribute *a = attrs; a; a = a->next)
        limit += a->kind == kind;
    struct manifest_rule *array = parser_alloc_array(p, limit, sizeof(*array));
    if (!array)
        return false;
    for (const struct attribute *a = attrs; a; a = a->next) {
        bool is_unknown = false;
        if (a->kind != kind)
            continue;
        if (!compile_rule(p, attrs, a->args, decl, use, &array[n], &is_unknown))
            ok = false;
        else if (!is_unknown)
            n++;
    }
    *rules = array;
    *count = n;
    return ok;
}

bool declare_captures(struct parser *p, const struct attribute *attrs,
                      struct manifest_decl *decl)
{
    struct items items = {.end = &items.first};
    bool ok = declare_secrets(p, attrs, decl);
    for (const struct attribute *a = attrs; a && !p->fatal; a = a->next)
        if (a->kind == ATTR_INPUT || a->kind == ATTR_OUTPUT ||
            a->kind == ATTR_ATTR)
            for (struct argument *arg = a->args; arg; arg = arg->next)
                ok &= declare_item(p, attrs, a, arg, decl, &items);
    ok &= declare_rules_of(p, attrs, ATTR_FAILS, decl, USE_CONDITION,
                           &decl->fails, &decl->fails_count);
    ok &= declare_rules_of(p, attrs, ATTR_BENIGN, decl, USE_CONDITION,
                           &decl->benign, &decl->benign_count);
    return ok && declare_all_implied(p, attrs, decl, &items) &&
           store_items(p, &items, decl);
}

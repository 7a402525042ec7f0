/* SPDX-License-Identifier: Apache-2.0 */
/* carry, adopt, begin and their like: what a declaration says of work items
 * and of callbacks. */
#include "manifest/meaning/meaning.h"

#include <string.h>

static uint32_t flow_role(enum attribute_kind kind)
{
    switch (kind) {
    case ATTR_CARRY:
        return MANIFEST_CARRY;
    case ATTR_ADOPT:
        return MANIFEST_ADOPT;
    case ATTR_FORGET:
        return MANIFEST_FORGET;
    case ATTR_LINK:
        return MANIFEST_LINK;
    case ATTR_BEGIN:
        return MANIFEST_BEGIN;
    case ATTR_END:
        return MANIFEST_END;
    case ATTR_CALLBACK:
        return MANIFEST_CALLBACK;
    default:
        return 0;
    }
}

static bool find_rules(struct parser *p, const struct attribute *attr,
                       struct manifest_flow *flow)
{
    struct nearest near;
    size_t len = strlen(attr->ident);
    struct name *name = parser_find_name(p, NAME_TYPEDEF, attr->ident, len);
    if (name && name->rules) {
        flow->rules = name->rules;
        return true;
    }
    nearest_start(&near, attr->ident);
    for (size_t i = 0; i < NAME_BUCKETS; i++)
        for (struct name *n = p->names[i]; n; n = n->next)
            if (n->rules)
                nearest_try(&near, n->text);
    if (near.best)
        parser_error(p, attr->ident_at, "no function typedef with attributes '",
                     attr->ident, "'; did you mean '", near.best, "'?");
    else
        parser_error(p, attr->ident_at, "no function typedef with attributes '",
                     attr->ident, "' stands before");
    return false;
}

/* link(batch->items[0:batch->n]): how large is an item? */
static bool link_elements(struct parser *p, const struct node *node,
                          const struct compiled *key,
                          struct manifest_flow *flow)
{
    if (node->kind != NODE_SLICE)
        return true;
    uint64_t bytes = key->ctype ? key->ctype->size_bytes : 0;
    if (bytes == 0 || bytes > UINT8_MAX) {
        parser_error(p, node->at, "'", parser_quote(p, &node->at),
                     "': the size of an item must be known, and at most 255");
        return false;
    }
    flow->element_bytes = (uint8_t)bytes;
    return true;
}

/* `*out` of an `entry_fn **out`, `(*list)->sign` of a `struct list **list`. */
static bool is_out_param(const struct manifest_decl *decl,
                         const struct node *node)
{
    while (node && node->kind != NODE_NAME)
        node = node->a;
    for (uint32_t i = 0; node && i < decl->param_count; i++) {
        const struct manifest_param *param = &decl->params[i];
        const struct manifest_type *type = param->type;
        if (param->name && strcmp(param->name, node->text) == 0)
            return type->kind == MANIFEST_POINTER && type->to &&
                   type->to->kind == MANIFEST_POINTER;
    }
    return false;
}

static bool declare_flow(struct parser *p, const struct attribute *attr,
                         const struct manifest_decl *decl,
                         struct manifest_flow *flow)
{
    struct compiled key, count = {0};
    const struct argument *arg = attr->args;
    *flow = (struct manifest_flow){.role = flow_role(attr->kind),
                                   .name = attr->text,
                                   .is_many = attr->has_many,
                                   .at = parser_position(&attr->at)};
    bool is_link = attr->kind == ATTR_LINK;
    if (!compile_expression(p, decl, arg->node, is_link ? USE_OUTPUT : USE_KEY,
                            &key) ||
        (arg->next &&
         !compile_expression(p, decl, arg->next->node, USE_KEY, &count)))
        return false;
    if (is_link && key.expr && !link_elements(p, arg->node, &key, flow))
        return false;
    flow->key = key.expr;
    flow->many_count = count.expr;
    if (attr->kind != ATTR_CALLBACK)
        return true;
    flow->is_out = arg->node->kind != NODE_NAME && key.expr &&
                   is_out_param(decl, arg->node);
    return find_rules(p, attr, flow);
}

bool declare_flows(struct parser *p, const struct attribute *attrs,
                   struct manifest_decl *decl)
{
    uint32_t limit = 0, n = 0;
    bool ok = true;
    for (const struct attribute *a = attrs; a; a = a->next)
        limit += flow_role(a->kind) != 0;
    struct manifest_flow *array = parser_alloc_array(p, limit, sizeof(*array));
    if (!array)
        return false;
    for (const struct attribute *a = attrs; a; a = a->next) {
        if (!flow_role(a->kind))
            continue;
        decl->roles |= flow_role(a->kind);
        if (declare_flow(p, a, decl, &array[n]))
            n++;
        else
            ok = false;
    }
    decl->flows = array;
    decl->flow_count = n;
    return ok;
}

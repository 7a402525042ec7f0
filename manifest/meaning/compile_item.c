/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole expressions: what is captured of one (a value, text, bytes, a record
 * by its members), conditions and keys.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/meaning/emit.h"

#include <string.h>

static const struct manifest_expr *
finish(struct compile *c, enum manifest_value_type type, uint64_t bound)
{
    struct manifest_expr *expr = PARSER_NEW(c->p, struct manifest_expr);
    struct code *code = parser_alloc_array(c->p, c->count, sizeof(*code));
    if (!expr || !code)
        return NULL;
    memcpy(code, c->code, c->count * sizeof(*code));
    *expr = (struct manifest_expr){.code = code,
                                   .count = c->count,
                                   .type = type,
                                   .bound_bytes = bound,
                                   .needs_freg = c->needs_freg,
                                   .needs_x87 = c->needs_x87,
                                   .needs_stack = c->needs_stack,
                                   .needs_return = c->needs_return,
                                   .needs_memory = c->needs_memory,
                                   .needs_freg_params = c->needs_freg_params,
                                   .dereferences = c->dereferences,
                                   .stack_bytes = c->stack_bytes,
                                   .is_ranged = c->is_ranged};
    return expr;
}

static bool compile_slice(struct compile *c, const struct node *node,
                          struct operand *out)
{
    struct operand bound;
    if (!compile_pointer(c, node, true, out) ||
        !compile_count(c, node->b, &bound) ||
        !compile_count(c, node->c, &bound))
        return false;
    uint64_t size = out->type->to->size_bytes;
    borrow_compare_size(c->p, node->at, out->type->to);
    out->type = out->type->to;
    return emit(c, op_of(OP_SLICE, 8, true, size ? (int64_t)size : 1), -1);
}

/* An array is text if its elements are char, else its bytes. */
static bool finish_array(struct compile *c, const struct operand *operand)
{
    const struct manifest_type *to = operand->type->to;
    if (to->is_char)
        return true;
    return emit(c, op_of(OP_PUSH, 8, true, 0), 1) &&
           emit(c, op_of(OP_PUSH, 8, true, (int64_t)operand->array_bytes), 1) &&
           emit(c, op_of(OP_SLICE, 8, true, 1), -1);
}

/* A union is its bytes, a struct its members, which the caller names. */
static bool compile_whole(struct compile *c, const struct node *node,
                          struct operand *out, enum manifest_value_type *type)
{
    uint64_t size = out->type->size_bytes;
    if (type_of(out->type)->container)
        return emit_container(c, node->at, out, type);
    if (!out->type->is_union || out->kind != OPERAND_ADDRESS || !size) {
        c->record = out->type;
        return true;
    }
    *type = MANIFEST_VALUE_BYTES;
    c->needs_memory = true;
    return emit(c, op_of(OP_PUSH, 8, true, 0), 1) &&
           emit(c, op_of(OP_PUSH, 8, true, (int64_t)size), 1) &&
           emit(c, op_of(OP_SLICE, 8, true, 1), -1);
}

static bool is_container_pointer(const struct manifest_type *type)
{
    return type->kind == MANIFEST_POINTER &&
           type->to->kind == MANIFEST_RECORD && type_of(type->to)->container;
}

static bool compile_item(struct compile *c, const struct node *node,
                         struct operand *out, enum manifest_value_type *type)
{
    c->item = node;
    if (node->kind == NODE_SLICE) {
        *type = MANIFEST_VALUE_BYTES;
        return compile_slice(c, node, out);
    }
    if (!compile_node(c, node, out))
        return false;
    if (out->type->kind == MANIFEST_RECORD)
        return compile_whole(c, node, out, type);
    if (!emit_value(c, node->at, out))
        return false;
    *type = value_type_of(out->type);
    if (is_container_pointer(out->type)) {
        out->type = out->type->to;
        return emit_container(c, node->at, out, type);
    }
    if (out->array_bytes) {
        *type =
            out->type->to->is_char ? MANIFEST_VALUE_TEXT : MANIFEST_VALUE_BYTES;
        return finish_array(c, out);
    }
    if (out->type->kind == MANIFEST_POINTER && out->type->to->is_char) {
        *type = MANIFEST_VALUE_TEXT;
        c->dereferences = true;
    }
    return true;
}

bool compile_expression(struct parser *p, const struct manifest_decl *decl,
                        const struct node *node, enum expr_use use,
                        struct compiled *out)
{
    struct compile c = {.p = p, .decl = decl, .use = use};
    struct operand operand;
    enum manifest_value_type type = 0;
    *out = (struct compiled){0};
    if (use == USE_INPUT || use == USE_OUTPUT) {
        if (!compile_item(&c, node, &operand, &type))
            goto failed;
        if (c.record) {
            out->record = c.record;
            return true;
        }
    } else {
        if (!compile_value(&c, node, &operand))
            goto failed;
        if (!type_is_number(operand.type)) {
            parser_error(p, node->at, "'", parser_quote(p, &node->at),
                         "' is no integer or pointer");
            return false;
        }
        type = value_type_of(operand.type);
    }
    out->ctype = operand.type;
    out->expr =
        finish(&c, type, type == MANIFEST_VALUE_TEXT ? operand.array_bytes : 0);
    return out->expr != NULL;
failed:
    out->is_unknown = c.is_unknown;
    return c.is_unknown && !p->fatal;
}

const struct manifest_expr *compile_implied(struct parser *p,
                                            const struct manifest_decl *decl,
                                            int32_t index, bool with_text)
{
    struct compile c = {
        .p = p, .decl = decl, .use = USE_OUTPUT, .is_quiet = true};
    struct operand operand;
    const struct manifest_type *type =
        index < 0 ? decl->return_type : decl->params[index].type;
    enum manifest_value_type value = value_type_of(type);
    if (!value)
        return NULL;
    bool ok = index < 0
                  ? emit_return(&c, p->tok.at, &operand)
                  : emit_param(&c, type, decl->params[index].place, &operand);
    if (!ok || !emit_value(&c, p->tok.at, &operand))
        return NULL;
    if (with_text && type->kind == MANIFEST_POINTER && type->to->is_char)
        value = MANIFEST_VALUE_TEXT;
    return finish(&c, value, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and types of an expression: what a parameter, a member or a constant
 * is, once the declaration is known, and the code that eval.c runs.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/meaning/emit.h"

#include <string.h>

bool compile_value(struct compile *c, const struct node *node,
                   struct operand *out)
{
    return compile_node(c, node, out) && emit_value(c, node->at, out);
}

/* ---- names ----------------------------------------------------------- */

/* It needs what the debug information says, which nobody has read yet. */
static bool leave_pending(struct compile *c, const struct node *node,
                          const char *what, const char *name)
{
    if (!c->is_unknown && !c->is_quiet)
        parser_report(c->p, MANIFEST_NOT_YET, node->at, "'",
                      parser_quote(c->p, &node->at),
                      "' is left out in this run: ", what, name,
                      "' was not yet read from the debug information; the "
                      "sidecar does it for the next",
                      NULL);
    c->is_unknown = true;
    return false;
}

static void report_unknown_name(struct compile *c, const struct node *node)
{
    struct parser *p = c->p;
    struct nearest near;
    const struct manifest_decl *decl = c->decl;
    nearest_start(&near, node->text);
    if (!decl) {
        compile_error(c, node->at, "'", node->text,
                      "' is no constant; a program rule knows only `exit`");
        return;
    }
    for (uint32_t i = 0; i < decl->param_count; i++)
        if (decl->params[i].name)
            nearest_try(&near, decl->params[i].name);
    for (size_t i = 0; errno_name_at(i); i++)
        nearest_try(&near, errno_name_at(i));
    for (size_t i = 0; i < NAME_BUCKETS && p->messages < LIMIT_MESSAGES; i++)
        for (struct name *n = p->names[i]; n; n = n->next)
            if (n->kind == NAME_CONSTANT)
                nearest_try(&near, n->text);
    if (!decl->has_prototype)
        compile_error(c, node->at, "no prototype, so there is no '", node->text,
                      "'; paste the prototype of '", decl->name, "'");
    else if (near.best)
        compile_error(c, node->at, "no parameter '", node->text, "' in '",
                      decl->ident, "'; did you mean '", near.best, "'?");
    else
        compile_error(c, node->at, "no parameter '", node->text, "' in '",
                      decl->ident, "'");
}

static bool is_known(struct parser *p, const struct manifest_decl *decl,
                     const char *text)
{
    int number;
    for (uint32_t i = 0; i < decl->param_count; i++)
        if (decl->params[i].name && strcmp(decl->params[i].name, text) == 0)
            return true;
    return errno_find(text, strlen(text), &number) ||
           parser_find_name(p, NAME_CONSTANT, text, strlen(text));
}

/* The first unknown name in it, or NULL. */
static const struct node *find_unknown(struct parser *p,
                                       const struct manifest_decl *decl,
                                       const struct node *node)
{
    const struct node *parts[] = {node->a, node->b, node->c}, *found = NULL;
    if (node->kind == NODE_NAME && !is_known(p, decl, node->text))
        return node;
    for (int i = 0; i < 3 && !found; i++)
        found = parts[i] ? find_unknown(p, decl, parts[i]) : NULL;
    return found;
}

bool compile_check_names(struct parser *p, const struct manifest_decl *decl,
                         const struct node *node)
{
    const struct node *unknown = find_unknown(p, decl, node);
    if (unknown) {
        struct compile c = {.p = p, .decl = decl, .use = USE_OUTPUT};
        report_unknown_name(&c, unknown);
    }
    return !unknown;
}

static bool push_constant(struct compile *c, int64_t value,
                          const struct manifest_type *type, struct operand *out)
{
    if (!type)
        type = value >= INT32_MIN && value <= INT32_MAX ? &type_int.t
                                                        : &type_long.t;
    *out = (struct operand){.kind = OPERAND_VALUE, .type = type};
    return emit(c, op_of(OP_PUSH, 8, true, value), 1);
}

static bool compile_param(struct compile *c, const struct node *node,
                          uint32_t i, struct operand *out)
{
    const struct manifest_param *param = &c->decl->params[i];
    if (param->place.kind == MANIFEST_NOWHERE) {
        emit_leave_out(c, node->at, "' is empty", "' is left out: it is empty");
        return false;
    }
    return emit_param(c, param->type, param->place, out);
}

static bool compile_name(struct compile *c, const struct node *node,
                         struct operand *out)
{
    size_t len = strlen(node->text);
    int number;
    for (uint32_t i = 0; c->decl && i < c->decl->param_count; i++)
        if (c->decl->params[i].name &&
            strcmp(c->decl->params[i].name, node->text) == 0)
            return compile_param(c, node, i, out);
    struct name *name = parser_find_name(c->p, NAME_CONSTANT, node->text, len);
    if (name)
        return push_constant(c, name->value, name->ctype, out);
    if (errno_find(node->text, len, &number))
        return push_constant(c, number, NULL, out);
    if (strcmp(node->text, "NULL") == 0 || strcmp(node->text, "nullptr") == 0)
        return push_constant(c, 0, &type_void_pointer.t, out);
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)
        return push_constant(c, node->text[0] == 't', NULL, out);
    if (c->decl)
        borrow_want(c->p, MANIFEST_WANT_CONSTANT, node->text);
    if (c->decl && c->p->host->is_pending)
        return leave_pending(c, node, "'", node->text);
    report_unknown_name(c, node);
    return false;
}

/* 1 where a longjmp ended the call, 0 where it returned. */
static bool compile_longjmp(struct compile *c, const struct node *node,
                            struct operand *out)
{
    if (c->use != USE_CONDITION) {
        compile_error(c, node->at, "'", node->text,
                      "' is for fails(...) and benign(...) of a function");
        return false;
    }
    *out = (struct operand){.kind = OPERAND_VALUE, .type = &type_int.t};
    return emit(c, op_of(OP_LONGJMP, 4, true, 0), 1);
}

static bool compile_special(struct compile *c, const struct node *node,
                            struct operand *out)
{
    bool is_program = c->use == USE_PROGRAM;
    if (node->kind == NODE_LONGJMP)
        return compile_longjmp(c, node, out);
    if (node->kind == NODE_EXIT ? !is_program : is_program) {
        compile_error(c, node->at, "'", node->text,
                      is_program ? "' means nothing for a program; use `exit`"
                                 : "' is for the rules of a program");
        return false;
    }
    if (node->kind != NODE_EXIT && c->use == USE_INPUT) {
        compile_error(c, node->at, "'", node->text,
                      "' is known only after the call; use output(...)");
        return false;
    }
    if (node->kind == NODE_RETURN) {
        if (c->decl->has_prototype)
            return emit_return(c, node->at, out);
        if (c->p->host->is_pending)
            return leave_pending(c, node, "the prototype of '", c->decl->name);
        compile_error(c, node->at,
                      "no prototype, so the type of `return` is not known; "
                      "paste the prototype of '",
                      c->decl->name, "'");
        return false;
    }
    bool is_exit = node->kind == NODE_EXIT;
    c->needs_return |= !is_exit;
    *out = (struct operand){.kind = OPERAND_VALUE, .type = &type_int.t};
    return emit(c, op_of(is_exit ? OP_EXIT : OP_ERRNO, 4, true, 0), 1);
}

/* ---- memory ---------------------------------------------------------- */

static const struct manifest_member *
find_member(const struct manifest_type *record, const char *name,
            uint64_t *offset)
{
    for (uint32_t i = 0; i < record->member_count; i++) {
        const struct manifest_member *m = &record->members[i], *inner;
        uint64_t here = *offset + m->offset_bytes;
        if (m->name && strcmp(m->name, name) == 0) {
            *offset = here;
            return m;
        }
        if (!m->name && m->type->kind == MANIFEST_RECORD &&
            (inner = find_member(m->type, name, &here))) {
            *offset = here;
            return inner;
        }
    }
    return NULL;
}

static void nearest_member(struct nearest *near,
                           const struct manifest_type *record)
{
    for (uint32_t i = 0; i < record->member_count; i++) {
        if (record->members[i].name)
            nearest_try(near, record->members[i].name);
        else if (record->members[i].type->kind == MANIFEST_RECORD)
            nearest_member(near, record->members[i].type);
    }
}

/* Layouts also come from the debug information: without it the value is left
 * out and the declaration stays. */
static bool leave_out(struct compile *c, const struct node *node,
                      const struct manifest_type *type)
{
    if (type->name)
        borrow_want(c->p, MANIFEST_WANT_TYPE, type->name);
    if (c->p->host->is_pending)
        return leave_pending(c, node, "'", type_describe(c->p, type));
    if (!c->is_unknown && !c->is_quiet)
        parser_report(c->p, MANIFEST_NOT_YET, node->at, "'",
                      type_describe(c->p, type),
                      "' is defined neither here nor in debug information: '",
                      parser_quote(c->p, &node->at),
                      "' is left out; paste the definition", NULL);
    c->is_unknown = true;
    return false;
}

static void report_member(struct compile *c, const struct node *node,
                          const struct manifest_type *record)
{
    struct parser *p = c->p;
    struct mark at = node->at;
    const char *name = type_describe(p, record);
    /* Underline the member alone: it ends the expression. */
    uint32_t len = (uint32_t)strlen(node->text);
    if (len < at.length) {
        at.column += at.length - len;
        at.offset += at.length - len;
        at.length = len;
    }
    struct nearest near;
    nearest_start(&near, node->text);
    nearest_member(&near, record);
    if (near.best)
        compile_error(c, at, "no member '", node->text, "' in '", name,
                      "'; did you mean '", near.best, "'?");
    else
        compile_error(c, at, "no member '", node->text, "' in '", name, "'");
}

/* *out: the record that `node` names a member of */
static bool compile_record(struct compile *c, const struct node *node,
                           struct operand *out)
{
    const struct node *base = node->a;
    if (!compile_node(c, base, out))
        return false;
    if (node->is_arrow) {
        if (!emit_value(c, base->at, out))
            return false;
        if (out->type->kind != MANIFEST_POINTER) {
            compile_error(c, base->at, "'", parser_quote(c->p, &base->at),
                          "' is no pointer; write '.'");
            return false;
        }
        *out = (struct operand){.kind = OPERAND_ADDRESS, .type = out->type->to};
        c->dereferences = true;
    } else if (out->type->kind == MANIFEST_POINTER) {
        compile_error(c, base->at, "'", parser_quote(c->p, &base->at),
                      "' is a pointer; write '->'");
        return false;
    }
    if (out->type->kind == MANIFEST_RECORD && out->kind != OPERAND_VALUE)
        return true;
    if (out->type->kind == MANIFEST_OPAQUE)
        return leave_out(c, node, out->type);
    compile_error(c, base->at, "'", parser_quote(c->p, &base->at),
                  node->is_arrow ? "' points to no record" : "' is no record");
    return false;
}

static bool compile_member(struct compile *c, const struct node *node,
                           struct operand *out)
{
    struct operand record;
    uint64_t offset = 0;
    if (!compile_record(c, node, &record))
        return false;
    const struct manifest_member *m =
        find_member(record.type, node->text, &offset);
    if (!m) {
        report_member(c, node, record.type);
        return false;
    }
    *out = record;
    out->type = m->type;
    out->bit_offset = m->bit_offset;
    out->bit_width = m->bit_width;
    if (record.kind == OPERAND_REGISTER) {
        out->offset += offset;
        return true;
    }
    return emit_offset(c, offset);
}

/* What `*p`, `p[i]` and `p[a:b]` need: a pointer to something of known size.
 * void counts as bytes for a slice. */
bool compile_pointer(struct compile *c, const struct node *node, bool is_slice,
                     struct operand *out)
{
    const struct node *base = node->a;
    if (!compile_value(c, base, out))
        return false;
    if (out->type->kind != MANIFEST_POINTER) {
        compile_error(c, base->at, "'", parser_quote(c->p, &base->at),
                      "' is no pointer");
        return false;
    }
    const struct manifest_type *to = out->type->to;
    if (to->kind == MANIFEST_VOID && is_slice)
        return true;
    if (to->kind == MANIFEST_VOID) {
        compile_error(c, node->at, "'", parser_quote(c->p, &base->at),
                      "' points to void; say how much: ",
                      parser_quote(c->p, &base->at), "[0:64]");
        return false;
    }
    if (to->kind == MANIFEST_OPAQUE)
        return leave_out(c, node, to);
    if (!type_is_complete(to) || !to->size_bytes) {
        compile_error(c, node->at, "'", type_describe(c->p, to),
                      "' has no size that is known");
        return false;
    }
    return true;
}

bool compile_count(struct compile *c, const struct node *node,
                   struct operand *out)
{
    if (!compile_value(c, node, out))
        return false;
    if (type_is_number(out->type) && out->type->kind != MANIFEST_POINTER)
        return true;
    compile_error(c, node->at, "'", parser_quote(c->p, &node->at),
                  "' is no integer");
    return false;
}

static bool compile_index(struct compile *c, const struct node *node,
                          struct operand *out)
{
    struct operand base, index;
    if (!compile_pointer(c, node, false, &base))
        return false;
    uint64_t size = base.type->to->size_bytes;
    if (node->kind == NODE_INDEX)
        borrow_compare_size(c->p, node->at, base.type->to);
    if (node->kind == NODE_INDEX &&
        !(compile_count(c, node->b, &index) &&
          emit(c, op_of(OP_PUSH, 8, true, (int64_t)size), 1) &&
          emit(c, op_of(OP_MUL, 8, true, 0), -1) &&
          emit(c, op_of(OP_ADD, 8, false, 0), -1)))
        return false;
    c->dereferences |= base.array_bytes == 0;
    *out = (struct operand){.kind = OPERAND_ADDRESS, .type = base.type->to};
    return true;
}

/* ---- operators ------------------------------------------------------- */

static bool compile_logic(struct compile *c, const struct node *node,
                          struct operand *out)
{
    struct operand side;
    bool is_and = node->op == PUNCT2('&', '&');
    const struct node *parts[] = {node->a, node->b};
    uint32_t jump = 0;
    for (int i = 0; i < 2; i++) {
        if (!compile_value(c, parts[i], &side))
            return false;
        if (!type_is_number(side.type)) {
            compile_error(c, parts[i]->at, "'",
                          parser_quote(c->p, &parts[i]->at),
                          "' is no integer or pointer");
            return false;
        }
        if (!emit(c, op_of(OP_TO_BOOL, 8, false, 0), 0))
            return false;
        if (i == 0) {
            jump = c->count;
            if (!emit(c, op_of(is_and ? OP_AND : OP_OR, 8, false, 0), -1))
                return false;
        }
    }
    c->code[jump].imm = c->count;
    *out = (struct operand){.kind = OPERAND_VALUE, .type = &type_int.t};
    return true;
}

/* A bit field that fits an int is one in arithmetic, whatever its type: C11
 * 6.3.1.1. */
static const struct manifest_type *computed_type(const struct operand *operand)
{
    const struct manifest_type *type = operand->type;
    if (!operand->bit_width || !type_is_number(type) ||
        operand->bit_width > 32 || type->kind == MANIFEST_POINTER)
        return type;
    return operand->bit_width < 32 || type->is_signed ? &type_int.t
                                                      : &type_uint.t;
}

static bool compile_binary(struct compile *c, const struct node *node,
                           struct operand *out)
{
    struct operand left, right;
    if (node->op == PUNCT2('&', '&') || node->op == PUNCT2('|', '|'))
        return compile_logic(c, node, out);
    if (!compile_value(c, node->a, &left) || !compile_value(c, node->b, &right))
        return false;
    *out = (struct operand){.kind = OPERAND_VALUE};
    return emit_binary(c, node, computed_type(&left), computed_type(&right),
                       &out->type);
}

static bool compile_unary(struct compile *c, const struct node *node,
                          struct operand *out)
{
    struct operand inner;
    bool is_not = node->kind == NODE_NOT;
    if (!compile_value(c, node->a, &inner))
        return false;
    if (!type_is_number(inner.type) ||
        (!is_not && inner.type->kind == MANIFEST_POINTER)) {
        compile_error(c, node->at, "'", parser_quote(c->p, &node->a->at),
                      "' is no integer");
        return false;
    }
    *out = (struct operand){.kind = OPERAND_VALUE, .type = &type_int.t};
    if (is_not)
        return emit(c, op_of(OP_NOT, 8, false, 0), 0);
    out->type = promote(computed_type(&inner));
    return emit(
        c, op_of(OP_NEGATE, out->type->size_bytes, out->type->is_signed, 0), 0);
}

bool compile_node(struct compile *c, const struct node *node,
                  struct operand *out)
{
    switch (node->kind) {
    case NODE_NUMBER:
        return push_constant(c, node->value, node->type, out);
    case NODE_NAME:
        return compile_name(c, node, out);
    case NODE_RETURN:
    case NODE_ERRNO:
    case NODE_EXIT:
    case NODE_LONGJMP:
        return compile_special(c, node, out);
    case NODE_DEREF:
    case NODE_INDEX:
        return compile_index(c, node, out);
    case NODE_SLICE:
        compile_error(c, node->at,
                      "a slice is a value of input, output and attr only");
        return false;
    case NODE_MEMBER:
        return compile_member(c, node, out);
    case NODE_NOT:
    case NODE_MINUS:
        return compile_unary(c, node, out);
    case NODE_BINARY:
        return compile_binary(c, node, out);
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operands and operators of an expression to code. Arithmetic follows C: the
 * usual conversions decide width and sign, and each operation carries them.
 */
#include "manifest/meaning/emit.h"

bool emit(struct compile *c, struct code code, int effect)
{
    struct mark none = c->p->tok.at;
    c->stack = (uint32_t)((int)c->stack + effect);
    if (c->stack > c->stack_max)
        c->stack_max = c->stack;
    if (c->count >= LIMIT_EXPR_OPS || c->stack_max > EXPR_STACK) {
        compile_error(c, none, "this expression is too long");
        return false;
    }
    c->code[c->count++] = code;
    return true;
}

static struct code plain(enum code_op op, uint64_t size, bool is_signed,
                         uint32_t index, int64_t imm)
{
    return (struct code){.op = (uint8_t)op,
                         .size = (uint8_t)size,
                         .is_signed = is_signed,
                         .index = (uint8_t)index,
                         .imm = imm};
}

bool type_is_number(const struct manifest_type *type)
{
    return (type->kind == MANIFEST_INT || type->kind == MANIFEST_BOOL ||
            type->kind == MANIFEST_POINTER) &&
           type->size_bytes >= 1 && type->size_bytes <= 8;
}

enum manifest_value_type value_type_of(const struct manifest_type *type)
{
    switch (type->kind) {
    case MANIFEST_BOOL:
        return MANIFEST_VALUE_BOOL;
    case MANIFEST_INT:
        if (type->size_bytes > 8)
            return 0;
        return type->constant_count ? MANIFEST_VALUE_ENUM
               : type->is_signed    ? MANIFEST_VALUE_SIGNED
                                    : MANIFEST_VALUE_UNSIGNED;
    case MANIFEST_FLOAT:
        return type->size_bytes == 4    ? MANIFEST_VALUE_F32
               : type->size_bytes == 8  ? MANIFEST_VALUE_F64
               : type->size_bytes == 16 ? MANIFEST_VALUE_F80
                                        : 0;
    case MANIFEST_POINTER:
        return MANIFEST_VALUE_POINTER;
    default:
        return 0;
    }
}

const struct manifest_type *promote(const struct manifest_type *type)
{
    if (type->kind == MANIFEST_POINTER)
        return &type_ulong.t;
    if (type->size_bytes < 4)
        return &type_int.t;
    if (type->size_bytes == 4)
        return type->is_signed ? &type_int.t : &type_uint.t;
    return type->is_signed ? &type_long.t : &type_ulong.t;
}

bool emit_offset(struct compile *c, uint64_t offset_bytes)
{
    if (!offset_bytes)
        return true;
    return emit(c, plain(OP_PUSH, 0, 0, 0, (int64_t)offset_bytes), 1) &&
           emit(c, plain(OP_ADD, 8, false, 0, 0), -1);
}

/* ---- where values come from ------------------------------------------ */

/* `size` 8 takes the whole register. */
static bool emit_register(struct compile *c, enum manifest_place_kind kind,
                          uint32_t index, bool is_return, uint64_t size,
                          bool is_signed)
{
    if (kind == MANIFEST_IREG) {
        c->needs_return |= is_return;
        return emit(c,
                    plain(is_return ? OP_RETURN_IREG : OP_IREG, size, is_signed,
                          index, 0),
                    1);
    }
    c->needs_freg = true;
    c->needs_freg_params |= !is_return;
    c->needs_return |= is_return;
    return emit(
        c, plain(is_return ? OP_RETURN_FREG : OP_FREG, size, false, index, 0),
        1);
}

static bool emit_place(struct compile *c, const struct manifest_type *type,
                       struct manifest_place place, bool is_return,
                       struct operand *out)
{
    *out =
        (struct operand){.type = type, .place = place, .is_return = is_return};
    bool is_wide = type->size_bytes > 8 || place.second_kind != 0;
    if (type->kind == MANIFEST_RECORD || is_wide) {
        out->kind = OPERAND_REGISTER;
        return true;
    }
    if (!emit_register(c, place.kind, place.index, is_return, type->size_bytes,
                       type->is_signed))
        return false;
    /* The upper bits of a bool's register are not defined (3.2.3). */
    return type->kind != MANIFEST_BOOL ||
           emit(c, plain(OP_TO_BOOL, 1, 0, 0, 0), 0);
}

bool emit_param(struct compile *c, const struct manifest_type *type,
                struct manifest_place place, struct operand *out)
{
    switch (place.kind) {
    case MANIFEST_IREG:
    case MANIFEST_FREG:
        return emit_place(c, type, place, false, out);
    case MANIFEST_STACK:
        c->needs_stack = true;
        if (c->stack_bytes < place.index + type->size_bytes)
            c->stack_bytes = place.index + type->size_bytes;
        *out = (struct operand){.kind = OPERAND_ADDRESS, .type = type};
        return emit(c, plain(OP_STACK, 8, 0, 0, place.index), 1);
    case MANIFEST_ABSENT: /* all of it, or its first 8 bytes */
        if (place.second_kind == MANIFEST_IREG ||
            place.second_kind == MANIFEST_FREG)
            return emit_place(c, type, place, false, out);
        c->is_unknown = true;
        return false;
    case MANIFEST_UNKNOWN:
        c->is_unknown = true;
        return false;
    default:
        return false;
    }
}

/* A long double; of a complex one only the first half is a value, and that not
 * by itself. */
static bool emit_x87(struct compile *c)
{
    c->needs_x87 = c->needs_return = true;
    return emit(c, plain(OP_RETURN_X87, 16, 0, 0, 0), 2);
}

bool emit_return(struct compile *c, struct mark at, struct operand *out)
{
    const struct manifest_decl *decl = c->decl;
    switch (decl->return_place.kind) {
    case MANIFEST_X87:
        if (value_type_of(decl->return_type) == MANIFEST_VALUE_F80) {
            *out = (struct operand){.kind = OPERAND_VALUE,
                                    .type = decl->return_type};
            return emit_x87(c);
        }
        /* fall through */
    case MANIFEST_IREG:
    case MANIFEST_FREG:
        return emit_place(c, decl->return_type, decl->return_place, true, out);
    case MANIFEST_HIDDEN:
        *out = (struct operand){.kind = OPERAND_ADDRESS,
                                .type = decl->return_type};
        return emit_register(c, MANIFEST_IREG, 0, true, 8, false);
    case MANIFEST_UNKNOWN:
    case MANIFEST_ABSENT:
        c->is_unknown = true;
        return false;
    default:
        compile_error(c, at, "'", decl->name, "' returns nothing");
        return false;
    }
}

static bool emit_bits(struct compile *c, uint32_t shift, uint32_t width,
                      bool is_signed)
{
    if (shift && !emit(c, plain(OP_SHIFT, 8, 0, 0, shift), 0))
        return false;
    return width == 64 || emit(c, plain(OP_BITS, width, is_signed, 0, 0), 0);
}

void emit_leave_out(struct compile *c, struct mark at, const char *why_not,
                    const char *why)
{
    const struct node *item = c->item;
    const char *part = item && item->kind == NODE_MEMBER ? item->text : NULL;
    bool is_item =
        item && item->at.offset == at.offset && item->at.length == at.length;
    if (!is_item && !c->is_quiet) {
        compile_error(c, at, "'", parser_quote(c->p, &at), why_not);
        return;
    }
    c->is_unknown = true;
    if (c->is_quiet)
        return;
    if (part)
        parser_report(c->p, MANIFEST_NOT_YET, at, "'", part, "' of '",
                      parser_quote(c->p, &at), why, NULL);
    else
        parser_report(c->p, MANIFEST_NOT_YET, at, "'", parser_quote(c->p, &at),
                      why, NULL);
}

/* An array, or a member that lies across two registers. */
static void leave_out_part(struct compile *c, struct mark at)
{
    emit_leave_out(
        c, at,
        "': this part of a record in registers cannot be read; name a "
        "scalar member",
        "' is left out: only scalar members of a record in registers can "
        "be read");
}

static void leave_out_odd(struct compile *c, struct mark at,
                          const struct manifest_type *type)
{
    emit_leave_out(c, at,
                   type->kind == MANIFEST_RECORD
                       ? "' is a record; name one of its members"
                       : "' is no value that can be read",
                   "' is left out: no value is made of its type");
}

bool emit_piece(struct compile *c, struct mark at, struct operand *operand)
{
    const struct manifest_type *type = operand->type;
    uint64_t bit = operand->offset * 8 + operand->bit_offset;
    uint32_t width = operand->bit_width ? operand->bit_width
                                        : (uint32_t)type->size_bytes * 8;
    bool is_second = bit >= 64;
    enum manifest_place_kind kind =
        is_second ? operand->place.second_kind : operand->place.kind;
    if (kind == MANIFEST_ABSENT ||
        (bit < 64 && bit + width > 64 &&
         operand->place.second_kind == MANIFEST_ABSENT)) {
        c->is_unknown = true; /* placement.c said so */
        return false;
    }
    if (kind == MANIFEST_X87 && bit == 0 &&
        value_type_of(type) == MANIFEST_VALUE_F80) {
        operand->kind = OPERAND_VALUE;
        return emit_x87(c);
    }
    if (value_type_of(type) == 0 && type->kind != MANIFEST_ARRAY) {
        leave_out_odd(c, at, type);
        return false;
    }
    if (value_type_of(type) == 0 || bit % 64 + width > 64 ||
        (kind != MANIFEST_IREG && kind != MANIFEST_FREG)) {
        leave_out_part(c, at);
        return false;
    }
    uint32_t index =
        is_second ? operand->place.second_index : operand->place.index;
    if (!emit_register(c, kind, index, operand->is_return, 8, false) ||
        !emit_bits(c, (uint32_t)(bit % 64), width, type->is_signed))
        return false;
    operand->kind = OPERAND_VALUE;
    return type->kind != MANIFEST_BOOL ||
           emit(c, plain(OP_TO_BOOL, 1, 0, 0, 0), 0);
}

static bool emit_load(struct compile *c, struct mark at,
                      struct operand *operand)
{
    const struct manifest_type *type = operand->type;
    c->needs_memory = true;
    if (operand->bit_width) {
        uint32_t bits = operand->bit_offset + operand->bit_width;
        if (bits > 64) {
            emit_leave_out(
                c, at, "': a packed bit field over 9 bytes is not read",
                "' is left out: it is a packed bit field over 9 bytes");
            return false;
        }
        return emit(c, plain(OP_LOAD, (bits + 7) / 8, 0, 0, 0), 0) &&
               emit_bits(c, operand->bit_offset, operand->bit_width,
                         type->is_signed && type->kind == MANIFEST_INT);
    }
    if (value_type_of(type) == MANIFEST_VALUE_F80)
        return emit(c, plain(OP_LOAD_WIDE, 16, 0, 0, 0), 1);
    bool is_signed = type->is_signed && type->kind == MANIFEST_INT;
    return emit(c, plain(OP_LOAD, type->size_bytes, is_signed, 0, 0), 0) &&
           (type->kind != MANIFEST_BOOL ||
            emit(c, plain(OP_TO_BOOL, 1, 0, 0, 0), 0));
}

bool emit_value(struct compile *c, struct mark at, struct operand *operand)
{
    const struct manifest_type *type = operand->type;
    if (operand->kind == OPERAND_REGISTER)
        return emit_piece(c, at, operand);
    if (operand->kind == OPERAND_VALUE)
        return true;
    if (type->kind == MANIFEST_ARRAY) {
        operand->array_bytes = type->size_bytes;
        operand->type = type_pointer_to(c->p, type->to);
        operand->kind = OPERAND_VALUE;
        return operand->type != NULL;
    }
    if (value_type_of(type) == 0) {
        leave_out_odd(c, at, type);
        return false;
    }
    operand->kind = OPERAND_VALUE;
    return emit_load(c, at, operand);
}

/* ---- operators ------------------------------------------------------- */

static enum code_op comparison(uint32_t op)
{
    switch (op) {
    case PUNCT2('=', '='):
        return OP_EQ;
    case PUNCT2('!', '='):
        return OP_NE;
    case '<':
        return OP_LT;
    case PUNCT2('<', '='):
        return OP_LE;
    case '>':
        return OP_GT;
    case PUNCT2('>', '='):
        return OP_GE;
    }
    return OP_PUSH;
}

static bool check_numbers(struct compile *c, const struct node *node,
                          const struct manifest_type *left,
                          const struct manifest_type *right)
{
    const struct manifest_type *bad = !type_is_number(left) ? left : right;
    if (type_is_number(left) && type_is_number(right))
        return true;
    const struct mark *at = bad == left ? &node->a->at : &node->b->at;
    compile_error(c, *at, "'", parser_quote(c->p, at), "' is ",
                  bad->kind == MANIFEST_FLOAT
                      ? "floating point; expressions compare and compute "
                        "integers only"
                      : "no integer or pointer");
    return false;
}

static bool emit_pointer_arithmetic(struct compile *c, const struct node *node,
                                    const struct manifest_type *left,
                                    const struct manifest_type *right,
                                    const struct manifest_type **result)
{
    uint64_t size = left->kind == MANIFEST_POINTER ? left->to->size_bytes : 0;
    bool is_void =
        left->kind == MANIFEST_POINTER && left->to->kind == MANIFEST_VOID;
    bool is_difference = right->kind == MANIFEST_POINTER;
    bool is_minus = node->op == '-';
    size = is_void ? 1 : size;
    if (!size || (!is_minus && node->op != '+') ||
        (is_difference && !is_minus)) {
        compile_error(c, node->at, "'", parser_quote(c->p, &node->at),
                      "': this cannot be done with pointers");
        return false;
    }
    enum code_op op = is_minus ? OP_SUB : OP_ADD;
    struct code scale = plain(OP_PUSH, 0, 0, 0, (int64_t)size);
    if (is_difference) {
        *result = &type_ptrdiff.t;
        return emit(c, plain(op, 8, true, 0, 0), -1) && emit(c, scale, 1) &&
               emit(c, plain(OP_DIV, 8, true, 0, 0), -1);
    }
    *result = left;
    return emit(c, scale, 1) && emit(c, plain(OP_MUL, 8, true, 0, 0), -1) &&
           emit(c, plain(op, 8, false, 0, 0), -1);
}

static void warn_constant(struct compile *c, const struct node *node,
                          enum code_op op, const struct manifest_type *type)
{
    bool is_zero = node->b->kind == NODE_NUMBER && node->b->value == 0;
    if (type->is_signed || !is_zero || (op != OP_LT && op != OP_GE))
        return;
    parser_warn(c->p, node->at, "'", parser_quote(c->p, &node->a->at),
                "' is unsigned, so this is ",
                op == OP_LT ? "never true" : "always true");
}

bool emit_binary(struct compile *c, const struct node *node,
                 const struct manifest_type *left,
                 const struct manifest_type *right,
                 const struct manifest_type **result)
{
    static const char arithmetic[] = "+-*/%";
    static const uint8_t ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD};
    enum code_op compare = comparison(node->op);
    bool has_pointer =
        left->kind == MANIFEST_POINTER || right->kind == MANIFEST_POINTER;
    if (!check_numbers(c, node, left, right))
        return false;
    const struct manifest_type *a = promote(left), *b = promote(right);
    const struct manifest_type *common =
        a->size_bytes != b->size_bytes ? (a->size_bytes > b->size_bytes ? a : b)
        : a->is_signed                 ? b
                                       : a;
    if (compare != OP_PUSH) {
        warn_constant(c, node, compare, common);
        *result = &type_int.t;
        return emit(
            c, plain(compare, common->size_bytes, common->is_signed, 0, 0), -1);
    }
    if (has_pointer)
        return emit_pointer_arithmetic(c, node, left, right, result);
    *result = common;
    for (size_t i = 0; i < sizeof(ops); i++)
        if ((uint32_t)arithmetic[i] == node->op)
            return emit(
                c, plain(ops[i], common->size_bytes, common->is_signed, 0, 0),
                -1);
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See location.h. What a compiler writes for variables on x86-64 is understood;
 * other operations count as not known. */
#include "tools/symbolize/location.h"
#include <dwarf.h>
#include <string.h>
#include "tools/symbolize/entry.h"

enum {
    DEPTH = 32,
    REGISTERS = 17,
    DWARF_RSP = 7,
};
enum form {
    IN_MEMORY, /* the top of the stack is its address */
    IN_REGISTER,
    IS_VALUE,    /* the top of the stack is it */
    IS_IMPLICIT, /* bytes in the expression */
    IS_GONE,
};

struct machine {
    const struct location_place *place;
    Dwarf_Attribute *attr;
    uint64_t stack[DEPTH];
    int depth;
    enum form form;
    uint64_t reg;
    Dwarf_Block block;
    enum location_end end;
};

size_t location_memory(const struct location_place *place, uint64_t address,
                       void *out, size_t cap_bytes)
{
    uint64_t at = address - place->first_address;
    if (address < place->first_address || at >= place->len_bytes)
        return 0;
    size_t len = place->len_bytes - at;
    len = len < cap_bytes ? len : cap_bytes;
    memcpy(out, place->bytes + at, len);
    return len;
}

static void push(struct machine *m, uint64_t value)
{
    if (m->depth == DEPTH)
        m->end = LOCATION_UNKNOWN;
    else
        m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
    if (m->depth > 0)
        return m->stack[--m->depth];
    m->end = LOCATION_UNKNOWN;
    return 0;
}

static uint64_t reg(struct machine *m, uint64_t number)
{
    const struct location_frame *frame = m->place->frame;
    if (number < REGISTERS && frame->known >> number & 1)
        return frame->registers[number];
    m->end = LOCATION_UNKNOWN;
    return 0;
}

static uint64_t frame_base(struct machine *m)
{
    Dwarf_Op *op;
    size_t count;
    uint64_t value = 0;
    if (!m->place->base ||
        dwarf_getlocation_addr(m->place->base, m->place->pc, &op, &count, 1) !=
            1 ||
        count != 1)
        m->end = LOCATION_UNKNOWN;
    else if (op->atom == DW_OP_call_frame_cfa)
        value = m->place->frame->cfa;
    else if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
        value = reg(m, op->atom - DW_OP_reg0);
    else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
        value = reg(m, op->atom - DW_OP_breg0) + op->number;
    if (value == 0)
        m->end = LOCATION_UNKNOWN;
    return value;
}

static void load(struct machine *m, size_t len)
{
    uint64_t value = 0;
    uint64_t address = pop(m);
    if (len > sizeof value ||
        location_memory(m->place, address, &value, len) != len)
        m->end = LOCATION_UNKNOWN;
    push(m, value);
}

static void do_binary(struct machine *m, uint8_t atom)
{
    uint64_t b = pop(m), a = pop(m);
    unsigned bits = (unsigned)(b & 63);
    switch (atom) {
    case DW_OP_plus:
        push(m, a + b);
        break;
    case DW_OP_minus:
        push(m, a - b);
        break;
    case DW_OP_mul:
        push(m, a * b);
        break;
    case DW_OP_and:
        push(m, a & b);
        break;
    case DW_OP_or:
        push(m, a | b);
        break;
    case DW_OP_xor:
        push(m, a ^ b);
        break;
    case DW_OP_shl:
        push(m, b < 64 ? a << bits : 0);
        break;
    case DW_OP_shr:
        push(m, b < 64 ? a >> bits : 0);
        break;
    case DW_OP_shra:
        push(m, (uint64_t)((int64_t)a >> (b < 64 ? bits : 63)));
        break;
    default:
        m->end = LOCATION_UNKNOWN;
    }
}

/* Constants and what is on the stack already. */
static bool do_simple(struct machine *m, const Dwarf_Op *op)
{
    uint64_t a;
    switch (op->atom) {
    case DW_OP_const1u ... DW_OP_consts:
        push(m, op->number);
        return true;
    case DW_OP_lit0 ... DW_OP_lit31:
        push(m, (uint64_t)(op->atom - DW_OP_lit0));
        return true;
    case DW_OP_addr:
        push(m, op->number + m->place->bias);
        return true;
    case DW_OP_dup:
        a = pop(m);
        push(m, a);
        push(m, a);
        return true;
    case DW_OP_drop:
        (void)pop(m);
        return true;
    case DW_OP_neg:
        push(m, 0 - pop(m));
        return true;
    case DW_OP_not:
        push(m, ~pop(m));
        return true;
    case DW_OP_plus_uconst:
        push(m, pop(m) + op->number);
        return true;
    case DW_OP_nop:
        return true;
    default:
        return false;
    }
}

static bool do_frame(struct machine *m, const Dwarf_Op *op)
{
    switch (op->atom) {
    case DW_OP_breg0 ... DW_OP_breg31:
        push(m, reg(m, op->atom - DW_OP_breg0) + op->number);
        return true;
    case DW_OP_bregx:
        push(m, reg(m, op->number) + op->number2);
        return true;
    case DW_OP_fbreg:
        push(m, frame_base(m) + op->number);
        return true;
    case DW_OP_call_frame_cfa:
        push(m, m->place->frame->cfa);
        if (m->place->frame->cfa == 0)
            m->end = LOCATION_UNKNOWN;
        return true;
    case DW_OP_deref:
        load(m, sizeof(uint64_t));
        return true;
    case DW_OP_deref_size:
        load(m, op->number);
        return true;
    default:
        return false;
    }
}

/* The expression in it is a register. */
static void push_entry(struct machine *m, const Dwarf_Op *op)
{
    Dwarf_Attribute inner;
    Dwarf_Op *of;
    size_t count;
    uint64_t value = 0;
    if (!m->place->function || !m->place->chain ||
        dwarf_getlocation_attr(m->attr, op, &inner) != 0 ||
        dwarf_getlocation(&inner, &of, &count) != 0 || count != 1 ||
        of->atom < DW_OP_reg0 || of->atom > DW_OP_reg31 ||
        !entry_value(m->place, of->atom - DW_OP_reg0, &value))
        m->end = LOCATION_GONE;
    push(m, value);
}

static void do_op(struct machine *m, const Dwarf_Op *op)
{
    switch (op->atom) {
    case DW_OP_reg0 ... DW_OP_reg31:
        m->form = IN_REGISTER;
        m->reg = op->atom - DW_OP_reg0;
        break;
    case DW_OP_regx:
        m->form = IN_REGISTER;
        m->reg = op->number;
        break;
    case DW_OP_stack_value:
        m->form = IS_VALUE;
        break;
    case DW_OP_implicit_value:
        m->form = IS_IMPLICIT;
        if (dwarf_getlocation_implicit_value(m->attr, op, &m->block) != 0)
            m->end = LOCATION_UNKNOWN;
        break;
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
        push_entry(m, op);
        break;
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
        m->end = LOCATION_GONE;
        break;
    default:
        if (!do_simple(m, op) && !do_frame(m, op))
            do_binary(m, op->atom);
    }
}

/* What the operations so far stand for. */
static void fetch(struct machine *m, uint8_t *out, size_t len)
{
    uint64_t value = 0;
    switch (m->form) {
    case IN_MEMORY:
        if (m->depth == 0)
            m->end = LOCATION_GONE; /* a piece without location */
        else if (location_memory(m->place, pop(m), out, len) != len)
            m->end = m->end ? m->end : LOCATION_UNKNOWN;
        return;
    case IN_REGISTER:
        value = reg(m, m->reg);
        break;
    case IS_VALUE:
        value = pop(m);
        break;
    case IS_IMPLICIT:
        memset(out, 0, len);
        if (m->end == LOCATION_FOUND)
            memcpy(out, m->block.data,
                   m->block.length < len ? m->block.length : len);
        return;
    case IS_GONE:
        m->end = LOCATION_GONE;
        return;
    }
    memset(out, 0, len);
    memcpy(out, &value, len < sizeof value ? len : sizeof value);
    if (len > sizeof value)
        m->end = LOCATION_UNKNOWN;
}

static enum location_end evaluate(struct machine *m, const Dwarf_Op *op,
                                  size_t count, uint8_t *out, size_t len)
{
    size_t done = 0;
    for (size_t i = 0; i < count && m->end == LOCATION_FOUND; i++) {
        if (op[i].atom != DW_OP_piece) {
            do_op(m, &op[i]);
            continue;
        }
        size_t part = op[i].number;
        if (part > len - done)
            return LOCATION_UNKNOWN;
        fetch(m, out + done, part);
        done += part;
        m->form = IN_MEMORY;
        m->depth = 0;
    }
    if (m->end == LOCATION_FOUND && done == 0)
        fetch(m, out, len);
    else if (m->end == LOCATION_FOUND && done < len)
        m->end = LOCATION_UNKNOWN;
    return m->end;
}

bool location_evaluate(const struct location_place *place,
                       Dwarf_Attribute *attr, uint64_t *value)
{
    struct machine m = {.place = place, .attr = attr};
    Dwarf_Op *op;
    size_t count;
    if (dwarf_getlocation(attr, &op, &count) != 0 || count == 0)
        return false;
    for (size_t i = 0; i < count && m.end == LOCATION_FOUND; i++)
        do_op(&m, &op[i]);
    *value = m.form == IN_REGISTER ? reg(&m, m.reg) : pop(&m);
    return m.end == LOCATION_FOUND && m.form != IS_IMPLICIT;
}

/* A constant all over the function. */
static enum location_end read_constant(Dwarf_Die *variable, uint8_t *out,
                                       size_t len)
{
    Dwarf_Attribute attr;
    Dwarf_Block block;
    Dwarf_Sword value;
    if (!dwarf_attr_integrate(variable, DW_AT_const_value, &attr))
        return LOCATION_GONE;
    memset(out, 0, len);
    if (dwarf_formblock(&attr, &block) == 0)
        memcpy(out, block.data, block.length < len ? block.length : len);
    else if (dwarf_formsdata(&attr, &value) == 0)
        memcpy(out, &value, len < sizeof value ? len : sizeof value);
    else
        return LOCATION_UNKNOWN;
    return LOCATION_FOUND;
}

enum location_end location_read(const struct location_place *place,
                                Dwarf_Die *variable, uint8_t *out,
                                size_t len_bytes)
{
    Dwarf_Attribute attr;
    Dwarf_Op *op;
    size_t count;
    if (!dwarf_attr_integrate(variable, DW_AT_location, &attr))
        return read_constant(variable, out, len_bytes);
    int found = dwarf_getlocation_addr(&attr, place->pc, &op, &count, 1);
    if (found != 1 || count == 0)
        return found < 0 ? LOCATION_UNKNOWN : LOCATION_GONE;
    struct machine m = {.place = place, .attr = &attr};
    return evaluate(&m, op, count, out, len_bytes);
}

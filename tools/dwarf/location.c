/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See location.h. Only what holds at the first byte counts: a list of
 * locations is asked for that address; a single expression that speaks of the
 * function's own frame (code that was not optimized) holds after the prologue
 * alone and says nothing.
 */
#include "tools/dwarf/location.h"
#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    RBP = 6,
    RSP = 7,
    XMM0 = 17,
    CALL_BYTES = 8, /* the return address, at the stack pointer */
    PIECES = 2,
    CC_X86_64_SYSV = 0xc2, /* LLVM's; the parameters of these are as usual */
    CC_PRESERVE_MOST = 0xc9,
    CC_PRESERVE_ALL = 0xca,
};

static const char *const gprs[16] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                     "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                     "r12", "r13", "r14", "r15"};

static void register_name(uint64_t number, char out[16])
{
    if (number < 16)
        snprintf(out, 16, "%s", gprs[number]);
    else if (number >= XMM0 && number < XMM0 + 16)
        snprintf(out, 16, "xmm%u", (unsigned)(number - XMM0));
    else
        snprintf(out, 16, "other");
}

static bool passes_parameters(int number)
{
    return (number >= 1 && number <= 9 && number != 3 && number != RBP &&
            number != RSP) ||
           (number >= XMM0 && number < XMM0 + 8);
}

/* The register of DW_OP_reg<n> and its like; -1: another operation. */
static int register_of(const Dwarf_Op *op)
{
    if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
        return op->atom - DW_OP_reg0;
    return op->atom == DW_OP_regx && op->number < 128 ? (int)op->number : -1;
}

static int base_register_of(const Dwarf_Op *op)
{
    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
        return op->atom - DW_OP_breg0;
    return op->atom == DW_OP_bregx && op->number < 128 ? (int)op->number : -1;
}

static int64_t base_offset_of(const Dwarf_Op *op)
{
    return (int64_t)(op->atom == DW_OP_bregx ? op->number2 : op->number);
}

bool location_is_gcc(Dwarf_Die *function)
{
    Dwarf_Die cu;
    Dwarf_Attribute a;
    const char *producer = NULL;
    if (dwarf_diecu(function, &cu, NULL, NULL) &&
        dwarf_attr(&cu, DW_AT_producer, &a))
        producer = dwarf_formstring(&a);
    return producer && strncmp(producer, "GNU ", 4) == 0;
}

bool location_is_foreign(Dwarf_Die *function)
{
    Dwarf_Attribute a;
    Dwarf_Word how;
    return dwarf_attr_integrate(function, DW_AT_calling_convention, &a) &&
           dwarf_formudata(&a, &how) == 0 && how >= DW_CC_lo_user &&
           how != CC_X86_64_SYSV && how != CC_PRESERVE_MOST &&
           how != CC_PRESERVE_ALL;
}

/* ---- memory ------------------------------------------------------------- */

static void put_stack(int64_t offset, char out[LOCATION_TEXT])
{
    if (offset >= 0) /* below is the function's own frame */
        snprintf(out, LOCATION_TEXT, "+%" PRId64, offset);
}

/* In DWARF 2 a list. */
static const Dwarf_Op *frame_base(Dwarf_Die *function)
{
    Dwarf_Attribute a;
    Dwarf_Op *base;
    Dwarf_Addr low;
    size_t count = 0;
    if (!dwarf_attr(function, DW_AT_frame_base, &a))
        return NULL;
    if (dwarf_getlocation(&a, &base, &count) != 0 &&
        (!debug_entry_pc(function, &low) ||
         dwarf_getlocation_addr(&a, low, &base, &count, 1) != 1))
        return NULL;
    return count == 1 ? base : NULL;
}

/* DW_OP_fbreg: from the canonical frame address, where the stack arguments
 * begin; or from a register that the prologue sets. */
static void put_frame(Dwarf_Die *function, int64_t offset, bool is_list,
                      char out[LOCATION_TEXT])
{
    const Dwarf_Op *base = frame_base(function);
    if (!base) {
        /* gcc's lists say the canonical frame address, also where it wrote
         * them for another base (-gstrict-dwarf with several sections) */
        if (location_is_gcc(function) &&
            dwarf_hasattr(function, DW_AT_frame_base))
            put_stack(offset, out);
        return;
    }
    if (base[0].atom == DW_OP_call_frame_cfa)
        put_stack(offset, out);
    else if (base_register_of(&base[0]) == RSP)
        put_stack(offset + base_offset_of(&base[0]) - CALL_BYTES, out);
    else if (register_of(&base[0]) == RSP && is_list)
        put_stack(offset - CALL_BYTES, out);
    else if (register_of(&base[0]) == RBP && !is_list) /* rbp, once it is set */
        put_stack(offset - 2 * CALL_BYTES, out);
}

/* ---- expressions -------------------------------------------------------- */

static int entry_register(Dwarf_Attribute *a, const Dwarf_Op *op)
{
    Dwarf_Attribute value;
    Dwarf_Op *inner;
    size_t count;
    if ((op->atom != DW_OP_entry_value && op->atom != DW_OP_GNU_entry_value) ||
        dwarf_getlocation_attr(a, op, &value) != 0 ||
        dwarf_getlocation(&value, &inner, &count) != 0 || count != 1)
        return -1;
    return register_of(&inner[0]);
}

/* What lies in pieces: which register holds the bytes 0 and 8 (-1: none), and
 * is anything said of each 8 bytes? */
struct pieces {
    int in[PIECES];
    bool is_said[PIECES];
};

static bool read_pieces(const Dwarf_Op *ops, size_t count, struct pieces *out)
{
    uint64_t at = 0;
    size_t from = 0;
    *out = (struct pieces){.in = {-1, -1}};
    for (size_t i = 0; i < count; i++) {
        if (ops[i].atom != DW_OP_piece)
            continue;
        bool is_register = i == from + 1 && register_of(&ops[from]) >= 0;
        if (at % 8 == 0 && at / 8 < PIECES && is_register)
            out->in[at / 8] = register_of(&ops[from]);
        for (uint64_t n = 0; n < ops[i].number && at < 8 * PIECES; n++, at++)
            out->is_said[at / 8] |= i > from;
        from = i + 1;
    }
    return from == count;
}

static uint64_t bytes_of(Dwarf_Die *param)
{
    Dwarf_Die type;
    Dwarf_Word bytes;
    Dwarf_Attribute a;
    return dwarf_attr_integrate(param, DW_AT_type, &a) &&
                   dwarf_formref_die(&a, &type) &&
                   dwarf_aggregate_size(&type, &bytes) == 0
               ? bytes
               : 0;
}

/* `may_lose`: what is not said of 16 bytes may not be passed. */
static void put_pieces(const Dwarf_Op *ops, size_t count, uint64_t bytes,
                       bool may_lose, char out[LOCATION_TEXT])
{
    char text[PIECES][16];
    struct pieces p;
    if (!read_pieces(ops, count, &p))
        return;
    bool is_pair = bytes > 8 && bytes <= 8 * PIECES;
    may_lose &= bytes && bytes <= 8 * PIECES;
    bool is_lost = may_lose && (!p.is_said[0] || (is_pair && !p.is_said[1]));
    if (is_lost && !p.is_said[0] && (!is_pair || !p.is_said[1])) {
        snprintf(out, LOCATION_TEXT, "-");
        return;
    }
    for (int i = 0; i < PIECES; i++)
        if (is_lost && !p.is_said[i])
            snprintf(text[i], sizeof text[i], "-");
        else if (p.in[i] < 0)
            snprintf(text[i], sizeof text[i], "?");
        else
            register_name((uint64_t)p.in[i], text[i]);
    if (is_lost || (p.in[0] >= 0 && p.in[1] >= 0))
        snprintf(out, LOCATION_TEXT, "%s:%s", text[0], text[1]);
    else if (p.in[0] >= 0)
        snprintf(out, LOCATION_TEXT, "%s", text[0]);
}

static bool has_atom(const Dwarf_Op *ops, size_t count, unsigned atom)
{
    for (size_t i = 0; i < count; i++)
        if (ops[i].atom == atom)
            return true;
    return false;
}

static bool is_conversion(const Dwarf_Op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ops[i].atom != DW_OP_convert && ops[i].atom != DW_OP_stack_value)
            return false;
    return true;
}

static void put_expression(Dwarf_Die *function, Dwarf_Die *param,
                           Dwarf_Attribute *a, const Dwarf_Op *ops,
                           size_t count, bool is_list, char out[LOCATION_TEXT])
{
    char name[16];
    int number = register_of(&ops[0]), base = base_register_of(&ops[0]);
    int entry = entry_register(a, &ops[0]);
    bool is_value = has_atom(ops, count, DW_OP_stack_value);
    if (has_atom(ops, count, DW_OP_piece)) {
        put_pieces(
            ops, count, bytes_of(param),
            !location_is_gcc(function) && location_is_optimized(function), out);
    } else if (number >= 0 && count == 1) {
        register_name((uint64_t)number, name);
        /* without tracking (-fno-var-tracking) gcc says where it is later */
        bool is_gcc = location_is_gcc(function);
        if (is_list || passes_parameters(number) || !is_gcc)
            snprintf(out, LOCATION_TEXT, "%s%s", is_list || is_gcc ? "" : "!",
                     name);
    } else if (entry >= 0 && is_conversion(ops + 1, count - 1)) {
        register_name((uint64_t)entry, name);
        snprintf(out, LOCATION_TEXT, "%s", name);
    } else if (ops[0].atom == DW_OP_fbreg && count == 1) {
        if (!is_list && !location_is_gcc(function) &&
            location_is_optimized(function))
            snprintf(out, LOCATION_TEXT, "=");
        else
            put_frame(function, (int64_t)ops[0].number, is_list, out);
    } else if (base == RSP && count == 1) {
        if (is_list)
            put_stack(base_offset_of(&ops[0]) - CALL_BYTES, out);
    } else if (base >= 0 && base_offset_of(&ops[0]) == 0 &&
               is_conversion(ops + 1, count - 1)) {
        register_name((uint64_t)base, name);
        snprintf(out, LOCATION_TEXT, "%s%s", is_value ? "" : "*", name);
    } else if (is_value) {
        /* computed of something else: the caller passes none of it */
        snprintf(out, LOCATION_TEXT, "-");
    }
}

void location_at_entry(Dwarf_Die *function, Dwarf_Die *param, uint64_t pc,
                       char out[LOCATION_TEXT])
{
    Dwarf_Attribute a;
    Dwarf_Op *ops = NULL;
    size_t count = 0;
    bool is_gcc = location_is_gcc(function);
    snprintf(out, LOCATION_TEXT, "?");
    int found = dwarf_attr(param, DW_AT_location, &a)
                    ? dwarf_getlocation_addr(&a, pc, &ops, &count, 1)
                    : 0;
    if (found < 0)
        return;
    if (found == 0 || count == 0) {
        bool is_later = dwarf_hasattr(param, DW_AT_location);
        if (!is_gcc)
            snprintf(out, LOCATION_TEXT, is_later ? "~" : "-");
        return;
    }
    unsigned form = dwarf_whatform(&a);
    bool is_list = form == DW_FORM_sec_offset || form == DW_FORM_loclistx ||
                   form == DW_FORM_data4 || form == DW_FORM_data8;
    put_expression(function, param, &a, ops, count, is_list, out);
    if (is_gcc && strcmp(out, "-") == 0)
        snprintf(out, LOCATION_TEXT, "?");
    /* clang takes structs in memory apart, and passes what it needs of them */
    if (!is_gcc && strcmp(out, "?") == 0 && location_is_optimized(function))
        snprintf(out, LOCATION_TEXT, "%%");
}

/* ---- parameters --------------------------------------------------------- */

void location_declared(Dwarf_Die *function, Dwarf_Die *out)
{
    Dwarf_Attribute a;
    *out = *function;
    if (dwarf_attr(function, DW_AT_abstract_origin, &a))
        (void)!dwarf_formref_die(&a, out);
}

bool location_concrete(Dwarf_Die *function, Dwarf_Die *declared, Dwarf_Die *out)
{
    Dwarf_Attribute a;
    Dwarf_Die origin;
    for (int more = dwarf_child(function, out); more == 0;
         more = dwarf_siblingof(out, out)) {
        if (out->addr == declared->addr)
            return true;
        if (dwarf_tag(out) == DW_TAG_formal_parameter &&
            dwarf_attr(out, DW_AT_abstract_origin, &a) &&
            dwarf_formref_die(&a, &origin) && origin.addr == declared->addr)
            return true;
    }
    return false;
}

/* ---- optimization ------------------------------------------------------- */

/* At -O0 clang has a frame pointer, and each parameter at one place of the
 * frame for good. */
static bool is_framed(Dwarf_Die *function)
{
    Dwarf_Attribute a;
    Dwarf_Op *ops;
    size_t count;
    Dwarf_Die child;
    if (!dwarf_attr(function, DW_AT_frame_base, &a) ||
        dwarf_getlocation(&a, &ops, &count) != 0 || count != 1 ||
        register_of(&ops[0]) != RBP)
        return false;
    for (int more = dwarf_child(function, &child); more == 0;
         more = dwarf_siblingof(&child, &child))
        if (dwarf_tag(&child) == DW_TAG_formal_parameter &&
            (!dwarf_attr(&child, DW_AT_location, &a) ||
             dwarf_getlocation(&a, &ops, &count) != 0 || count == 0 ||
             ops[0].atom != DW_OP_fbreg))
            return false;
    return true;
}

bool location_is_optimized(Dwarf_Die *function)
{
    Dwarf_Die cu, child;
    if (!dwarf_diecu(function, &cu, NULL, NULL))
        return true;
    for (int more = dwarf_child(&cu, &child); more == 0;
         more = dwarf_siblingof(&child, &child))
        if (dwarf_tag(&child) == DW_TAG_subprogram &&
            dwarf_hasattr(&child, DW_AT_frame_base) && !is_framed(&child))
            return true;
    return !is_framed(function);
}

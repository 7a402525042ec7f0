/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control flow of the proof: where a path goes on, and what may not be left
 * to chance there. Paths out of the function are followed with their state
 * (its other parts), or become further functions of the proof (tail jumps).
 */
#include "shim/plan/prove/prove_internal.h"
#include "shim/plan/image/image_internal.h"

enum {
    PLT_INSTRUCTIONS = 3
};

/* ---- tail jumps
 * ----------------------------------------------------------------- */

static void check_tail_arguments(struct prover *p, const struct state *s,
                                 uint64_t pc)
{
    static const int arguments[] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_RCX,
                                    GPR_R8,  GPR_R9,  GPR_RAX};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        const struct value *v = &s->reg[arguments[i]];
        if (v->kind != VALUE_STACK || v->symbol != 0)
            continue;
        if (v->wide && RULE(CALL_INDEXED))
            prove_doubt(p, PLAN_STACK_INDEXED,
                        "passes an address at an unknown index", pc);
        else if (v->high >= -8 && v->high < 0 && RULE(RETURN_SLOT))
            prove_fail(p, PLAN_STACK_UNKNOWN,
                       "a pointer to its return address escapes", pc);
    }
}

static void tail_anywhere(struct prover *p, const struct state *s, uint64_t pc)
{
    check_tail_arguments(p, s, pc);
    if (RULE(INDIRECT_TAIL))
        prove_doubt(p, PLAN_STACK_TAIL, "tail-jumps to where is not known", pc);
}

static void tail_to(struct prover *p, const struct plan_image *image,
                    uint64_t target, const struct state *s, uint64_t pc)
{
    check_tail_arguments(p, s, pc);
    if (RULE(TAIL_PROVED))
        prove_add_target(p, image, target, pc);
}

/* Does the loader alone decide what stands in this word? */
static bool slot_is_constant(const struct plan_image *image,
                             const struct plan_slot *slot)
{
    if (slot->type == R_X86_64_JUMP_SLOT || slot->type == R_X86_64_GLOB_DAT)
        return true;
    return slot->type == R_X86_64_RELATIVE &&
           image_is_constant(image, slot->vaddr);
}

/* They look at their return address to learn who asks: whose RUNPATH, whose
 * next object, whose namespace. */
static bool asks_its_caller(const char *name)
{
    static const char *const names[] = {"dlopen",  "dlmopen",   "dlsym",
                                        "dlvsym",  "dlinfo",    "mcount",
                                        "_mcount", "__fentry__"};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* A tail jump through a word of the GOT. */
static void tail_slot(struct prover *p, uint64_t vaddr, const struct state *s,
                      uint64_t pc)
{
    const struct plan_image *image = p->reader.image, *target_image = NULL;
    const struct plan_resolver *resolver = p->resolver;
    struct plan_slot slot;
    uint64_t target;
    if (!RULE(TAIL_SLOT))
        return;
    if (plan_image_find_slot(image, vaddr, &slot) < 0 ||
        (!slot_is_constant(image, &slot) && RULE(SLOT_WRITABLE))) {
        tail_anywhere(p, s, pc);
    } else if (asks_its_caller(slot.name) && RULE(TAIL_ASKS)) {
        prove_fail(p, PLAN_STACK_CALLER, "jumps to who asks for its caller",
                   pc);
    } else if (slot.is_bound_here) {
        tail_to(p, image, slot.definition, s, pc);
    } else if (resolver != NULL && resolver->resolve_slot != NULL &&
               resolver->resolve_slot(resolver->context, image, vaddr,
                                      &target_image, &target) == 0) {
        tail_to(p, target_image, target, s, pc);
    } else {
        tail_anywhere(p, s, pc);
    }
}

/* A stub of the PLT: [endbr64] jmp *slot(%rip). */
static bool plt_slot(struct prover *p, uint64_t target, uint64_t *slot)
{
    struct plan_insn insn;
    for (int i = 0; i < PLT_INSTRUCTIONS; i++) {
        if (!plan_decode(&p->reader, target, &insn))
            return false;
        if (insn.in.mnemonic == ZYDIS_MNEMONIC_JMP &&
            insn.op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            insn.op[0].mem.base == ZYDIS_REGISTER_RIP) {
            *slot = insn.next + (uint64_t)insn.op[0].mem.disp.value;
            return true;
        }
        if (insn.in.mnemonic != ZYDIS_MNEMONIC_ENDBR64)
            return false;
        target = insn.next;
    }
    return false;
}

/* ---- jumps
 * ------------------------------------------------------------------------ */

static bool holds_pointer(const struct state *s)
{
    for (int i = 0; i < GPR_COUNT; i++)
        if (i != GPR_RSP && s->reg[i].kind == VALUE_STACK)
            return true;
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slot[i].value.kind == VALUE_STACK)
            return true;
    return false;
}

static bool starts_function(struct prover *p, uint64_t target)
{
    const struct fde_rows *rows = rows_of(p, target);
    if (rows == NULL || rows->fde.low != target)
        return false;
    const struct plan_row *row = row_at(p, target);
    return row->kind == PLAN_ROW_REGISTER && row->reg == GPR_RSP &&
           row->offset == 8;
}

static bool is_named_function(struct prover *p, uint64_t vaddr)
{
    struct plan_symbol symbol;
    return plan_image_symbol_at(p->reader.image, vaddr, &symbol) == 0 &&
           strstr(symbol.name, ".cold") == NULL;
}

/*
 * Is this a jump to another function, or to another part of the same one? A
 * part may use pointers that are still in registers, so with any of those
 * only a name settles it; following is right in either case.
 */
static bool is_tail_jump(struct prover *p, uint64_t target,
                         const struct state *s)
{
    if (!value_is_exact(&s->reg[GPR_RSP], -8) || !starts_function(p, target))
        return false;
    return !holds_pointer(s) || is_named_function(p, target);
}

static void follow(struct prover *p, uint64_t target, struct state *s,
                   uint64_t pc)
{
    if (row_agrees(p, target, s))
        state_arrive(p, target, s);
    else
        prove_fail(p, PLAN_STACK_UNKNOWN,
                   "unwind rows contradict the code at a jump", pc);
}

void flow_jump(struct prover *p, uint64_t target, struct state *s, uint64_t pc)
{
    uint64_t slot;
    if (target >= p->low && target < p->high) {
        follow(p, target, s, pc);
        return;
    }
    if (!RULE(OTHER_PARTS))
        return;
    bool is_at_top = value_is_exact(&s->reg[GPR_RSP], -8);
    bool has_row = row_at(p, target)->kind == PLAN_ROW_REGISTER ||
                   row_at(p, target)->kind == PLAN_ROW_EXPRESSION;
    if (!has_row && is_at_top && plt_slot(p, target, &slot))
        tail_slot(p, slot, s, pc);
    else if (rows_of(p, target) == NULL && is_at_top)
        tail_anywhere(p, s, pc);
    else if (is_tail_jump(p, target, s))
        tail_to(p, p->reader.image, target, s, pc);
    else
        follow(p, target, s, pc);
}

/* ---- jump tables
 * -------------------------------------------------------------------- */

/* An entry of another function ends the table; so does what is no code. */
static bool entry_target(struct prover *p, uint64_t table, uint64_t index,
                         bool is_wide, uint64_t *target)
{
    const struct plan_image *image = p->reader.image;
    struct plan_slot slot;
    int32_t distance;
    if (!image_is_constant(image, table + index * (is_wide ? 8 : 4)) &&
        RULE(TABLE_WRITABLE))
        return false;
    if (!is_wide) {
        if (!image_read(image, table + index * 4, &distance, 4))
            return false;
        *target = table + (uint64_t)(int64_t)distance;
    } else if (image->is_mapped) {
        if (!image_read(image, table + index * 8, target, 8))
            return false;
        *target -= image->base;
    } else if (plan_image_find_slot(image, table + index * 8, &slot) == 0) {
        if (slot.type != R_X86_64_RELATIVE)
            return false;
        *target = slot.definition;
    } else if (!image_read(image, table + index * 8, target, 8)) {
        return false;
    }
    return image_is_executable(image, *target);
}

/* Another function, surely: what was read lies behind the table's end. */
static bool is_in_named_function(struct prover *p, uint64_t target)
{
    const struct fde_rows *rows = rows_of(p, target);
    if (rows == NULL || (target >= p->low && target < p->high))
        return false;
    return starts_function(p, target) || (starts_function(p, rows->fde.low) &&
                                          is_named_function(p, rows->fde.low));
}

static void flow_table(struct prover *p, uint64_t table, bool is_wide,
                       const struct state *s, uint64_t pc)
{
    uint64_t target, n = 0;
    for (; n < PROVE_TABLE && !p->is_decided; n++) {
        struct state copy = *s;
        if (!entry_target(p, table, n, is_wide, &target) ||
            rows_of(p, target) == NULL || !row_agrees(p, target, &copy))
            break;
        if (is_in_named_function(p, target))
            break;
        if (n > 0 && !RULE(JUMP_TABLES))
            break;
        state_arrive(p, target, &copy);
    }
    if (n > 0)
        return;
    if (value_is_exact(&s->reg[GPR_RSP], -8))
        tail_anywhere(p, s, pc);
    else
        prove_fail(p, PLAN_STACK_UNKNOWN, "a jump table cannot be read", pc);
}

static void flow_indirect(struct step *t)
{
    struct prover *p = t->p;
    struct value v = value_other();
    if (t->memory == 0 && t->table != 0) {
        v.kind = VALUE_TABLE_WIDE;
        v.constant = t->table;
    } else if (t->memory < 0 && t->dst >= 0) {
        v = t->s->reg[t->dst];
    }
    if (v.kind == VALUE_TABLE_TARGET || v.kind == VALUE_TABLE_WIDE)
        flow_table(p, v.constant, v.kind == VALUE_TABLE_WIDE, t->s, t->insn.at);
    else if (!value_is_exact(&t->s->reg[GPR_RSP], -8)) {
        if (RULE(INDIRECT_JUMP))
            prove_fail(p, PLAN_STACK_UNKNOWN, "jumps to where is not known",
                       t->insn.at);
    } else if (t->memory == 0 && t->address.kind == VALUE_CONST)
        tail_slot(p, t->address.constant, t->s, t->insn.at);
    else
        tail_anywhere(p, t->s, t->insn.at);
}

/* ---- calls
 * ----------------------------------------------------------------------------
 */

static void check_call_arguments(struct step *t)
{
    static const int arguments[] = {GPR_RDI, GPR_RSI, GPR_RDX,
                                    GPR_RCX, GPR_R8,  GPR_R9};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        const struct value *v = &t->s->reg[arguments[i]];
        if (v->kind != VALUE_STACK || v->symbol != 0)
            continue;
        if (v->wide && RULE(CALL_INDEXED))
            prove_doubt(t->p, PLAN_STACK_INDEXED,
                        "passes an address at an unknown index", t->insn.at);
        else if (v->high >= 0 && RULE(CALL_ABOVE))
            prove_fail(t->p, PLAN_STACK_ARGUMENTS,
                       "passes the address of a stack argument", t->insn.at);
        else if (v->high >= -8 && v->high < 0 && RULE(RETURN_SLOT))
            prove_fail(t->p, PLAN_STACK_UNKNOWN,
                       "a pointer to its return address escapes", t->insn.at);
    }
}

static void flow_landing_pad(struct step *t, const struct fde_rows *rows)
{
    struct prover *p = t->p;
    struct state at_pad;
    uint64_t pad;
    if (!RULE(LANDING_PADS))
        return;
    if (plan_fde_landing_pad(p->reader.image, &rows->fde, t->insn.at, &pad) <
        0) {
        prove_fail(p, PLAN_STACK_UNKNOWN, "its exception table is unreadable",
                   t->insn.at);
        return;
    }
    if (pad == 0)
        return;
    at_pad = *t->s;
    const struct plan_row *row = row_at(p, pad);
    if (row->kind == PLAN_ROW_REGISTER && row->reg == GPR_RSP)
        at_pad.reg[GPR_RSP] = value_stack(0, -row->offset, -row->offset, 0);
    follow(p, pad, &at_pad, t->insn.at);
}

/* A call whose next instruction has another frame by the unwind rows, or that
 * ends its function, does not return. */
static uint64_t flow_call(struct step *t)
{
    static const int killed[] = {GPR_RAX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI,
                                 GPR_R8,  GPR_R9,  GPR_R10, GPR_R11};
    struct prover *p = t->p;
    uint64_t target;
    if (plan_insn_target(&t->insn, &target) && target > p->low &&
        target < p->high && RULE(CALL_INSIDE)) {
        prove_fail(p, PLAN_STACK_UNKNOWN, "calls its own middle", t->insn.at);
        return 0;
    }
    check_call_arguments(t);
    for (size_t i = 0; i < sizeof killed / sizeof *killed; i++)
        if (RULE(CALL_KILLS))
            t->s->reg[killed[i]] = value_other();
    const struct fde_rows *rows = rows_of(p, t->insn.at);
    if (rows == NULL)
        return 0;
    uint64_t end = rows->fde.high;
    flow_landing_pad(t, rows);
    if (t->insn.next >= end || !row_agrees(p, t->insn.next, t->s))
        return 0;
    return t->insn.next;
}

static void flow_return(struct step *t)
{
    if ((t->insn.in.mnemonic != ZYDIS_MNEMONIC_RET ||
         t->insn.in.operand_count_visible != 0) &&
        RULE(RET_POPS))
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "returns in a way of its own",
                   t->insn.at);
    if (!value_is_exact(&t->s->reg[GPR_RSP], -8) && RULE(RET_LEVEL))
        prove_fail(t->p, PLAN_STACK_UNKNOWN, "returns with rsp somewhere else",
                   t->insn.at);
}

/* Effects that are not modelled: nothing is claimed. */
static bool is_strange(const struct step *t)
{
    switch (t->insn.in.mnemonic) {
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_IRETQ:
        return true;
    default:
        return t->insn.in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    }
}

/*
 * Behind `cmp reg, %rsp; jne`, rsp is where reg points: the end of a loop
 * that probes the stack. False: they cannot be equal, the path is dead.
 */
static bool refine_rsp(struct step *t)
{
    struct prover *p = t->p;
    if (t->insn.in.mnemonic != ZYDIS_MNEMONIC_JNZ ||
        p->compared_next != t->insn.at || p->compared_reg < 0)
        return true;
    struct value *rsp = &t->s->reg[GPR_RSP];
    const struct value *other = &t->s->reg[p->compared_reg];
    if (!value_is_place(other) || other->symbol != 0 || other->low > -8)
        return true;
    if (value_is_place(rsp) && rsp->symbol == 0 && rsp->low != other->low)
        return false;
    *rsp = *other;
    return true;
}

bool step_flow(struct step *t, uint64_t *next)
{
    uint64_t target = 0;
    bool is_direct = plan_insn_target(&t->insn, &target);
    *next = 0;
    if (is_strange(t)) {
        if (RULE(STRANGE))
            prove_fail(t->p, PLAN_STACK_UNKNOWN, "an unusual instruction",
                       t->insn.at);
        *next = t->insn.next;
    } else if (t->insn.in.meta.category == ZYDIS_CATEGORY_RET) {
        flow_return(t);
    } else if (plan_insn_is_call(&t->insn)) {
        *next = flow_call(t);
    } else if (t->insn.in.mnemonic == ZYDIS_MNEMONIC_JMP) {
        if (is_direct)
            flow_jump(t->p, target, t->s, t->insn.at);
        else
            flow_indirect(t);
    } else if (is_direct) {
        struct state taken = *t->s;
        if (t->insn.in.mnemonic == ZYDIS_MNEMONIC_XBEGIN)
            taken.reg[GPR_RAX] = value_other(); /* why it was aborted */
        if (RULE(CONDITIONAL))
            flow_jump(t->p, target, &taken, t->insn.at);
        *next = refine_rsp(t) ? t->insn.next : 0;
    } else {
        return plan_insn_ends(&t->insn);
    }
    return true;
}

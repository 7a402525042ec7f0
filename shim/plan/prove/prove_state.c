/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States of the proof: registers and spilled pointers, and the table of
 * blocks that holds one state, packed, for each place where paths meet.
 */
#include "shim/plan/prove/prove_internal.h"

#include <string.h>

enum {
    VALUE_WORDS = 3,
    SLOT_WORDS = 4,
    HEADER_WORDS = 1,
    PACKED_MAX =
        HEADER_WORDS + GPR_COUNT * VALUE_WORDS + PROVE_SLOTS * SLOT_WORDS,
    JOINS_BEFORE_WIDENING = 3,
};

/* ---- slots -----------------------------------------------------------------
 */

struct value *state_slot(struct state *s, unsigned symbol, int32_t offset)
{
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slot[i].symbol == symbol && s->slot[i].offset == offset)
            return &s->slot[i].value;
    return NULL;
}

struct value state_load(struct state *s, const struct value *place)
{
    struct value *slot = NULL;
    if (RULE(SPILL_KEPT) && value_is_place(place))
        slot = state_slot(s, place->symbol, place->low);
    return slot != NULL ? *slot : value_other();
}

static struct slot *free_slot(struct state *s)
{
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slot[i].value.kind != VALUE_STACK)
            return &s->slot[i];
    return s->slot_count < PROVE_SLOTS ? &s->slot[s->slot_count++] : NULL;
}

static void make_slot(struct prover *p, struct state *s, unsigned symbol,
                      int32_t offset, struct value v, uint64_t pc)
{
    struct slot *slot = free_slot(s);
    if (slot == NULL) {
        prove_fail(p, PLAN_STACK_UNKNOWN, "too many spilled pointers", pc);
        return;
    }
    *slot =
        (struct slot){.symbol = (uint16_t)symbol, .offset = offset, .value = v};
}

void state_store(struct prover *p, struct state *s, const struct value *place,
                 struct value v, uint64_t pc)
{
    if (!value_is_place(place))
        return; /* check_use() saw the pointer that is stored */
    struct value *slot = state_slot(s, place->symbol, place->low);
    if (v.kind != VALUE_STACK)
        v = value_other();
    if (slot != NULL)
        *slot = v;
    else if (v.kind == VALUE_STACK)
        make_slot(p, s, place->symbol, place->low, v, pc);
}

/* ---- packing
 * ----------------------------------------------------------------- */

/* Only what is known is kept: header (register mask, slot count), values. */
static uint32_t pack(const struct state *s, uint64_t *out)
{
    uint32_t mask = 0, slots = 0, n = HEADER_WORDS;
    for (int i = 0; i < GPR_COUNT; i++) {
        if (s->reg[i].kind == VALUE_OTHER)
            continue;
        mask |= 1u << i;
        memcpy(out + n, &s->reg[i], sizeof s->reg[i]);
        n += VALUE_WORDS;
    }
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->slot[i].value.kind != VALUE_STACK)
            continue;
        slots++;
        memcpy(out + n, &s->slot[i], sizeof s->slot[i]);
        n += SLOT_WORDS;
    }
    out[0] = mask | (uint64_t)slots << 16;
    return n;
}

static void unpack(const uint64_t *in, struct state *s)
{
    uint32_t mask = (uint32_t)in[0] & 0xffff, n = HEADER_WORDS;
    s->slot_count = (uint32_t)(in[0] >> 16) & 0xffff;
    for (int i = 0; i < GPR_COUNT; i++) {
        s->reg[i] = value_other();
        if (!(mask >> i & 1))
            continue;
        memcpy(&s->reg[i], in + n, sizeof s->reg[i]);
        n += VALUE_WORDS;
    }
    memcpy(s->slot, in + n, s->slot_count * sizeof *s->slot);
}

static uint32_t packed_words(const uint64_t *in)
{
    uint32_t mask = (uint32_t)in[0] & 0xffff, registers = 0;
    uint32_t slots = (uint32_t)(in[0] >> 16) & 0xffff;
    for (; mask != 0; mask &= mask - 1)
        registers++;
    return HEADER_WORDS + registers * VALUE_WORDS + slots * SLOT_WORDS;
}

/* ---- blocks
 * ------------------------------------------------------------------- */

static struct block *block_at(struct prover *p, uint64_t pc)
{
    uint32_t i = (uint32_t)((pc * 0x9e3779b97f4a7c15ull) >> 40);
    for (i &= p->block_mask; p->blocks[i].pc != 0; i = (i + 1) & p->block_mask)
        if (p->blocks[i].pc == pc)
            break;
    return &p->blocks[i];
}

bool state_is_stored(struct prover *p, uint64_t pc)
{
    return block_at(p, pc)->pc == pc;
}

static void put(struct prover *p, struct block *b, const uint64_t *packed,
                uint32_t n, uint64_t pc)
{
    if (b->pc == 0 || packed_words(p->words + b->at) < n) {
        if (p->words_used + n > PROVE_WORDS) {
            prove_fail(p, PLAN_STACK_UNKNOWN, "the function is too big", pc);
            return;
        }
        b->at = p->words_used;
        p->words_used += n;
    }
    memcpy(p->words + b->at, packed, n * sizeof *packed);
    b->pc = pc;
}

static void queue(struct prover *p, struct block *b)
{
    if (b->is_queued)
        return;
    b->is_queued = 1;
    p->pending[p->pending_count++] = (uint16_t)(b - p->blocks);
}

static void join_rsp(struct prover *p, struct state *to,
                     const struct state *from, uint64_t pc)
{
    struct value *a = &to->reg[GPR_RSP];
    const struct value *b = &from->reg[GPR_RSP];
    if (memcmp(a, b, sizeof *a) == 0)
        return;
    int64_t high = value_bound(p, a) > value_bound(p, b) ? value_bound(p, a)
                                                         : value_bound(p, b);
    *a = value_stack(value_symbol(p, pc, SYMBOL_RSP_JOIN, high), 0, 0, 0);
}

static void join_slots(struct prover *p, struct state *to,
                       const struct state *from, uint64_t pc, bool widen)
{
    for (uint32_t i = 0; i < from->slot_count; i++) {
        const struct slot *f = &from->slot[i];
        if (f->value.kind != VALUE_STACK)
            continue;
        struct value *t = state_slot(to, f->symbol, f->offset);
        unsigned tag = SYMBOL_SLOT_JOIN + ((unsigned)f->offset / 8 & 127);
        if (t == NULL && RULE(SPILL_JOINED))
            make_slot(p, to, f->symbol, f->offset, f->value, pc);
        else if (t != NULL)
            *t = t->kind == VALUE_STACK
                     ? value_join(p, *t, f->value, pc, tag, widen)
                     : f->value;
    }
}

static void join(struct prover *p, struct state *to, const struct state *from,
                 uint64_t pc, bool widen)
{
    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_RSP)
            to->reg[i] = value_join(p, to->reg[i], from->reg[i], pc,
                                    SYMBOL_REGISTER_JOIN + i, widen);
    join_rsp(p, to, from, pc);
    join_slots(p, to, from, pc, widen);
}

void state_arrive(struct prover *p, uint64_t pc, const struct state *s)
{
    struct block *b = block_at(p, pc);
    uint64_t packed[PACKED_MAX];
    struct state joined;
    if (b->pc == 0) {
        if (p->block_used > p->block_mask / 2) {
            prove_fail(p, PLAN_STACK_UNKNOWN, "the function is too big", pc);
            return;
        }
        p->block_used++;
        put(p, b, packed, pack(s, packed), pc);
        queue(p, b);
        return;
    }
    unpack(p->words + b->at, &joined);
    if (b->joins <= JOINS_BEFORE_WIDENING)
        b->joins++;
    join(p, &joined, s, pc, b->joins > JOINS_BEFORE_WIDENING);
    uint32_t n = pack(&joined, packed);
    if (n == packed_words(p->words + b->at) &&
        memcmp(packed, p->words + b->at, n * sizeof *packed) == 0)
        return;
    put(p, b, packed, n, pc);
    queue(p, b);
}

bool state_take(struct prover *p, uint64_t *pc, struct state *s)
{
    if (p->pending_count == 0)
        return false;
    struct block *b = &p->blocks[p->pending[--p->pending_count]];
    b->is_queued = 0;
    *pc = b->pc;
    unpack(p->words + b->at, s);
    return true;
}

/* The table is as large as the function can need, so that a small one costs
 * little. */
void state_reset(struct prover *p)
{
    uint32_t size = PROVE_BLOCKS_MIN;
    while (size < PROVE_BLOCKS && size < (p->high - p->low) / 2)
        size *= 2;
    p->block_mask = size - 1;
    p->block_used = p->pending_count = p->words_used = 0;
    memset(p->blocks, 0, size * sizeof *p->blocks);
}

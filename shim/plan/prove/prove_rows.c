/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler's own word on where the CFA is, against which the tracking of
 * the proof is checked before every instruction.
 */
#include "shim/plan/prove/prove_internal.h"

#include <stddef.h>

static const struct fde_rows *cached(struct prover *p, uint64_t pc)
{
    for (int i = 0; i < p->fde_count; i++)
        if (pc >= p->fdes[i].fde.low && pc < p->fdes[i].fde.high)
            return &p->fdes[i];
    return NULL;
}

/* The FDE that covers pc and its rows (none if they cannot be read). NULL: no
 * FDE. The answer holds until the next call. */
const struct fde_rows *rows_of(struct prover *p, uint64_t pc)
{
    const struct fde_rows *known = cached(p, pc);
    struct plan_fde fde;
    if (known != NULL)
        return known;
    if (plan_fde_find(p->reader.image, pc, &fde) < 0)
        return NULL;
    int count = -1;
    if (p->fde_count < PROVE_FDES)
        count = plan_fde_rows(p->reader.image, &fde, p->rows + p->row_count,
                              PROVE_ROWS - p->row_count);
    if (count < 0) { /* perhaps only for want of room */
        p->fde_count = p->row_count = 0;
        count = plan_fde_rows(p->reader.image, &fde, p->rows, PROVE_ROWS);
    }
    struct fde_rows *made = &p->fdes[p->fde_count++];
    *made = (struct fde_rows){
        .fde = fde, .first = p->row_count, .count = count < 0 ? 0 : count};
    p->row_count += made->count;
    return made;
}

const struct plan_row *row_at(struct prover *p, uint64_t pc)
{
    static const struct plan_row none = {.kind = PLAN_ROW_NONE};
    const struct fde_rows *rows = rows_of(p, pc);
    if (rows == NULL || rows->count == 0)
        return &none;
    int low = 0, high = rows->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (p->rows[rows->first + middle].high <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    const struct plan_row *row = &p->rows[rows->first + low];
    return low < rows->count && row->low <= pc ? row : &none;
}

static bool expression_agrees(const struct plan_row *row, struct state *s)
{
    struct value place = s->reg[row->reg];
    if (!RULE(CFI_EXPRESSION))
        return true;
    if (!value_is_place(&place))
        return false;
    place.low = place.high = place.low + row->offset;
    struct value cfa = state_load(s, &place);
    return value_is_exact(&cfa, 0);
}

bool row_agrees(struct prover *p, uint64_t pc, struct state *s)
{
    const struct plan_row *row = row_at(p, pc);
    if (row->kind == PLAN_ROW_NONE)
        return false;
    if (row->kind == PLAN_ROW_EXPRESSION)
        return expression_agrees(row, s);
    struct value *v = &s->reg[row->reg];
    if (value_is_exact(v, -row->offset))
        return true;
    if (row->reg == GPR_RSP && v->kind == VALUE_STACK && v->symbol != 0 &&
        (p->origin[v->symbol] & 0xff) == SYMBOL_RSP_JOIN) {
        *v = value_stack(0, -row->offset, -row->offset, 0);
        return true;
    }
    return !RULE(CFI_AGREES);
}

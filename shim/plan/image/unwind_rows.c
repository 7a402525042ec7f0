/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the unwind program of an FDE for its "CFA = register + offset"
 * rows, and reading the call-site table of its exception table. What is not
 * understood makes rows without a rule: they agree with nothing.
 */
#include "shim/plan/image/unwind.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

enum {
    CFA_ADVANCE = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0,
    CFA_ADVANCE1 = 2,
    CFA_ADVANCE2 = 3,
    CFA_ADVANCE4 = 4,
    CFA_OFFSET_EXTENDED = 5,
    CFA_RESTORE_EXTENDED = 6,
    CFA_UNDEFINED = 7,
    CFA_SAME_VALUE = 8,
    CFA_REGISTER = 9,
    CFA_REMEMBER = 10,
    CFA_RESTORE_STATE = 11,
    CFA_DEF = 12,
    CFA_DEF_REGISTER = 13,
    CFA_DEF_OFFSET = 14,
    CFA_DEF_EXPRESSION = 15,
    CFA_EXPRESSION = 16,
    CFA_OFFSET_EXTENDED_SF = 17,
    CFA_VAL_OFFSET = 20,
    CFA_VAL_OFFSET_SF = 21,
    CFA_VAL_EXPRESSION = 22,
    CFA_GNU_ARGS_SIZE = 46,
    OP_DEREF = 6,
    OP_BREG0 = 0x70,
    OP_BREG15 = 0x7f,
    REMEMBERED_MAX = 16,
    OFFSET_LIMIT = 1 << 28,
};

struct runner {
    struct plan_cursor c;
    uint64_t code_align, pc;
    struct plan_row row, remembered[REMEMBERED_MAX];
    int remembered_count;
    struct plan_row *rows;
    int count, max;
};

/* DWARF numbers the first eight registers in an order of its own. */
static uint8_t encoding_register(uint64_t dwarf)
{
    static const uint8_t map[8] = {0, 2, 1, 3, 6, 7, 5, 4};
    if (dwarf < 8)
        return map[dwarf];
    return dwarf < 16 ? (uint8_t)dwarf : 16;
}

static void advance(struct runner *r, uint64_t delta)
{
    uint64_t to;
    if (__builtin_mul_overflow(delta, r->code_align, &delta) ||
        __builtin_add_overflow(r->pc, delta, &to)) {
        r->c.bad = true;
        return;
    }
    if (to > r->pc && r->rows != NULL) {
        if (r->count == r->max) {
            r->c.bad = true;
            return;
        }
        r->row.low = r->pc;
        r->row.high = to;
        r->rows[r->count++] = r->row;
    }
    r->pc = to;
}

static void set_offset(struct runner *r, uint64_t offset)
{
    if (offset >= OFFSET_LIMIT)
        r->row.kind = PLAN_ROW_NONE;
    r->row.offset = offset < OFFSET_LIMIT ? (int32_t)offset : 0;
}

static void set_register(struct runner *r, uint64_t dwarf)
{
    r->row.reg = encoding_register(dwarf);
    if (r->row.reg > 15)
        r->row.kind = PLAN_ROW_NONE;
}

/* Only `breg N; deref`: gcc's "the CFA was pushed there". */
static void set_expression(struct runner *r)
{
    uint64_t len = plan_cursor_uleb(&r->c);
    struct plan_cursor e = r->c;
    plan_cursor_skip(&r->c, len);
    r->row.kind = PLAN_ROW_NONE;
    if (r->c.bad || len < 3)
        return;
    e.end = r->c.at;
    uint64_t op = plan_cursor_fixed(&e, 1);
    int64_t offset = plan_cursor_sleb(&e);
    uint64_t last = plan_cursor_fixed(&e, 1);
    if (op < OP_BREG0 || op > OP_BREG15 || last != OP_DEREF || e.bad ||
        e.at != e.end || offset < -OFFSET_LIMIT || offset > OFFSET_LIMIT)
        return;
    r->row.kind = PLAN_ROW_EXPRESSION;
    r->row.reg = encoding_register(op - OP_BREG0);
    r->row.offset = (int32_t)offset;
}

static void remember(struct runner *r, bool restore)
{
    if (restore && r->remembered_count > 0)
        r->row = r->remembered[--r->remembered_count];
    else if (!restore && r->remembered_count < REMEMBERED_MAX)
        r->remembered[r->remembered_count++] = r->row;
    else
        r->c.bad = true;
}

/* Rules for saved registers do not matter here; they are skipped. */
static void skip_register_rule(struct runner *r, uint64_t op)
{
    switch (op) {
    case CFA_OFFSET_EXTENDED:
    case CFA_REGISTER:
    case CFA_OFFSET_EXTENDED_SF:
    case CFA_VAL_OFFSET:
    case CFA_VAL_OFFSET_SF:
        plan_cursor_uleb(&r->c);
        plan_cursor_uleb(&r->c);
        break;
    case CFA_RESTORE_EXTENDED:
    case CFA_UNDEFINED:
    case CFA_SAME_VALUE:
    case CFA_GNU_ARGS_SIZE:
        plan_cursor_uleb(&r->c);
        break;
    case CFA_EXPRESSION:
    case CFA_VAL_EXPRESSION:
        plan_cursor_uleb(&r->c);
        plan_cursor_skip(&r->c, plan_cursor_uleb(&r->c));
        break;
    default:
        r->c.bad = true;
    }
}

static void step(struct runner *r)
{
    uint64_t op = plan_cursor_fixed(&r->c, 1);
    if ((op & 0xc0) == CFA_ADVANCE) {
        advance(r, op & 63);
        return;
    }
    if ((op & 0xc0) == CFA_OFFSET) {
        plan_cursor_uleb(&r->c);
        return;
    }
    if ((op & 0xc0) == CFA_RESTORE)
        return;
    switch (op) {
    case CFA_NOP:
        break;
    case CFA_ADVANCE1:
        advance(r, plan_cursor_fixed(&r->c, 1));
        break;
    case CFA_ADVANCE2:
        advance(r, plan_cursor_fixed(&r->c, 2));
        break;
    case CFA_ADVANCE4:
        advance(r, plan_cursor_fixed(&r->c, 4));
        break;
    case CFA_REMEMBER:
        remember(r, false);
        break;
    case CFA_RESTORE_STATE:
        remember(r, true);
        break;
    case CFA_DEF:
        r->row.kind = PLAN_ROW_REGISTER;
        set_register(r, plan_cursor_uleb(&r->c));
        set_offset(r, plan_cursor_uleb(&r->c));
        break;
    case CFA_DEF_REGISTER:
        set_register(r, plan_cursor_uleb(&r->c));
        break;
    case CFA_DEF_OFFSET:
        set_offset(r, plan_cursor_uleb(&r->c));
        break;
    case CFA_DEF_EXPRESSION:
        set_expression(r);
        break;
    default:
        skip_register_rule(r, op);
    }
}

static bool run(struct runner *r, const struct plan_image *image,
                uint64_t program, uint64_t len)
{
    if (len == 0)
        return true;
    r->c = plan_cursor_open(image, program, len);
    while (!r->c.bad && r->c.at < r->c.end)
        step(r);
    return !r->c.bad;
}

int plan_fde_rows(const struct plan_image *image, const struct plan_fde *fde,
                  struct plan_row *rows, int max)
{
    struct runner r = {.code_align = fde->code_align, .max = max};
    if (fde->is_signal_frame ||
        !run(&r, image, fde->cie_program, fde->cie_program_len))
        return -EINVAL;
    r.rows = rows;
    r.pc = fde->low;
    if (!run(&r, image, fde->program, fde->program_len))
        return r.count == max ? -E2BIG : -EINVAL;
    if (r.pc < fde->high) {
        r.code_align = 1;
        r.c.bad = false;
        advance(&r, fde->high - r.pc);
        if (r.c.bad)
            return -E2BIG;
    }
    return r.count;
}

/* The call sites of an exception table. */
struct pads {
    struct plan_cursor c;
    uint64_t base;
    uint8_t encoding;
};

static bool open_pads(const struct plan_image *image,
                      const struct plan_fde *fde, struct pads *p)
{
    uint64_t room = image_bytes_from(image, fde->lsda);
    p->base = fde->low;
    p->c = plan_cursor_open(image, fde->lsda, room);
    uint8_t encoding = (uint8_t)plan_cursor_fixed(&p->c, 1);
    if (encoding != 0xff)
        p->base = plan_cursor_pointer(&p->c, encoding);
    if (plan_cursor_fixed(&p->c, 1) != 0xff)
        plan_cursor_uleb(&p->c);
    p->encoding = (uint8_t)plan_cursor_fixed(&p->c, 1);
    uint64_t len = plan_cursor_uleb(&p->c);
    if (p->c.bad || len > (uint64_t)(p->c.end - p->c.at))
        return false;
    p->c.end = p->c.at + len;
    return true;
}

static bool next_pad(struct pads *p, uint64_t *start, uint64_t *size,
                     uint64_t *pad)
{
    if (p->c.at >= p->c.end || p->c.bad)
        return false;
    *start = plan_cursor_pointer(&p->c, p->encoding);
    *size = plan_cursor_pointer(&p->c, p->encoding);
    uint64_t landing = plan_cursor_pointer(&p->c, p->encoding);
    plan_cursor_uleb(&p->c);
    *pad = landing != 0 ? p->base + landing : 0;
    return !p->c.bad;
}

int plan_fde_landing_pad(const struct plan_image *image,
                         const struct plan_fde *fde, uint64_t pc, uint64_t *pad)
{
    struct pads p;
    uint64_t start, size;
    *pad = 0;
    if (fde->lsda == 0)
        return 0;
    if (!open_pads(image, fde, &p))
        return -EINVAL;
    while (next_pad(&p, &start, &size, pad))
        if (pc - fde->low >= start && pc - fde->low - start < size)
            return 0;
    *pad = 0;
    return p.c.bad ? -EINVAL : 0;
}

bool plan_fde_each_pad(const struct plan_image *image,
                       const struct plan_fde *fde,
                       bool (*each)(void *context, uint64_t pad), void *context)
{
    struct pads p;
    uint64_t start, size, pad;
    if (fde->lsda == 0 || !open_pads(image, fde, &p))
        return false;
    while (next_pad(&p, &start, &size, &pad))
        if (pad != 0 && each(context, pad))
            return true;
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading .eh_frame_hdr and .eh_frame: bounded cursors, CIEs, FDEs. The
 * sorted table of .eh_frame_hdr is searched where it has the encoding that
 * every linker writes; else .eh_frame is walked from its start.
 */
#include "shim/plan/image/unwind.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

enum {
    FEW_FDES = 8 /* _start, the PLTs, a function or two of libgcc */
};
enum {
    PE_OMIT = 0xff,
    PE_PCREL = 0x10,
    PE_DATAREL = 0x30,
    PE_SDATA4 = 0x0b,
    PE_UDATA4 = 0x03,
};

struct plan_cursor plan_cursor_open(const struct plan_image *image,
                                    uint64_t vaddr, uint64_t len)
{
    struct plan_cursor c = {.vaddr = vaddr};
    c.at = plan_image_at(image, vaddr, len);
    c.bad = c.at == NULL;
    c.end = c.bad ? NULL : c.at + len;
    return c;
}

void plan_cursor_skip(struct plan_cursor *c, uint64_t bytes)
{
    if (c->bad || bytes > (uint64_t)(c->end - c->at)) {
        c->bad = true;
        return;
    }
    c->at += bytes;
    c->vaddr += bytes;
}

uint64_t plan_cursor_fixed(struct plan_cursor *c, unsigned bytes)
{
    uint64_t value = 0;
    const uint8_t *at = c->at;
    plan_cursor_skip(c, bytes);
    if (!c->bad)
        memcpy(&value, at, bytes);
    return value;
}

uint64_t plan_cursor_uleb(struct plan_cursor *c)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;
    do {
        byte = plan_cursor_fixed(c, 1);
        if (shift < 64)
            value |= (byte & 127) << shift;
        shift += 7;
    } while ((byte & 128) && !c->bad && shift < 70);
    return value;
}

int64_t plan_cursor_sleb(struct plan_cursor *c)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;
    do {
        byte = plan_cursor_fixed(c, 1);
        if (shift < 64)
            value |= (byte & 127) << shift;
        shift += 7;
    } while ((byte & 128) && !c->bad && shift < 70);
    if ((byte & 64) && shift < 64)
        value |= UINT64_MAX << shift;
    return (int64_t)value;
}

uint64_t plan_cursor_pointer(struct plan_cursor *c, uint8_t encoding)
{
    uint64_t from = c->vaddr, value;
    if (encoding == PE_OMIT)
        return 0;
    switch (encoding & 15) {
    case 0:
    case 4:
    case 12:
        value = plan_cursor_fixed(c, 8);
        break;
    case 1:
        value = plan_cursor_uleb(c);
        break;
    case 2:
        value = plan_cursor_fixed(c, 2);
        break;
    case 3:
        value = plan_cursor_fixed(c, 4);
        break;
    case 9:
        value = (uint64_t)plan_cursor_sleb(c);
        break;
    case 10:
        value = (uint64_t)(int64_t)(int16_t)plan_cursor_fixed(c, 2);
        break;
    case 11:
        value = (uint64_t)(int64_t)(int32_t)plan_cursor_fixed(c, 4);
        break;
    default:
        c->bad = true;
        return 0;
    }
    if (encoding & 0x80)
        return 0;
    if (value != 0 && (encoding & 0x70) == PE_PCREL)
        value += from;
    else if ((encoding & 0x70) != 0 && (encoding & 0x70) != PE_PCREL)
        c->bad = true;
    return value;
}

/* ---- .eh_frame_hdr ----------------------------------------------------- */

void image_take_eh_frame_hdr(struct plan_image *image)
{
    uint64_t len = image->eh_frame_hdr_len;
    struct plan_cursor c = plan_cursor_open(image, image->eh_frame_hdr, len);
    if (image->eh_frame_hdr == 0)
        return;
    uint64_t version = plan_cursor_fixed(&c, 1);
    uint8_t frame = (uint8_t)plan_cursor_fixed(&c, 1);
    uint8_t count = (uint8_t)plan_cursor_fixed(&c, 1);
    uint8_t table = (uint8_t)plan_cursor_fixed(&c, 1);
    if (c.bad || version != 1 || frame != (PE_PCREL | PE_SDATA4))
        return;
    uint64_t eh_frame = plan_cursor_pointer(&c, frame);
    uint64_t room = image_bytes_from(image, eh_frame);
    if (c.bad || room == 0)
        return;
    image->eh_frame = eh_frame;
    image->eh_frame_len = room;
    if (count != PE_UDATA4 || table != (PE_DATAREL | PE_SDATA4))
        return;
    uint64_t entries = plan_cursor_fixed(&c, 4);
    if (c.bad || entries > (uint64_t)(c.end - c.at) / 8)
        return;
    image->fde_table = c.vaddr;
    image->fde_count = entries;
}

/* ---- CIE and FDE --------------------------------------------------------- */

struct cie {
    uint64_t program, program_len, code_align;
    uint8_t pointer_encoding, lsda_encoding;
    bool has_augmentation, is_signal_frame;
};

/* A length-prefixed entry of .eh_frame: its contents. */
static bool open_entry(const struct plan_image *image, uint64_t at,
                       struct plan_cursor *c)
{
    uint32_t len;
    if (!image_read(image, at, &len, sizeof len) || len < 4 ||
        len >= 0xfffffff0u)
        return false;
    *c = plan_cursor_open(image, at + 4, len);
    return !c->bad;
}

static void read_augmentation(struct plan_cursor *c, const char *letters,
                              struct cie *out)
{
    for (; *letters != '\0' && !c->bad; letters++) {
        if (*letters == 'R') {
            out->pointer_encoding = (uint8_t)plan_cursor_fixed(c, 1);
        } else if (*letters == 'L') {
            out->lsda_encoding = (uint8_t)plan_cursor_fixed(c, 1);
        } else if (*letters == 'P') {
            uint8_t encoding = (uint8_t)plan_cursor_fixed(c, 1);
            plan_cursor_pointer(c, encoding & 0x7f);
        } else if (*letters == 'S') {
            out->is_signal_frame = true;
        } else if (*letters != 'B') {
            c->bad = true;
        }
    }
}

static bool read_cie(const struct plan_image *image, uint64_t at,
                     struct cie *out)
{
    struct plan_cursor c;
    char letters[8];
    size_t n = 0;
    if (!open_entry(image, at, &c) || plan_cursor_fixed(&c, 4) != 0)
        return false;
    *out = (struct cie){.lsda_encoding = PE_OMIT};
    uint64_t version = plan_cursor_fixed(&c, 1);
    do
        letters[n] = (char)plan_cursor_fixed(&c, 1);
    while (letters[n] != '\0' && ++n < sizeof letters);
    if (n == sizeof letters || (version != 1 && version != 3))
        return false;
    out->code_align = plan_cursor_uleb(&c);
    plan_cursor_sleb(&c); /* data alignment: only saved registers use it */
    plan_cursor_uleb(&c); /* return address column (a byte if version 1) */
    if (letters[0] == 'z') {
        uint64_t len = plan_cursor_uleb(&c);
        struct plan_cursor inner = c;
        read_augmentation(&inner, letters + 1, out);
        plan_cursor_skip(&c, len);
        out->has_augmentation = true;
        c.bad |= inner.bad;
    } else if (letters[0] != '\0') {
        return false;
    }
    out->program = c.vaddr;
    out->program_len = c.bad ? 0 : (uint64_t)(c.end - c.at);
    return !c.bad;
}

static bool read_fde(const struct plan_image *image, uint64_t at,
                     struct plan_fde *out)
{
    struct plan_cursor c;
    struct cie cie;
    uint64_t back;
    if (!open_entry(image, at, &c) || (back = plan_cursor_fixed(&c, 4)) == 0 ||
        back > at + 4 || !read_cie(image, at + 4 - back, &cie))
        return false;
    *out = (struct plan_fde){.at = at,
                             .code_align = cie.code_align,
                             .is_signal_frame = cie.is_signal_frame,
                             .cie_program = cie.program,
                             .cie_program_len = cie.program_len};
    out->low = plan_cursor_pointer(&c, cie.pointer_encoding);
    uint64_t size = plan_cursor_pointer(&c, cie.pointer_encoding & 15);
    if (cie.has_augmentation) {
        uint64_t len = plan_cursor_uleb(&c);
        struct plan_cursor inner = c;
        if (len > 0 && cie.lsda_encoding != PE_OMIT)
            out->lsda = plan_cursor_pointer(&inner, cie.lsda_encoding);
        plan_cursor_skip(&c, len);
        c.bad |= inner.bad;
    }
    if (c.bad || __builtin_add_overflow(out->low, size, &out->high))
        return false;
    out->program = c.vaddr;
    out->program_len = (uint64_t)(c.end - c.at);
    return out->low < out->high;
}

/* ---- finding --------------------------------------------------------------
 */

static uint64_t table_start(const struct plan_image *image, uint64_t index,
                            uint64_t *fde)
{
    int32_t pair[2] = {0, 0};
    image_read(image, image->fde_table + index * 8, pair, sizeof pair);
    *fde = image->eh_frame_hdr + (uint64_t)(int64_t)pair[1];
    return image->eh_frame_hdr + (uint64_t)(int64_t)pair[0];
}

/* How many entries of the table start at or below pc. */
static uint64_t table_rank(const struct plan_image *image, uint64_t pc)
{
    uint64_t low = 0, high = image->fde_count, fde;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (table_start(image, middle, &fde) <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Without a table: the next entry of .eh_frame that is an FDE. */
static bool next_entry(const struct plan_image *image, uint64_t *skip,
                       struct plan_fde *fde)
{
    uint64_t end = image->eh_frame + image->eh_frame_len;
    for (;;) {
        uint64_t at = image->eh_frame + *skip;
        uint32_t len;
        if (image->eh_frame == 0 || at + 8 > end ||
            !image_read(image, at, &len, sizeof len) || len < 4 ||
            len >= 0xfffffff0u || len > end - at - 4)
            return false;
        *skip += 4 + (uint64_t)len;
        if (read_fde(image, at, fde))
            return true;
    }
}

/* `next` gets the lowest start above pc. */
static int walk(const struct plan_image *image, uint64_t pc,
                struct plan_fde *out, uint64_t *next)
{
    struct plan_fde fde;
    uint64_t skip = 0;
    int rc = -ENOENT;
    *next = UINT64_MAX;
    while (next_entry(image, &skip, &fde)) {
        if (fde.low > pc && fde.low < *next)
            *next = fde.low;
        if (rc != 0 && pc >= fde.low && pc < fde.high) {
            *out = fde;
            rc = 0;
        }
    }
    return rc;
}

bool plan_fde_next(const struct plan_image *image,
                   struct plan_fde_cursor *cursor, uint64_t *start)
{
    struct plan_fde fde;
    uint64_t at;
    if (image->fde_count == 0) {
        if (!next_entry(image, &cursor->at, &fde))
            return false;
        *start = fde.low;
        return true;
    }
    if (cursor->at == image->fde_count)
        return false;
    *start = table_start(image, cursor->at++, &at);
    return true;
}

int plan_fde_find(const struct plan_image *image, uint64_t pc,
                  struct plan_fde *out)
{
    uint64_t at, next;
    if (image->fde_count == 0)
        return walk(image, pc, out, &next);
    uint64_t rank = table_rank(image, pc);
    if (rank == 0)
        return -ENOENT;
    table_start(image, rank - 1, &at);
    if (!read_fde(image, at, out) || pc < out->low || pc >= out->high)
        return -ENOENT;
    return 0;
}

int plan_fde_end_before(const struct plan_image *image, uint64_t pc,
                        uint64_t *end)
{
    struct plan_fde fde;
    uint64_t at, rank = image->fde_count ? table_rank(image, pc) : 0;
    if (rank == 0)
        return -ENOENT;
    table_start(image, rank - 1, &at);
    if (!read_fde(image, at, &fde))
        return -ENOENT;
    *end = fde.high;
    return 0;
}

uint64_t plan_fde_next_start(const struct plan_image *image, uint64_t pc)
{
    struct plan_fde fde;
    uint64_t at, next;
    if (image->fde_count == 0) {
        int rc = walk(image, pc, &fde, &next);
        (void)rc;
        return next;
    }
    uint64_t rank = table_rank(image, pc);
    return rank < image->fde_count ? table_start(image, rank, &at) : UINT64_MAX;
}

int plan_image_function_extent(const struct plan_image *image, uint64_t vaddr,
                               uint64_t *end)
{
    struct plan_fde fde;
    struct plan_symbol symbol;
    if (plan_fde_find(image, vaddr, &fde) == 0 && fde.low == vaddr) {
        *end = fde.high;
        return 0;
    }
    if (plan_image_symbol_at(image, vaddr, &symbol) < 0 ||
        symbol.size_bytes == 0 ||
        __builtin_add_overflow(vaddr, symbol.size_bytes, end))
        return -ENOENT;
    return 0;
}

bool plan_image_has_unwind(const struct plan_image *image)
{
    return image->fde_count > FEW_FDES;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does anything lead into the bytes that a patch would displace?
 *
 * From anywhere in the object: image->branches has every branch of 32 bits,
 * every address that code takes and every word that leads there. From nearby:
 * branches of 8 bits. And from the function itself or its other parts (what it
 * jumps to and is no function of its own): tables of distances, landing pads
 * of exceptions, labels whose address it takes, jumps to its entry, which the
 * object-wide look leaves out because calls lead there.
 *
 * All this is read from raw bytes, which show more than there is. Code that is
 * suspect is decoded from the start of its function before it counts.
 */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"
#include "shim/plan/image/unwind.h"

enum {
    GAP_MAX = 1 << 16,
    NEAR_BYTES = 130, /* of a branch with 8 bits */
};

/* ---- what leads where ---------------------------------------------------- */

bool patch_region_of(const struct plan_image *image, uint64_t pc,
                     struct patch_region *out)
{
    struct plan_fde fde;
    struct plan_symbol symbol;
    if (plan_fde_find(image, pc, &fde) == 0) {
        *out = (struct patch_region){.low = fde.low, .high = fde.high};
        return true;
    }
    if (plan_image_symbol_around(image, pc, &symbol) < 0) {
        uint64_t next = plan_fde_next_start(image, pc);
        uint64_t room = image_bytes_from(image, pc);
        *out =
            (struct patch_region){.high = next - pc < room ? next : pc + room};
        return plan_fde_end_before(image, pc, &out->low) == 0 &&
               pc - out->low < GAP_MAX && image_is_executable(image, out->low);
    }
    *out = (struct patch_region){.low = symbol.vaddr,
                                 .high = symbol.vaddr + symbol.size_bytes};
    return true;
}

/* The operand whose bytes are at `place`: an address, relative or constant. */
static bool names_address(const struct plan_insn *insn, uint64_t place,
                          uint64_t *target)
{
    const ZydisDecodedInstruction *in = &insn->in;
    for (int i = 0; i < 2; i++)
        if (in->raw.imm[i].size >= 32 &&
            insn->at + in->raw.imm[i].offset == place) {
            *target = in->raw.imm[i].value.u & UINT32_MAX;
            return true;
        }
    if (in->raw.disp.size != 32 || insn->at + in->raw.disp.offset != place)
        return false;
    bool relative = (in->attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
    *target = (relative ? insn->next : 0) + (uint64_t)in->raw.disp.value;
    return true;
}

/* An int3 on the way may be somebody's breakpoint in the place of a longer
 * instruction: what comes behind one is read wrong until both ways of reading
 * meet. */
enum patch_reference patch_reference_at(const struct patch_job *job,
                                        uint64_t place, uint64_t *target)
{
    struct patch_region region;
    struct plan_insn insn;
    enum patch_reference none = REFERENCE_NONE;
    if (!patch_region_of(job->reader.image, place - 1, &region))
        return REFERENCE_UNKNOWN;
    for (uint64_t at = region.low; at <= place; at = insn.next) {
        if (!plan_decode(&job->reader, at, &insn))
            return REFERENCE_UNKNOWN;
        if (plan_insn_is_trap(&insn))
            none = REFERENCE_UNKNOWN;
        if (insn.next <= place)
            continue;
        if (plan_insn_target(&insn, target))
            return insn.at + insn.in.raw.imm[0].offset != place ? none
                   : plan_insn_is_call(&insn)                   ? REFERENCE_CALL
                                              : REFERENCE_JUMP;
        return names_address(&insn, place, target) ? REFERENCE_ADDRESS : none;
    }
    return none;
}

static enum plan_verdict refuse(struct patch_job *job, uint64_t place,
                                enum plan_verdict verdict)
{
    job->place = place;
    return verdict;
}

bool patch_is_displaced(const struct patch_job *job, uint64_t target)
{
    return target > job->patch_vaddr && target < job->displaced_end;
}

static bool is_entry(const struct patch_job *job, uint64_t target)
{
    return target == job->vaddr || target == job->patch_vaddr;
}

/* ---- from anywhere --------------------------------------------------------
 */

/* -fpatchable-function-entry lists where it left room behind an endbr64: nops,
 * with which no label begins. */
static bool is_room(const struct patch_job *job, uint64_t target)
{
    struct plan_insn insn;
    return target == job->patch_vaddr && target != job->vaddr &&
           plan_decode(&job->reader, target, &insn) && plan_insn_is_nop(&insn);
}

static enum plan_verdict check_word(struct patch_job *job, uint64_t target,
                                    uint64_t place)
{
    if (patch_is_displaced(job, target))
        return refuse(job, place, PLAN_LABEL_INTO);
    /* beside its labels: see image_branches.c */
    if (is_entry(job, target) && !is_room(job, target))
        return refuse(job, place, PLAN_LOOP_TO_ENTRY);
    return PLAN_OK;
}

static enum plan_verdict check_code(struct patch_job *job, uint64_t target,
                                    uint64_t place)
{
    enum patch_reference what = patch_reference_at(job, place, &target);
    if (what == REFERENCE_NONE)
        return PLAN_OK;
    if (patch_is_displaced(job, target))
        return refuse(job, place,
                      what == REFERENCE_ADDRESS   ? PLAN_LABEL_INTO
                      : what == REFERENCE_UNKNOWN ? PLAN_BRANCH_MAYBE
                                                  : PLAN_BRANCH_INTO);
    if (target == job->patch_vaddr && target != job->vaddr &&
        what != REFERENCE_CALL)
        return refuse(job, place, PLAN_LOOP_TO_ENTRY);
    return PLAN_OK;
}

/* The first of those that lead to `offset` or behind it. */
static uint32_t first_branch(const struct plan_branches *branches,
                             uint64_t offset)
{
    uint32_t low = 0, high = branches->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (branches->at[middle] >> 32 < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum plan_verdict check_anywhere(struct patch_job *job)
{
    const struct plan_branches *b = &job->reader.image->branches;
    enum plan_verdict verdict = PLAN_OK;
    /* 4: an immediate may follow a displacement */
    uint64_t from = job->vaddr - b->low, to = job->displaced_end - b->low;
    if (!plan_image_has_branches(job->reader.image, job->vaddr))
        return PLAN_NOT_LOOKED_AT;
    if (b->is_cut)
        return PLAN_NOT_LOOKED_AT; /* not all of it */
    for (uint32_t i = first_branch(b, from < 4 ? 0 : from - 4);
         i < b->count && b->at[i] >> 32 < to && verdict == PLAN_OK; i++) {
        uint64_t target = b->low + (b->at[i] >> 32);
        uint64_t place = b->at[i] & ~(uint32_t)PLAN_BRANCH_WORD & UINT32_MAX;
        verdict = b->at[i] & PLAN_BRANCH_WORD
                      ? check_word(job, target, b->place_low + place)
                      : check_code(job, target, b->low + place);
    }
    return verdict;
}

/* ---- from nearby ----------------------------------------------------------
 */

/* jcc, loop, jrcxz or jmp with an 8-bit distance behind it. */
static bool is_short_branch(uint8_t opcode)
{
    return (opcode >= 0x70 && opcode <= 0x7f) || opcode == 0xeb ||
           (opcode >= 0xe0 && opcode <= 0xe3);
}

static enum plan_verdict check_short(struct patch_job *job, uint64_t target,
                                     uint64_t place)
{
    bool inside = patch_is_displaced(job, target);
    bool behind_endbr = target == job->patch_vaddr && target != job->vaddr;
    if (!inside && !behind_endbr)
        return PLAN_OK;
    enum patch_reference what = patch_reference_at(job, place, &target);
    if (what == REFERENCE_UNKNOWN)
        return refuse(job, place, PLAN_BRANCH_MAYBE);
    if (what != REFERENCE_JUMP)
        return PLAN_OK;
    return refuse(job, place, inside ? PLAN_BRANCH_INTO : PLAN_LOOP_TO_ENTRY);
}

static enum plan_verdict check_nearby(struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    uint8_t bytes[2 * NEAR_BYTES + PATCH_WINDOW_MAX];
    uint64_t low = job->vaddr - NEAR_BYTES, len = sizeof bytes;
    enum plan_verdict verdict = PLAN_OK;
    while (low < job->vaddr && !image_is_executable(image, low))
        low++; /* the first function of its segment */
    if (len > image_bytes_from(image, low))
        len = image_bytes_from(image, low);
    if (!image_read(image, low, bytes, len))
        return PLAN_UNDECODABLE;
    if (image->restore)
        image->restore(image, low, bytes, len);
    for (uint64_t i = 0; i + 2 <= len && verdict == PLAN_OK; i++)
        if (is_short_branch(bytes[i]))
            verdict = check_short(
                job, low + i + 2 + (uint64_t)(int64_t)(int8_t)bytes[i + 1],
                low + i + 1);
    return verdict;
}

/* ---- from the function and its parts --------------------------------------
 */

static bool is_known_part(const struct patch_job *job, uint64_t pc)
{
    for (uint32_t i = 0; i < job->part_count; i++)
        if (pc >= job->parts[i].low && pc < job->parts[i].high)
            return true;
    return false;
}

bool patch_is_thunk(const struct plan_image *image, uint64_t vaddr)
{
    uint8_t code[7];
    return image_is_executable(image, vaddr) &&
           image_read(image, vaddr, code, sizeof code) &&
           ((code[0] == 0xe8 && code[5] == 0xf3 && code[6] == 0x90) ||
            memcmp(code, "\x0f\xae\xe8", 3) == 0);
}

bool patch_is_function(const struct plan_image *image, uint64_t target)
{
    struct patch_region region;
    struct plan_symbol symbol;
    return patch_region_of(image, target, &region) && target == region.low &&
           plan_image_symbol_at(image, target, &symbol) == 0 &&
           !patch_is_part(symbol.name);
}

/* Whatever is jumped to belongs to the function, unless it is the start of one
 * that has a name. */
static void note_part(struct patch_job *job, uint64_t target, uint64_t from)
{
    const struct plan_image *image = job->reader.image;
    struct patch_region part;
    job->jumps_by_thunk |= patch_is_thunk(image, target);
    if (job->part_count == PATCH_PARTS_MAX || is_known_part(job, target) ||
        !image_is_executable(image, target) ||
        patch_is_function(image, target) ||
        !patch_region_of(image, target, &part))
        return;
    part.from = from;
    part.of = job->part;
    job->parts[job->part_count++] = part;
}

/* The address of a label in the function itself: jumps go to what is added to
 * it, and that may be anything. Its entry may be one. */
static enum plan_verdict check_label(struct patch_job *job, uint64_t target,
                                     uint64_t place)
{
    if (target < job->vaddr || target >= job->end ||
        patch_reference_at(job, place, &target) != REFERENCE_ADDRESS)
        return PLAN_OK;
    if ((target > job->vaddr && target < job->end) ||
        (target == job->vaddr && patch_is_base(job, place)))
        job->own_label = place;
    return PLAN_OK;
}

static enum plan_verdict check_entry_jump(struct patch_job *job,
                                          uint64_t target, uint64_t place)
{
    if (!is_entry(job, target)) {
        note_part(job, target, place);
        return PLAN_OK;
    }
    enum patch_reference what = patch_reference_at(job, place, &target);
    if (what == REFERENCE_UNKNOWN)
        return refuse(job, place, PLAN_BRANCH_MAYBE);
    return what == REFERENCE_JUMP ? refuse(job, place, PLAN_LOOP_TO_ENTRY)
                                  : PLAN_OK;
}

static enum plan_verdict check_field(struct patch_job *job, const uint8_t *p,
                                     uint64_t vaddr)
{
    int32_t distance;
    memcpy(&distance, p + 1, sizeof distance);
    uint64_t target = vaddr + 5 + (uint64_t)(int64_t)distance;
    enum image_field_kind kind = image_field_kind(p);
    if (kind == IMAGE_FIELD_JUMP)
        return check_entry_jump(job, target, vaddr + 1);
    if (kind != IMAGE_FIELD_LEA)
        return PLAN_OK;
    enum plan_verdict verdict = check_label(job, target, vaddr + 1);
    if (verdict == PLAN_OK)
        verdict = patch_check_table(job, target, 4);
    return verdict == PLAN_OK ? patch_check_table(job, target, 8) : verdict;
}

/* Branches of 8 bits to the entry and out of it. */
static enum plan_verdict check_short_branches(struct patch_job *job,
                                              const struct patch_region *part,
                                              const uint8_t *code)
{
    uint64_t len = part->high - part->low;
    enum plan_verdict verdict = PLAN_OK;
    for (uint64_t i = 0; i + 2 <= len && verdict == PLAN_OK; i++) {
        if (i == NEAR_BYTES && len > 2 * NEAR_BYTES)
            i = len - NEAR_BYTES;
        uint64_t target =
            part->low + i + 2 + (uint64_t)(int64_t)(int8_t)code[i + 1];
        if (is_short_branch(code[i]) &&
            (target <= part->low || target >= part->high ||
             is_entry(job, target)))
            verdict = check_entry_jump(job, target, part->low + i + 1);
    }
    return verdict;
}

/* Addresses that are constants. */
static enum plan_verdict check_constants(struct patch_job *job,
                                         const struct patch_region *part,
                                         const uint8_t *code)
{
    enum plan_verdict verdict = PLAN_OK;
    uint32_t value;
    if (!image_is_fixed(job->reader.image))
        return PLAN_OK;
    for (uint64_t i = 0; part->low + i + 4 <= part->high && verdict == PLAN_OK;
         i++) {
        memcpy(&value, code + i, sizeof value);
        verdict = check_label(job, value, part->low + i);
    }
    return verdict;
}

/* Bytes that may be a jump to what was computed: ff /4 but not through
 * (%rip), or a return to what was put in the place of the return address. */
static bool may_jump_anywhere(const uint8_t *code, uint64_t len)
{
    for (uint64_t i = 0; i + 2 <= len; i++)
        if ((code[i] == 0xff && (code[i + 1] & 0x38) == 0x20 &&
             (code[i + 1] & 0xc7) != 0x05) ||
            (code[i + 1] == 0xc3 &&
             (code[i] == 0x24 || (code[i] & 0xf8) == 0x50)))
            return true;
    return false;
}

static bool jumps_anywhere(const struct patch_job *job)
{
    bool does = job->jumps_by_thunk;
    for (uint32_t i = 0; i < job->part_count && !does; i++) {
        const struct patch_region *part = &job->parts[i];
        uint64_t len = part->high - part->low;
        const uint8_t *code = plan_image_at(job->reader.image, part->low, len);
        does = code && may_jump_anywhere(code, len);
    }
    return does;
}

static bool check_pad(void *context, uint64_t pad)
{
    struct patch_job *job = context;
    note_part(job, pad, 0);
    return pad >= job->patch_vaddr && pad < job->displaced_end;
}

/* Was it, or a part that led to it, taken for a part by raw bytes that are no
 * jump? */
static bool is_mistaken(const struct patch_job *job, uint32_t index)
{
    for (; index != 0; index = job->parts[index].of) {
        const struct patch_region *part = &job->parts[index];
        uint64_t target = part->low;
        if (part->from == 0) /* the pads of a part are as good as it is */
            continue;
        enum patch_reference what =
            patch_reference_at(job, part->from, &target);
        if ((what != REFERENCE_JUMP && what != REFERENCE_UNKNOWN) ||
            target < part->low || target >= part->high)
            return true;
    }
    return false;
}

/* As image_field_mask(), of a place at the edge of what can be read, too. */
static uint32_t mask_at(const struct plan_image *image, uint64_t vaddr,
                        const uint8_t *p)
{
    uint8_t bytes[17] = {0};
    bool first = plan_image_at(image, vaddr - 1, 1) == NULL;
    uint64_t room = image_bytes_from(image, vaddr);
    if (!first && room >= 16)
        return image_field_mask(p);
    memcpy(bytes + first, p - !first, (room < 16 ? room : 16) + !first);
    return image_field_mask(bytes + 1);
}

static enum plan_verdict check_fields(struct patch_job *job,
                                      const struct patch_region *part,
                                      const uint8_t *code)
{
    uint64_t len = part->high - part->low;
    enum plan_verdict verdict = PLAN_OK;
    for (uint64_t i = 0; i + 5 <= len && verdict == PLAN_OK; i += 16)
        for (uint32_t m = mask_at(job->reader.image, part->low + i, code + i);
             m != 0 && verdict == PLAN_OK; m &= m - 1) {
            uint64_t at = i + (uint64_t)__builtin_ctz(m);
            if (at + 5 <= len)
                verdict = check_field(job, code + at, part->low + at);
        }
    return verdict;
}

static enum plan_verdict check_part(struct patch_job *job,
                                    const struct patch_region *part)
{
    const struct plan_image *image = job->reader.image;
    const uint8_t *code =
        plan_image_at(image, part->low, part->high - part->low);
    struct plan_fde fde;
    if (code == NULL)
        return PLAN_UNDECODABLE;
    enum plan_verdict verdict = check_fields(job, part, code);
    if (verdict == PLAN_OK)
        verdict = check_short_branches(job, part, code);
    if (verdict == PLAN_OK)
        verdict = check_constants(job, part, code);
    if (verdict == PLAN_OK && plan_fde_find(image, part->low, &fde) == 0 &&
        plan_fde_each_pad(image, &fde, check_pad, job))
        return refuse(job, fde.lsda, PLAN_BRANCH_INTO);
    return verdict;
}

enum plan_verdict patch_check_branches(struct patch_job *job)
{
    enum plan_verdict verdict = check_anywhere(job);
    if (verdict == PLAN_OK)
        verdict = check_nearby(job);
    job->parts[0] = (struct patch_region){.low = job->vaddr, .high = job->end};
    job->part_count = 1;
    for (uint32_t i = 0; i < job->part_count && verdict == PLAN_OK; i++) {
        job->part = i;
        verdict = check_part(job, &job->parts[i]);
        if (verdict != PLAN_OK && is_mistaken(job, i))
            verdict = PLAN_OK;
    }
    if (verdict == PLAN_OK && job->own_label != 0 && !job->is_known &&
        jumps_anywhere(job))
        return refuse(job, job->own_label, PLAN_COMPUTED_JUMP);
    return verdict;
}

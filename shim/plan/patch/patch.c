/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning an entry patch: a five-byte jump over the first instructions, and
 * a copy of those that works elsewhere. An endbr64 stays where it is (an
 * indirect call must still find it) and the jump comes after it.
 *
 * Decides only; shim/ writes. Everything that cannot be proved harmless is
 * refused with a verdict.
 */
#include "shim/plan/plan.h"
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

/* The copy, growing. Addresses are run-time addresses here. */
struct copier {
    struct patch_job *job;
    struct plan_patch *out;
    uint64_t bias, copy_at;
    bool is_dry, out_of_range, too_long;
};

static void emit(struct copier *c, const void *bytes, size_t n)
{
    if (c->out->copy_len + n > PLAN_COPY_MAX) {
        c->too_long = true;
        return;
    }
    memcpy(c->out->copy + c->out->copy_len, bytes, n);
    c->out->copy_len += (uint32_t)n;
}

static void note_field(struct copier *c, uint64_t at, uint64_t behind,
                       uint64_t to)
{
    struct plan_patch *out = c->out;
    if (out->field_count == PLAN_FIELDS_MAX) {
        c->too_long = true;
        return;
    }
    out->field[out->field_count++] =
        (struct plan_field){(uint8_t)at, (uint8_t)behind, to - c->bias};
}

/* The 32-bit distance that leads to `to`, in a field at `at` of an instruction
 * that ends at `behind`: offsets in the copy. */
static uint32_t distance(struct copier *c, uint64_t at, uint64_t behind,
                         uint64_t to)
{
    int64_t d = (int64_t)(to - (c->copy_at + behind));
    struct plan_patch *out = c->out;
    note_field(c, at, behind, to);
    if (out->reach_high == 0 || to < out->reach_low)
        out->reach_low = to;
    if (to > out->reach_high)
        out->reach_high = to;
    if (d != (int32_t)d && !c->is_dry)
        c->out_of_range = true;
    return (uint32_t)d;
}

static void emit_jump(struct copier *c, const uint8_t *opcode, size_t n,
                      uint64_t to)
{
    emit(c, opcode, n);
    uint32_t at = c->out->copy_len, d = distance(c, at, at + 4, to);
    emit(c, &d, sizeof d);
}

/* push return_to, as `push imm32; movl $high, 4(%rsp)`. */
static void emit_push_address(struct copier *c, uint64_t return_to)
{
    uint32_t low = (uint32_t)return_to, high = (uint32_t)(return_to >> 32);
    emit(c, "\x68", 1);
    note_field(c, c->out->copy_len, 0, return_to);
    emit(c, &low, sizeof low);
    emit(c, "\xc7\x44\x24\x04", 4);
    emit(c, &high, sizeof high);
    c->out->pushes_return = true;
}

static enum plan_verdict
copy_branch(struct copier *c, const struct plan_insn *insn, uint64_t target)
{
    switch (insn->in.mnemonic) {
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_XBEGIN:
        return PLAN_LOOP_INSTRUCTION;
    default:
        break;
    }
    if (insn->in.mnemonic == ZYDIS_MNEMONIC_JMP) {
        emit_jump(c, (const uint8_t *)"\xe9", 1, c->bias + target);
    } else if (insn->in.meta.category == ZYDIS_CATEGORY_COND_BR) {
        const uint8_t opcode[2] = {0x0f,
                                   (uint8_t)(0x80 | (insn->in.opcode & 15))};
        emit_jump(c, opcode, sizeof opcode, c->bias + target);
    } else {
        return PLAN_UNDECODABLE;
    }
    return PLAN_OK;
}

/* The instruction's bytes, its rip-relative displacement led to the same
 * place. */
static enum plan_verdict
copy_plain(struct copier *c, const struct plan_insn *insn, const uint8_t *bytes)
{
    uint8_t moved[ZYDIS_MAX_INSTRUCTION_LENGTH];
    const ZydisDecodedInstruction *in = &insn->in;
    memcpy(moved, bytes, in->length);
    if (in->attributes & ZYDIS_ATTRIB_IS_RELATIVE) {
        if (in->raw.disp.size != 32 || in->address_width != 64 ||
            in->raw.disp.offset + 4 > in->length)
            return PLAN_UNDECODABLE;
        uint64_t to = c->bias + insn->next + (uint64_t)in->raw.disp.value;
        uint32_t at = c->out->copy_len;
        uint32_t d = distance(c, at + in->raw.disp.offset, at + in->length, to);
        memcpy(moved + in->raw.disp.offset, &d, sizeof d);
    }
    emit(c, moved, in->length);
    return PLAN_OK;
}

/*
 * A call must push the original return address: unwinders know no frame at
 * the copy. So it becomes `push; jmp`. It must be the last one displaced: the
 * callee returns to the original text behind it.
 */
static enum plan_verdict
copy_call(struct copier *c, const struct plan_insn *insn, const uint8_t *bytes)
{
    const struct plan_reader *reader = &c->job->reader;
    uint64_t target;
    if (insn->next - c->job->patch_vaddr < PLAN_PATCH_BYTES ||
        reader->image->under_shadow_stack)
        return PLAN_CALL_IN_PROLOGUE;
    if (plan_insn_target(insn, &target)) {
        if (target > c->job->vaddr && target < c->job->end)
            /* it wants its own return address */
            return patch_is_thunk(reader->image, insn->at)
                       ? PLAN_THUNK
                       : PLAN_CALL_IN_PROLOGUE;
        emit_push_address(c, c->bias + insn->next);
        emit_jump(c, (const uint8_t *)"\xe9", 1, c->bias + target);
        return PLAN_OK;
    }
    const ZydisDecodedOperand *op = &insn->op[0];
    uint8_t moved[ZYDIS_MAX_INSTRUCTION_LENGTH];
    bool is_memory = op->type == ZYDIS_OPERAND_TYPE_MEMORY;
    int base = is_memory ? plan_gpr_of(reader, op->mem.base)
                         : plan_gpr_of(reader, op->reg.value);
    if (insn->in.opcode != 0xff || insn->in.raw.modrm.reg != 2 ||
        base == GPR_RSP)
        return PLAN_CALL_IN_PROLOGUE;
    memcpy(moved, bytes, insn->in.length);
    uint8_t *modrm = moved + insn->in.raw.modrm.offset;
    *modrm = (uint8_t)((*modrm & ~0x38) | 4 << 3); /* call -> jmp */
    emit_push_address(c, c->bias + insn->next);
    return copy_plain(c, insn, moved);
}

/* The byte behind the end of a short function: only padding may go. Zeros are
 * none: no compiler pads code with them, and a constant may begin so. */
static enum plan_verdict skip_padding(struct patch_job *job, uint64_t *at)
{
    struct plan_insn insn;
    uint8_t byte;
    if (*at >= job->limit || !image_read(job->reader.image, *at, &byte, 1))
        return PLAN_TOO_SHORT;
    if (byte == 0xcc) {
        ++*at;
        return PLAN_OK;
    }
    if (!plan_decode(&job->reader, *at, &insn) || !plan_insn_is_nop(&insn) ||
        insn.next > job->limit)
        return *at >= job->end ? PLAN_TOO_SHORT : PLAN_BRANCH_MAYBE;
    *at = insn.next;
    return PLAN_OK;
}

static enum plan_verdict copy_one(struct copier *c, uint64_t *at, bool *ended)
{
    struct patch_job *job = c->job;
    struct plan_insn insn;
    uint64_t target;
    if (!plan_decode(&job->reader, *at, &insn))
        return PLAN_UNDECODABLE;
    if (insn.next > job->end)
        return PLAN_TOO_SHORT;
    if (plan_insn_is_trap(&insn))
        return PLAN_BREAKPOINT;
    const uint8_t *bytes =
        plan_image_at(job->reader.image, *at, insn.in.length);
    *at = insn.next;
    *ended = plan_insn_ends(&insn);
    if (plan_insn_is_call(&insn)) {
        *ended = true;
        return copy_call(c, &insn, bytes);
    }
    if (plan_insn_target(&insn, &target))
        return copy_branch(c, &insn, target);
    return copy_plain(c, &insn, bytes);
}

static enum plan_verdict copy_next(struct copier *c, uint64_t *at, bool *ended)
{
    struct plan_patch *out = c->out;
    uint64_t offset = *at - c->job->patch_vaddr;
    if (offset > 0 && offset < PLAN_PATCH_BYTES) {
        out->boundary[out->boundary_count].at = (uint8_t)offset;
        out->boundary[out->boundary_count++].copy = (uint8_t)out->copy_len;
    }
    return copy_one(c, at, ended);
}

static enum plan_verdict make_copy(struct copier *c)
{
    struct patch_job *job = c->job;
    uint64_t at = job->patch_vaddr;
    bool ended = false;
    if (c->out->has_endbr)
        emit(c, "\xf3\x0f\x1e\xfa", ENDBR_BYTES);
    while (at - job->patch_vaddr < PLAN_PATCH_BYTES) {
        enum plan_verdict verdict;
        if (ended)
            verdict = skip_padding(job, &at);
        else if (at >= job->end)
            verdict = PLAN_TOO_SHORT; /* runs on into the next function */
        else
            verdict = copy_next(c, &at, &ended);
        if (verdict != PLAN_OK)
            return verdict;
    }
    job->displaced_end = at;
    c->out->displaced_bytes = (uint8_t)(at - job->patch_vaddr);
    if (!ended)
        emit_jump(c, (const uint8_t *)"\xe9", 1, c->bias + at);
    return c->too_long ? PLAN_UNDECODABLE : PLAN_OK;
}

static bool starts_with_endbr(const struct patch_job *job)
{
    uint8_t bytes[ENDBR_BYTES];
    return image_read(job->reader.image, job->vaddr, bytes, sizeof bytes) &&
           memcmp(bytes, "\xf3\x0f\x1e\xfa", ENDBR_BYTES) == 0;
}

/* The code behind a jump among the first bytes is somebody's: whose? */
static enum plan_verdict find_branch(struct patch_job *job)
{
    job->displaced_end = job->patch_vaddr + PLAN_PATCH_BYTES;
    enum plan_verdict verdict = patch_check_branches(job);
    return verdict == PLAN_OK ? PLAN_BRANCH_MAYBE : verdict;
}

static enum plan_verdict decide(struct patch_job *job, struct copier *c)
{
    struct plan_patch *out = c->out;
    if (job->reader.image->is_go)
        return PLAN_GO;
    if (plan_image_function_extent(job->reader.image, job->vaddr, &job->end) <
            0 ||
        !image_is_executable(job->reader.image, job->vaddr))
        return PLAN_NO_FUNCTION;
    enum plan_verdict verdict = patch_check_names(job);
    if (verdict != PLAN_OK)
        return verdict;
    out->has_endbr = starts_with_endbr(job);
    job->patch_vaddr = job->vaddr + (out->has_endbr ? ENDBR_BYTES : 0);
    out->patch_at = c->bias + job->patch_vaddr;
    verdict = make_copy(c);
    if (verdict == PLAN_BRANCH_MAYBE)
        return find_branch(job);
    if (verdict == PLAN_OK && job->limit < job->displaced_end)
        verdict = PLAN_ENTRY_INSIDE;
    if (verdict == PLAN_OK)
        verdict = patch_check_branches(job);
    if (verdict == PLAN_OK)
        verdict = patch_check_computed(job);
    if (verdict == PLAN_OK)
        verdict = patch_check_registers(job);
    if (verdict == PLAN_OK)
        verdict = patch_check_profiler(job);
    if (verdict != PLAN_OK)
        return verdict;
    if (!image_read(job->reader.image, job->patch_vaddr, out->original,
                    sizeof out->original))
        return PLAN_TOO_SHORT;
    return PLAN_OK;
}

int plan_entry_patch(const struct plan_decoder *decoder,
                     const struct plan_image *image, uint64_t vaddr,
                     uint64_t copy_at, void *scratch, struct plan_patch *out)
{
    struct patch_job job = {.scratch = scratch, .vaddr = vaddr};
    struct copier c = {.job = &job, .out = out, .is_dry = copy_at == 0};
    memset(out, 0, sizeof *out);
    int rc = plan_reader_open(&job.reader, decoder, image);
    if (rc < 0)
        return rc;
    c.bias = image->is_mapped ? image->base : 0;
    c.copy_at = copy_at;
    out->entry = out->patch_at = c.bias + vaddr;
    out->verdict = decide(&job, &c);
    out->place = job.place;
    if (out->verdict != PLAN_OK || c.is_dry)
        out->copy_len = 0;
    if (out->verdict == PLAN_OK && job.is_excluded)
        out->verdict = PLAN_EXCLUDED;
    return c.out_of_range && out->copy_len > 0 ? -ERANGE : 0;
}

const char *plan_verdict_text(enum plan_verdict verdict)
{
    static const char *const text[PLAN_VERDICTS] = {
        [PLAN_OK] = "it can be patched",
        [PLAN_NO_FUNCTION] = "no function is known to start there",
        [PLAN_TOO_SHORT] =
            "it is shorter than a jump, and what follows is no padding "
            "(-fpatchable-function-entry=5 makes room)",
        [PLAN_UNDECODABLE] = "its code cannot be decoded",
        [PLAN_BRANCH_INTO] = "a branch leads into its first bytes",
        [PLAN_BRANCH_MAYBE] = "what may be a branch leads into its first bytes",
        [PLAN_LABEL_INTO] = "a branch or an address leads into its first bytes",
        [PLAN_COMPUTED_JUMP] = "it computes where it jumps to from the address "
                               "of a label of its own",
        [PLAN_ENTRY_INSIDE] = "another function starts within its first bytes",
        [PLAN_BREAKPOINT] = "a breakpoint stands there",
        [PLAN_CHANGED] = "its first bytes are not those of its file: somebody "
                         "else changed them",
        [PLAN_LOOP_TO_ENTRY] = "it jumps to its own entry",
        [PLAN_LOOP_INSTRUCTION] =
            "a loop instruction among its first bytes cannot be moved",
        [PLAN_CALL_IN_PROLOGUE] =
            "a call among its first bytes cannot be moved",
        [PLAN_IFUNC_RESOLVER] =
            "it is a resolver that the loader calls, not the function",
        [PLAN_ASSEMBLY] = "it is assembly with a calling convention of its own",
        [PLAN_GO] = "Go moves its stacks",
        [PLAN_THUNK] = "it is a thunk of the compiler, not a function",
        [PLAN_EXCLUDED] = "it must run in its caller's very frame",
        [PLAN_NOT_LOOKED_AT] = "who branches into it is not known",
        [PLAN_PART] = "it is a part of a function, not a whole one",
        [PLAN_PROFILED] =
            "it tells a profiler who called it (-pg, -finstrument-functions)",
        [PLAN_COLLECTED] = "it is OCaml: its collector finds frames by their "
                           "return addresses",
        [PLAN_NO_UNWIND] = "no unwind table has it, though its object has "
                           "some: nothing shows that it is called as C is",
    };
    if ((unsigned)verdict >= PLAN_VERDICTS || text[verdict] == NULL)
        return "unknown verdict";
    return text[verdict];
}

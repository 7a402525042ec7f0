/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that tell a profiler who called them, as gcc -pg makes them: the
 * first call of the function goes to mcount or __fentry__, the C library's or
 * one of the program's own, which looks at the frame for the caller's address
 * and would find a trampoline's.
 */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"

enum {
    FIRST_BYTES = 96, /* a prologue */
    PLT_INSTRUCTIONS = 3
};

static const char *const names[] = {"mcount", "_mcount", "__fentry__",
                                    "__cyg_profile_func_enter"};
enum {
    NAMES = sizeof names / sizeof *names
};

static bool is_profiler(const char *name)
{
    for (size_t i = 0; name && i < NAMES; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Imports come first in the table; most objects have none of these. */
static bool knows_profiler(const struct plan_image *image)
{
    Elf64_Sym raw;
    struct plan_symbol own;
    for (uint64_t i = 1; image_symbol_get(image, true, i, &raw); i++) {
        if (raw.st_shndx != SHN_UNDEF)
            break;
        if (raw.st_name < image->dynstr_len &&
            is_profiler(image->dynstr + raw.st_name))
            return true;
    }
    for (size_t i = 0; i < NAMES; i++)
        if (plan_image_find_dynamic(image, names[i], &own) == 0)
            return true;
    return false;
}

struct place {
    const struct plan_image *image;
    uint64_t vaddr;
};

/* The word through which a call or jump goes; 0: none. */
static uint64_t word_of(const struct plan_insn *insn)
{
    const ZydisDecodedOperand *op = &insn->op[0];
    if (op->type != ZYDIS_OPERAND_TYPE_MEMORY ||
        op->mem.base != ZYDIS_REGISTER_RIP)
        return 0;
    return insn->next + (uint64_t)op->mem.disp.value;
}

/* [endbr64] jmp *slot(%rip) */
static uint64_t word_of_plt(const struct plan_reader *reader, uint64_t at)
{
    struct plan_insn insn;
    for (int i = 0; i < PLT_INSTRUCTIONS; i++, at = insn.next) {
        if (!plan_decode(reader, at, &insn))
            return 0;
        if (insn.in.mnemonic == ZYDIS_MNEMONIC_JMP)
            return word_of(&insn);
        if (insn.in.mnemonic != ZYDIS_MNEMONIC_ENDBR64)
            return 0;
    }
    return 0;
}

static int is_profiler_label(void *context, bool dynamic, const Elf64_Sym *raw)
{
    const struct place *label = context;
    struct plan_symbol symbol;
    return raw->st_value == label->vaddr &&
           image_symbol_describe(label->image, dynamic, raw, &symbol) &&
           is_profiler(symbol.name);
}

static bool is_own_profiler(const struct plan_image *image, uint64_t vaddr)
{
    struct place label = {image, vaddr};
    uint64_t end = vaddr + 1;
    return image_each_label(image, vaddr, &end, is_profiler_label, &label) != 0;
}

static bool calls_profiler(const struct plan_reader *reader,
                           const struct plan_insn *call)
{
    const struct plan_image *image = reader->image;
    struct plan_slot slot;
    uint64_t target, word = word_of(call);
    if (plan_insn_target(call, &target)) {
        if (is_own_profiler(image, target))
            return true;
        word = word_of_plt(reader, target);
    }
    return word != 0 && knows_profiler(image) &&
           plan_image_find_slot(image, word, &slot) == 0 &&
           is_profiler(slot.name);
}

enum plan_verdict patch_check_profiler(struct patch_job *job)
{
    const struct plan_reader *reader = &job->reader;
    struct plan_insn insn;
    uint64_t end = job->end - job->vaddr < FIRST_BYTES
                       ? job->end
                       : job->vaddr + FIRST_BYTES;
    for (uint64_t at = job->vaddr; at < end; at = insn.next) {
        if (!plan_decode(reader, at, &insn) || plan_insn_ends(&insn))
            return PLAN_OK;
        if (plan_insn_is_call(&insn))
            return calls_profiler(reader, &insn) ? PLAN_PROFILED : PLAN_OK;
    }
    return PLAN_OK;
}

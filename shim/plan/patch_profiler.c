/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that tell a profiler who called them, as gcc -pg makes them: the
 * first call of the function goes to mcount or __fentry__, which looks at the
 * frame for the caller's address and would find a trampoline's.
 */
#include "shim/plan/patch_internal.h"
#include "shim/plan/image_internal.h"

enum {
    FIRST_BYTES = 96, /* a prologue */
    PLT_INSTRUCTIONS = 3
};

static bool is_profiler(const char *name)
{
    static const char *const names[] = {"mcount", "_mcount", "__fentry__",
                                        "__cyg_profile_func_enter"};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Imports come first in the table; most objects have none of these. */
static bool imports_profiler(const struct plan_image *image)
{
    Elf64_Sym raw;
    for (uint64_t i = 1; image_symbol_get(image, true, i, &raw); i++) {
        if (raw.st_shndx != SHN_UNDEF)
            return false;
        if (raw.st_name < image->dynstr_len &&
            is_profiler(image->dynstr + raw.st_name))
            return true;
    }
    return false;
}

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

static bool calls_profiler(const struct plan_reader *reader,
                           const struct plan_insn *call)
{
    struct plan_slot slot;
    uint64_t target, word = word_of(call);
    if (plan_insn_target(call, &target))
        word = word_of_plt(reader, target);
    return word != 0 && plan_image_find_slot(reader->image, word, &slot) == 0 &&
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
            return imports_profiler(reader->image) &&
                           calls_profiler(reader, &insn)
                       ? PLAN_PROFILED
                       : PLAN_OK;
    }
    return PLAN_OK;
}

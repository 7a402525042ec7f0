/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instruction of an object, decoded. Wraps the decoder table so that the
 * rest of shim/plan speaks of link-time addresses and register numbers.
 * Zydis' header is used for its types and constants only. Private.
 */
#pragma once
#include "shim/plan/plan.h"

#include <Zydis/Zydis.h>

/* Encoding order, as in instructions and in struct plan_row. */
enum plan_gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_COUNT,
};

struct plan_reader {
    const struct plan_decoder *decoder;
    const struct plan_image *image;
    ZydisDecoder zydis;
};

struct plan_insn {
    uint64_t at, next;
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* A reader of 64-bit code by this decoder, which must stay. 0 or -errno. */
int plan_reader_open(struct plan_reader *reader,
                     const struct plan_decoder *decoder,
                     const struct plan_image *image)
    __attribute__((warn_unused_result));
/* False: not executable, not all there, or no instruction. */
bool plan_decode(const struct plan_reader *reader, uint64_t at,
                 struct plan_insn *out);

/* enum plan_gpr of a general register of any width, or -1. */
int plan_gpr_of(const struct plan_reader *reader, ZydisRegister reg);
bool plan_is_gpr64(const struct plan_reader *reader, ZydisRegister reg);
/* Target of a direct branch or call. */
bool plan_insn_target(const struct plan_insn *insn, uint64_t *target);
bool plan_insn_is_call(const struct plan_insn *insn);
/* Never goes on to the next instruction: jmp, ret, ud2, hlt, int3. */
bool plan_insn_ends(const struct plan_insn *insn);
/* int3, of whatever length. */
bool plan_insn_is_trap(const struct plan_insn *insn);
bool plan_insn_is_nop(const struct plan_insn *insn);

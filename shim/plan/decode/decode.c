/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding one instruction of an object through the decoder table; see
 * decode.h. The only file that calls into Zydis.
 */
#include "shim/plan/decode/decode.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

int plan_reader_open(struct plan_reader *reader,
                     const struct plan_decoder *decoder,
                     const struct plan_image *image)
{
    reader->decoder = decoder;
    reader->image = image;
    unsigned status = decoder->decoder_init(
        &reader->zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return ZYAN_SUCCESS(status) ? 0 : -EINVAL;
}

bool plan_decode(const struct plan_reader *reader, uint64_t at,
                 struct plan_insn *out)
{
    uint64_t room = image_bytes_from(reader->image, at);
    if (room > ZYDIS_MAX_INSTRUCTION_LENGTH)
        room = ZYDIS_MAX_INSTRUCTION_LENGTH;
    const void *bytes = plan_image_at(reader->image, at, room);
    if (bytes == NULL || room == 0 || !image_is_executable(reader->image, at))
        return false;
    uint8_t restored[ZYDIS_MAX_INSTRUCTION_LENGTH];
    if (reader->image->restore && *(const uint8_t *)bytes == 0xe9) {
        memcpy(restored, bytes, room);
        reader->image->restore(reader->image, at, restored, room);
        bytes = restored;
    }
    unsigned status = reader->decoder->decode_full(&reader->zydis, bytes, room,
                                                   &out->in, out->op);
    out->at = at;
    out->next = at + out->in.length;
    return ZYAN_SUCCESS(status);
}

int plan_gpr_of(const struct plan_reader *reader, ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return -1;
    int full = reader->decoder->register_largest_enclosing(
        ZYDIS_MACHINE_MODE_LONG_64, (int)reg);
    if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
        return -1;
    return full - ZYDIS_REGISTER_RAX;
}

bool plan_is_gpr64(const struct plan_reader *reader, ZydisRegister reg)
{
    return reader->decoder->register_class((int)reg) == ZYDIS_REGCLASS_GPR64;
}

bool plan_insn_target(const struct plan_insn *insn, uint64_t *target)
{
    if (!insn->in.raw.imm[0].is_relative)
        return false;
    *target = insn->next + (uint64_t)insn->in.raw.imm[0].value.s;
    return true;
}

bool plan_insn_is_call(const struct plan_insn *insn)
{
    return insn->in.meta.category == ZYDIS_CATEGORY_CALL;
}

bool plan_insn_ends(const struct plan_insn *insn)
{
    switch (insn->in.mnemonic) {
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_INT3:
        return true;
    default:
        return insn->in.meta.category == ZYDIS_CATEGORY_RET;
    }
}

bool plan_insn_is_trap(const struct plan_insn *insn)
{
    return insn->in.mnemonic == ZYDIS_MNEMONIC_INT3;
}

bool plan_insn_is_nop(const struct plan_insn *insn)
{
    return insn->in.meta.category == ZYDIS_CATEGORY_NOP ||
           insn->in.meta.category == ZYDIS_CATEGORY_WIDENOP;
}

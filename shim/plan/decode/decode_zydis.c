/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder table for programs that link Zydis: the tools and the tests.
 * The preload fills a table of its own from dlsym().
 */
#include "shim/plan/plan.h"

#include <Zydis/Zydis.h>

static unsigned init(void *decoder, int machine_mode, int stack_width)
{
    return ZydisDecoderInit(decoder, (ZydisMachineMode)machine_mode,
                            (ZydisStackWidth)stack_width);
}

static unsigned decode(const void *decoder, const void *buffer, size_t length,
                       void *instruction, void *operands)
{
    return ZydisDecoderDecodeFull(decoder, buffer, length, instruction,
                                  operands);
}

static int class_of(int reg)
{
    return (int)ZydisRegisterGetClass((ZydisRegister)reg);
}

static int largest_enclosing(int machine_mode, int reg)
{
    return (int)ZydisRegisterGetLargestEnclosing((ZydisMachineMode)machine_mode,
                                                 (ZydisRegister)reg);
}

const struct plan_decoder plan_decoder_zydis = {
    .decoder_init = init,
    .decode_full = decode,
    .register_class = class_of,
    .register_largest_enclosing = largest_enclosing,
};

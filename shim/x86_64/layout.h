/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that the assembly and C share: offsets in struct shim_call, struct
 * shim_regs and struct shim_entry, and how a cache word is packed. Included by
 * both; entry.h asserts each against the C structs.
 */
#pragma once

/* struct shim_call */
#define CALL_SITE   0
#define CALL_SP     8
#define CALL_TARGET 16
#define CALL_LANE   24
#define CALL_FLAGS  56
#define CALL_ARGS   64
#define CALL_SIZE   136

/* struct shim_regs */
#define REGS_RAX  0
#define REGS_RDI  8
#define REGS_RSI  16
#define REGS_RDX  24
#define REGS_RCX  32
#define REGS_R8   40
#define REGS_R9   48
#define REGS_R10  56
#define REGS_R11  64
#define REGS_SIZE 72

/* struct shim_entry: the call, then: */
#define ENTRY_RBP    136
#define ENTRY_RA     144
#define ENTRY_BUSY   152
#define ENTRY_NEXT   160
#define ENTRY_HOME   168
#define ENTRY_RESUME 176
#define ENTRY_SIZE   192

/* Flags of struct shim_call, as the assembly stores and tests them. */
#define FLAG_ZERO_COPY 1
#define FLAG_TAIL      2
#define FLAG_LOST      4
#define FLAG_ARGS      8
#define FLAG_CALLER    16

/* Return addresses that Z may replace: words of the table. */
#define CALLERS 4096

/* F's frame: from the caller's return-address slot to the handler's. */
#define FRAME_STRIDE 256
/* The same with a copy of the stack arguments between the two. */
#define COPY_STRIDE 384
#define COPY_MARK   0x6b72616d79706f63

/* How far below shim_floor a stack ends at most. */
#define NEAR_END 16384

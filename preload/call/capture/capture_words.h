/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a frame's values: a head, what a register holds, bytes up to a
 * multiple of 8. Inline: capture_write.c is made of them.
 *
 * Within enter and leave: general registers only, no libc, no fault.
 */
#pragma once
#include "lane/format/assert.h"
#include "preload/call/capture/capture_write.h"

enum {
    VALUE_HEAD = sizeof(struct lane_value)
};

/* Bytes, as whole words. */
static inline uint64_t round8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

/* Text or bytes: as long as it is, measured before it is copied. */
static inline bool is_range(const struct capture_value *value)
{
    return value->type == LANE_VALUE_TEXT || value->type == LANE_VALUE_BYTES;
}

/* `at`: a multiple of 8. */
static inline void put_word(uint8_t *at, uint64_t word)
{
    *(uint64_t *)(void *)at = word;
}

/* The head of a value, VALUE_HEAD bytes at `at`; `len` stored bytes follow. As
 * one word: what is read back at once as a word must not wait until its parts
 * have come to the cache, and all that was stored before them. */
static inline void put_head(uint8_t *at, const struct capture_value *value,
                            uint32_t flags, uint64_t len)
{
    _Static_assert(offsetof(struct lane_value, item) == 0 &&
                       offsetof(struct lane_value, flags) == 2 &&
                       offsetof(struct lane_value, type) == 3 &&
                       offsetof(struct lane_value, len_bytes) == 4 &&
                       VALUE_HEAD == 8,
                   "one word");
    lane_assert(len <= LANE_FRAME_MAX && flags <= UINT8_MAX);
    put_word(at, value->head | (uint64_t)flags << 16 | len << 32);
}

/* What its register held at enter (`ireg`: rdi on) or at leave (`rax`), as a
 * word. */
static inline uint64_t take_register(const struct capture_value *value,
                                     const uint64_t *ireg, uint64_t rax)
{
    lane_assert(value->source <= CAPTURE_RAX);
    uint64_t raw = value->source == CAPTURE_RAX ? rax : ireg[value->source];
    uint32_t unused = value->unused_bits & 63u;
    return value->is_signed ? (uint64_t)((int64_t)(raw << unused) >> unused)
                            : raw << unused >> unused;
}

/* What came out of a call, where that goes into its record. */
static inline uint64_t capture_value_of(const struct capture_plan *plan,
                                        const struct shim_call *call,
                                        const struct shim_regs *regs)
{
    lane_assert(plan->out.is_value && plan->out.count == 1);
    return take_register(plan->out.values, &call->args.rdi, regs->rax);
}

/* Bytes of a value that is no range, its head among them. */
static inline uint32_t scalar_size(const struct capture_value *value)
{
    return VALUE_HEAD + (value->type == LANE_VALUE_F80 ? 16 : 8);
}

/* From `at` to the end of the word that `end` lies in, or ends at. volatile,
 * here and below: a loop of these must not become a call of libc's memset or
 * memcpy. */
static inline void zero_words(uint8_t *at, const uint8_t *end)
{
    lane_assert(at <= end + 7);
    for (; at < end; at += 8)
        *(volatile uint64_t *)(void *)at = 0;
}

/* `bytes`: a multiple of 8. */
static inline void copy_words(uint8_t *to, const uint64_t *from, uint32_t bytes)
{
#pragma GCC unroll 4
    for (uint32_t i = 0; i < bytes; i += 8)
        *(volatile uint64_t *)(void *)(to + i) = from[i / 8];
}

/* Behind `len` bytes at `at`, up to a multiple of 8. */
static inline void zero_tail(uint8_t *at, uint64_t len)
{
    for (; len & 7; len++)
        *(volatile uint8_t *)(at + len) = 0;
}

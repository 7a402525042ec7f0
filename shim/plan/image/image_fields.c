/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw code: the places where a 32-bit distance may stand, and where those lead
 * to. 64 bytes at a time, in AVX2 where the CPU has it: never on the path of a
 * call, and where a call has to wait for this all vector registers were saved.
 *
 * Of what looks like a distance in 100 MB two thirds lead out of the code; most
 * of these show it in their highest byte, so that is looked at first.
 */
#include "shim/plan/image/image_internal.h"

#include <cpuid.h>
#include <immintrin.h>

enum {
    STEP = 64,
    FIELD_BYTES = 5, /* the byte before a distance, the distance */
};

static __m128i masked_equals(__m128i bytes, uint8_t mask, uint8_t value)
{
    return _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8((char)mask)),
                          _mm_set1_epi8((char)value));
}

static __m128i fields_of_16(const uint8_t *p)
{
    __m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i before = _mm_loadu_si128((const __m128i *)(const void *)(p - 1));
    __m128i near = masked_equals(here, 0xfe, 0xe8);    /* call, jmp */
    __m128i operand = masked_equals(here, 0xc7, 0x05); /* disp(%rip) */
    __m128i jcc = _mm_and_si128(masked_equals(here, 0xf0, 0x80),
                                masked_equals(before, 0xff, 0x0f));
    return _mm_or_si128(_mm_or_si128(near, operand), jcc);
}

uint32_t image_field_mask(const uint8_t *p)
{
    return (uint32_t)_mm_movemask_epi8(fields_of_16(p));
}

enum image_field_kind image_field_kind(const uint8_t *p)
{
    if (*p == 0xe8)
        return IMAGE_FIELD_CALL;
    if ((*p & 0xc7) != 0x05)
        return IMAGE_FIELD_JUMP;
    return p[-1] == 0x8d ? IMAGE_FIELD_LEA : IMAGE_FIELD_ADDRESS;
}

#define INLINE static inline __attribute__((always_inline))

/* ---- 64 bytes ------------------------------------------------------------ */

/* Distances whose highest byte is in [-reach, reach). */
static uint64_t mask_of_16(const uint8_t *p, int reach)
{
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + 4));
    __m128i most = _mm_set1_epi8((char)(2 * reach - 1));
    high = _mm_add_epi8(high, _mm_set1_epi8((char)reach));
    high = _mm_cmpeq_epi8(_mm_min_epu8(high, most), high);
    return (uint32_t)_mm_movemask_epi8(_mm_and_si128(high, fields_of_16(p)));
}

static uint64_t mask_of_64(const uint8_t *p, int reach)
{
    return mask_of_16(p, reach) | mask_of_16(p + 16, reach) << 16 |
           mask_of_16(p + 32, reach) << 32 | mask_of_16(p + 48, reach) << 48;
}

#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

AVX2 INLINE __m256i wide_equals(__m256i bytes, uint8_t mask, uint8_t value)
{
    return _mm256_cmpeq_epi8(
        _mm256_and_si256(bytes, _mm256_set1_epi8((char)mask)),
        _mm256_set1_epi8((char)value));
}

AVX2 INLINE __m256i load_wide(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 INLINE uint64_t mask_of_32(const uint8_t *p, int reach)
{
    __m256i here = load_wide(p), high = load_wide(p + 4);
    __m256i most = _mm256_set1_epi8((char)(2 * reach - 1));
    __m256i near = wide_equals(here, 0xfe, 0xe8);
    __m256i operand = wide_equals(here, 0xc7, 0x05);
    __m256i jcc = _mm256_and_si256(wide_equals(here, 0xf0, 0x80),
                                   wide_equals(load_wide(p - 1), 0xff, 0x0f));
    high = _mm256_add_epi8(high, _mm256_set1_epi8((char)reach));
    high = _mm256_cmpeq_epi8(_mm256_min_epu8(high, most), high);
    __m256i field = _mm256_or_si256(_mm256_or_si256(near, operand), jcc);
    return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(high, field));
}

AVX2 INLINE uint64_t wide_mask_of_64(const uint8_t *p, int reach)
{
    return mask_of_32(p, reach) | mask_of_32(p + 32, reach) << 32;
}

/* SDM 1, 14.7.1: the CPU has it, and who switches threads keeps its state. */
bool image_code_is_wide(void)
{
    uint32_t a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & (bit_AVX2 | bit_BMI)) == (bit_AVX2 | bit_BMI);
}

/* ---- all of it ----------------------------------------------------------- */

static uint64_t take_all(const struct image_code *code, uint64_t from,
                         int reach, struct image_fields *out)
{
    for (;
         from + STEP + 4 <= code->len && out->count <= IMAGE_FIELDS_MAX - STEP;
         from += STEP)
        for (uint64_t m = mask_of_64(code->bytes + from, reach); m != 0;
             m &= m - 1)
            out->at[out->count++] = from + (uint64_t)__builtin_ctzll(m);
    return from;
}

/*
 * How many there are in 64 bytes nobody can predict, so the first four are
 * written whether they are there or not; on average it is two.
 */
AVX2 static uint64_t take_all_wide(const struct image_code *code, uint64_t from,
                                   int reach, struct image_fields *out)
{
    uint32_t count = out->count;
    for (; from + STEP + 4 <= code->len && count <= IMAGE_FIELDS_MAX - STEP;
         from += STEP) {
        uint64_t m = wide_mask_of_64(code->bytes + from, reach);
        uint64_t *at = out->at + count;
        count += (uint32_t)__builtin_popcountll(m);
        for (int i = 0; i < 4; i++, m &= m - 1)
            at[i] = from + _tzcnt_u64(m);
        for (at += 4; m != 0; m &= m - 1)
            *at++ = from + _tzcnt_u64(m);
    }
    out->count = count;
    return from;
}

/* At either end, where less than 64 bytes and what is around them can be read:
 * from a copy. The first byte of all has nothing before it, so it is no
 * operand's. */
static uint64_t take_at_edge(const struct image_code *code, uint64_t from,
                             int reach, struct image_fields *out)
{
    uint8_t copy[1 + STEP + 4] = {from ? code->bytes[from - 1] : 0};
    uint64_t left = code->len - from;
    memcpy(copy + 1, code->bytes + from, left < STEP + 4 ? left : STEP + 4);
    for (uint64_t m = mask_of_64(copy + 1, reach); m != 0; m &= m - 1) {
        uint64_t at = from + (uint64_t)__builtin_ctzll(m);
        if (at + FIELD_BYTES <= code->len &&
            (at > 0 || (code->bytes[0] & 0xc7) != 0x05))
            out->at[out->count++] = at;
    }
    return left < STEP ? code->len : from + STEP;
}

bool image_code_next(const struct image_code *code, uint64_t *from,
                     struct image_fields *out)
{
    /* places and targets are both below span */
    int reach = (int)(code->span >> 24) + 2;
    out->count = 0;
    if (*from >= code->len)
        return false;
    if (*from == 0 || *from + STEP + 4 > code->len)
        *from = take_at_edge(code, *from, reach, out);
    else if (code->is_wide)
        *from = take_all_wide(code, *from, reach, out);
    else
        *from = take_all(code, *from, reach, out);
    return true;
}

/* ---- constants ------------------------------------------------------------
 */

/* The upper halves of words that may be addresses: `most` above `least`. */
struct halves {
    uint16_t least, most;
};

/* Of the 32 words that begin at p, p + 1 ... */
AVX2 INLINE uint32_t wide_constants_of_32(const uint8_t *p, struct halves range)
{
    const __m256i least = _mm256_set1_epi16((int16_t)range.least);
    const __m256i most = _mm256_set1_epi16((int16_t)range.most);
    const __m256i zero = _mm256_setzero_si256();
    __m256i even = _mm256_sub_epi16(load_wide(p + 2), least);
    __m256i odd = _mm256_sub_epi16(load_wide(p + 3), least);
    even = _mm256_cmpeq_epi16(_mm256_subs_epu16(even, most), zero);
    odd = _mm256_cmpeq_epi16(_mm256_subs_epu16(odd, most), zero);
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_blendv_epi8(even, odd, _mm256_set1_epi16((int16_t)0xff00)));
}

static uint32_t constants_of_16(const uint8_t *p, struct halves range)
{
    const __m128i least = _mm_set1_epi16((int16_t)range.least);
    const __m128i most = _mm_set1_epi16((int16_t)range.most);
    const __m128i zero = _mm_setzero_si128();
    const __m128i low_byte = _mm_set1_epi16(0x00ff);
    __m128i even = _mm_loadu_si128((const __m128i *)(const void *)(p + 2));
    __m128i odd = _mm_loadu_si128((const __m128i *)(const void *)(p + 3));
    even = _mm_subs_epu16(_mm_sub_epi16(even, least), most);
    odd = _mm_subs_epu16(_mm_sub_epi16(odd, least), most);
    even = _mm_and_si128(_mm_cmpeq_epi16(even, zero), low_byte);
    odd = _mm_andnot_si128(low_byte, _mm_cmpeq_epi16(odd, zero));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(even, odd));
}

AVX2 static uint64_t take_constants_wide(const struct image_code *code,
                                         uint64_t from, struct halves range,
                                         struct image_fields *out)
{
    uint32_t count = out->count;
    for (; from + 36 <= code->len && count <= IMAGE_FIELDS_MAX - 36;
         from += 32) {
        uint32_t m = wide_constants_of_32(code->bytes + from, range);
        uint64_t *at = out->at + count;
        count += (uint32_t)__builtin_popcount(m);
        for (int i = 0; i < 4; i++, m &= m - 1)
            at[i] = from + _tzcnt_u32(m);
        for (at += 4; m != 0; m &= m - 1)
            *at++ = from + _tzcnt_u32(m);
    }
    out->count = count;
    return from;
}

static uint64_t take_constants(const struct image_code *code, uint64_t from,
                               struct halves range, struct image_fields *out)
{
    for (; from + 20 <= code->len && out->count <= IMAGE_FIELDS_MAX - 16;
         from += 16)
        for (uint32_t m = constants_of_16(code->bytes + from, range); m != 0;
             m &= m - 1)
            out->at[out->count++] = from + (uint64_t)__builtin_ctz(m);
    return from;
}

bool image_code_next_constant(const struct image_code *code, uint64_t low,
                              uint64_t *from, struct image_fields *out)
{
    uint16_t least = (uint16_t)(low >> 16);
    struct halves range = {least,
                           (uint16_t)(((low + code->span) >> 16) - least)};
    out->count = 0;
    if (*from + 4 > code->len)
        return false;
    if (code->is_wide)
        *from = take_constants_wide(code, *from, range, out);
    if (*from + 36 > code->len || !code->is_wide)
        *from = take_constants(code, *from, range, out);
    for (; *from + 4 <= code->len && *from + 20 > code->len &&
           out->count < IMAGE_FIELDS_MAX;
         ++*from)
        out->at[out->count++] = *from;
    return true;
}

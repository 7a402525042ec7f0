/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast look at raw code against one byte after the other: on noise that is
 * rich in branches, of every length, at every alignment, in front of an edge
 * that cannot be read, with AVX2 and without it.
 */
#define _GNU_SOURCE
#include "shim/plan/image/image_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    LEN_MAX = 2000,
    ROUNDS = 3000
};

static uint32_t state = 14;

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

static bool is_field(const uint8_t *code, uint64_t at)
{
    if ((code[at] & 0xfe) == 0xe8)
        return true;
    return at > 0 && ((code[at] & 0xc7) == 0x05 ||
                      (code[at - 1] == 0x0f && (code[at] & 0xf0) == 0x80));
}

/* Does the distance behind `at` lead into code of `span` bytes, wherever in it
 * this stretch stands? Then it must not be left out. */
static bool may_lead_inside(const uint8_t *code, uint64_t at, uint64_t span)
{
    int32_t distance;
    memcpy(&distance, code + at + 1, sizeof distance);
    return distance > -(int64_t)span && distance < (int64_t)span;
}

static void fill(uint8_t *code, uint64_t len, uint64_t span)
{
    static const uint8_t likely[] = {0xe8, 0xe9, 0x0f, 0x84, 0x05, 0x3d, 0x8d};
    for (uint64_t i = 0; i < len; i++)
        code[i] = next() % 3 ? (uint8_t)next() : likely[next() % 7];
    for (uint64_t i = 0; i + 5 <= len; i += 1 + next() % 40) {
        uint32_t distance = next() % (2 * (uint32_t)span) - (uint32_t)span;
        memcpy(code + i + 1, &distance, sizeof distance);
    }
}

static int compare(const uint8_t *bytes, uint64_t len, uint64_t span,
                   bool is_wide)
{
    struct image_code code = {bytes, len, span, is_wide};
    struct image_fields found = {0};
    uint64_t from = 0;
    uint32_t i = 0;
    for (uint64_t at = 0; at <= len; at++) {
        while (i == found.count && image_code_next(&code, &from, &found))
            i = 0;
        bool is_told = i < found.count && found.at[i] == at;
        bool field = at + 5 <= len && is_field(bytes, at);
        if ((is_told && !field) ||
            (field && !is_told && may_lead_inside(bytes, at, span))) {
            printf("wrong: %s at %lu of %lu, span %lx, wide %d\n",
                   is_told ? "no field" : "a field", (unsigned long)at,
                   (unsigned long)len, (unsigned long)span, is_wide);
            return 1;
        }
        i += is_told;
    }
    return i < found.count;
}

/* Each word that may be an address is told, once and in order, and of the
 * others none that is more than 64 KiB away, but for the last bytes. */
static int compare_constants(const uint8_t *bytes, uint64_t len, uint64_t span,
                             bool is_wide)
{
    struct image_code code = {bytes, len, span, is_wide};
    struct image_fields found = {0};
    uint64_t from = 0, low = next() % (UINT32_MAX - (uint32_t)span);
    uint32_t i = 0, value;
    for (uint64_t at = 0; at <= len; at++) {
        while (i == found.count &&
               image_code_next_constant(&code, low, &from, &found))
            i = 0;
        bool is_told = i < found.count && found.at[i] == at, is_word = false;
        i += is_told;
        if (at + 4 <= len) {
            memcpy(&value, bytes + at, sizeof value);
            is_word = value >= low && value <= low + span;
            is_told =
                is_told && at + 20 <= len &&
                (value >> 16 < low >> 16 || value >> 16 > (low + span) >> 16);
        }
        if ((is_word && i == 0) || is_told ||
            (is_word && found.at[i - 1] != at)) {
            printf("wrong: a constant at %lu of %lu, span %lx, wide %d\n",
                   (unsigned long)at, (unsigned long)len, (unsigned long)span,
                   is_wide);
            return 1;
        }
    }
    return i < found.count;
}

int main(void)
{
    uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool is_wide = image_code_is_wide();
    if (pages == MAP_FAILED || munmap(pages, PAGE) != 0 ||
        munmap(pages + 2 * PAGE, PAGE) != 0)
        return 1;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t len = round < 400 ? (uint64_t)round : next() % LEN_MAX;
        uint64_t span = len + (next() % 3 ? next() % (1u << 30) + 1 : 100);
        uint8_t *code = pages + PAGE + (round % 2 ? PAGE - len : 0);
        span = span > 1u << 30 ? 1u << 30 : span;
        fill(code, len, span);
        if (compare(code, len, span, false) ||
            (is_wide && compare(code, len, span, true)) ||
            compare_constants(code, len, span, false) ||
            (is_wide && compare_constants(code, len, span, true)))
            return 1;
    }
    printf("%d stretches%s\n", ROUNDS, is_wide ? "" : ", none with AVX2");
    return 0;
}

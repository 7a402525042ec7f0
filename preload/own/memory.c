/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mem* and str* functions of the preload: see own.h. General registers
 * only, no state, no errno: what calls them on the path of a call may go on
 * doing so. [any thread, signal-safe]
 *
 * None of this is on the plain path of a call, where sizes are constants and
 * the compiler writes the moves itself.
 */
#include "preload/own/own.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n)::"memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out - (uintptr_t)in >= n)
        return memcpy(to, from, n);
    while (n-- > 0) {
        out[n] = in[n];
        __asm__ volatile("" ::: "memory"); /* or it becomes a memmove */
    }
    return to;
}

/* Words: what is cleared here has a few hundred bytes mostly, for which the
 * string instructions take longer to begin than this takes in all. */
void *memset(void *to, int byte, size_t n)
{
    uint8_t *at = to;
    uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
    for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word)) {
        for (int i = 0; i < 4; i++, at += sizeof(word))
            __builtin_memcpy(at, &word, sizeof(word));
        __asm__ volatile("" ::: "memory"); /* or it becomes a memset */
    }
    for (; n > 0; n--) {
        *at++ = (uint8_t)byte;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *left = a, *right = b;
    for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
        uint64_t x, y;
        __builtin_memcpy(&x, left, sizeof(x));
        __builtin_memcpy(&y, right, sizeof(y));
        if (x != y)
            break;
        left += sizeof(x);
        right += sizeof(y);
    }
    for (; n > 0; n--, left++, right++) {
        if (*left != *right)
            return *left - *right;
    }
    return 0;
}

/* What clang makes of a memcmp() that is only asked whether it is 0. */
int bcmp(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n);
}

void *memchr(const void *from, int byte, size_t n)
{
    const uint8_t *at = from;
    for (; n > 0; n--, at++) {
        if (*at == (uint8_t)byte)
            return (void *)(uintptr_t)at;
    }
    return NULL;
}

static bool has_zero(uint64_t word)
{
    return ((word - UINT64_C(0x0101010101010101)) & ~word &
            UINT64_C(0x8080808080808080)) != 0;
}

size_t strlen(const char *text)
{
    const char *at = text;
    for (; (uintptr_t)at % sizeof(uint64_t) != 0; at++) {
        if (*at == '\0')
            return (size_t)(at - text);
    }
    /* aligned words cross no page that the text does not reach */
    while (!has_zero(*(const uint64_t __attribute__((may_alias)) *)at))
        at += sizeof(uint64_t);
    while (*at != '\0')
        at++;
    return (size_t)(at - text);
}

size_t strnlen(const char *text, size_t most)
{
    size_t n = 0;
    while (n < most && text[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    }
    return 0;
}

char *strchr(const char *text, int c)
{
    for (; *text != (char)c; text++) {
        if (*text == '\0')
            return NULL;
    }
    return (char *)(uintptr_t)text;
}

char *strrchr(const char *text, int c)
{
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)c)
            found = text;
        if (*text == '\0')
            return (char *)(uintptr_t)found;
    }
}

char *strstr(const char *text, const char *what)
{
    size_t len = strlen(what);
    for (; len > 0 && (text = strchr(text, *what)) != NULL; text++) {
        if (strncmp(text, what, len) == 0)
            break;
    }
    return (char *)(uintptr_t)text;
}

size_t strspn(const char *text, const char *set)
{
    size_t n = 0;
    while (text[n] != '\0' && strchr(set, text[n]) != NULL)
        n++;
    return n;
}

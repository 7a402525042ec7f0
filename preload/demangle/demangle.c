/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See demangle.h. What libiberty asks of a C library stands here, so that
 * this one imports nothing.
 */
#include "preload/demangle/demangle.h"
#include <libiberty/demangle.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct output {
    char *bytes;
    size_t len, cap;
};

static void put(const char *text, size_t len, void *opaque)
{
    struct output *out = opaque;
    for (size_t i = 0; i < len && out->len < out->cap; i++)
        out->bytes[out->len++] = text[i];
}

struct question {
    const char *mangled;
    struct output out;
};

/* On the other stack (demangle_on_stack). */
bool demangle_answer(struct question *question);
bool demangle_answer(struct question *question)
{
    struct output *out = &question->out;
    if (!cplus_demangle_v3_callback(question->mangled, DMGL_PARAMS | DMGL_TYPES,
                                    put, out) ||
        out->len == out->cap)
        return false;
    out->bytes[out->len] = '\0';
    return true;
}

bool demangle_on_stack(struct question *question, void *stack_end);

__attribute__((visibility("default"))) bool
handspan_demangle(const char *mangled, char *out, size_t cap_bytes,
                  void *stack_end)
{
    struct question question = {mangled, {out, 0, cap_bytes}};
    return cap_bytes > 0 && demangle_on_stack(&question, stack_end);
}

/* ---- the C library of this library -----------------------------------------
 */

/* libiberty's other entries allocate; they are never called. */
void *malloc(size_t bytes)
{
    (void)bytes;
    return NULL;
}

void *realloc(void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
    return NULL;
}

void free(void *at)
{
    (void)at;
}

/* A stack that is smashed is the end of it. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    __builtin_trap();
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((char *)to)[i] = (char)value;
    return to;
}

size_t strlen(const char *text)
{
    size_t len = 0;
    while (text[len])
        len++;
    return len;
}

int strncmp(const char *a, const char *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (a[i] != b[i] || !a[i])
            return (unsigned char)a[i] - (unsigned char)b[i];
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

static int put_number(char *out, int value)
{
    char digits[12];
    unsigned rest = value < 0 ? -(unsigned)value : (unsigned)value;
    int count = 0, len = 0;
    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        out[len++] = '-';
    while (count > 0)
        out[len++] = digits[--count];
    return len;
}

/* It prints numbers, by "%d". */
static int print(char *out, const char *format, va_list args)
{
    int len = 0;
    for (; *format; format++) {
        if (format[0] == '%' && format[1] == 'd') {
            len += put_number(out + len, va_arg(args, int));
            format++;
        } else {
            out[len++] = *format;
        }
    }
    out[len] = '\0';
    return len;
}

int __sprintf_chk(char *out, int flag, size_t bytes, const char *format, ...);
int __sprintf_chk(char *out, int flag, size_t bytes, const char *format, ...)
{
    va_list args;
    (void)flag;
    (void)bytes;
    va_start(args, format);
    int len = print(out, format, args);
    va_end(args);
    return len;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/suggest/suggest_lookups.h"
#include <ctype.h>
#include <elf.h>
#include <string.h>

enum {
    NAME_LEAST = 2,
    NAME_MOST = 64,
    NEAR_BYTES = 128, /* from where the text is loaded to the call */
    CALL_BYTES = 6,
    FUNCTION_MOST = 8192, /* bytes before a call, where its function begins */
    TARGETS_MAX = 64,
    ROUNDS_MAX = 4, /* functions that hand a name on to one another */
};

/* What leads to a lookup: slots of the GOT, stubs that jump through them,
 * functions that hand on a name. */
struct scan {
    const struct plan_image *image;
    struct lookup_names *names;
    uint64_t targets[TARGETS_MAX];
    size_t count, first; /* those of this round begin at `first` */
    void (*each)(void *context, const char *text);
    void *context;
};

void lookup_names_init(struct lookup_names *names)
{
    *names =
        (struct lookup_names){{"dlsym", "dlvsym", "g_module_symbol", "lt_dlsym",
                               "apr_dso_sym", "uv_dlsym", "SDL_LoadFunction"},
                              7};
}

const char *suggest_identifier_at(const struct plan_image *image,
                                  uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *g = &image->segments[i];
        uint64_t left = g->filesz - (vaddr - g->vaddr), n = 0;
        if (vaddr - g->vaddr >= g->filesz)
            continue;
        const char *text = plan_image_at(image, vaddr, left);
        if (!text || isdigit((unsigned char)*text))
            return NULL;
        while (n < left && n <= NAME_MOST &&
               (isalnum((unsigned char)text[n]) || text[n] == '_'))
            n++;
        return n < left && text[n] == 0 && n >= NAME_LEAST && n <= NAME_MOST
                   ? text
                   : NULL;
    }
    return NULL;
}

static void add_target(struct scan *s, uint64_t vaddr)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->targets[i] == vaddr)
            return;
    if (s->count < TARGETS_MAX)
        s->targets[s->count++] = vaddr;
}

static int take_slot(void *context, const struct plan_slot *slot)
{
    struct scan *s = context;
    for (size_t i = 0; slot->name && i < s->names->count; i++)
        if (strcmp(s->names->at[i], slot->name) == 0)
            add_target(s, slot->vaddr);
    return 0;
}

static uint64_t relative(const uint8_t *at, uint64_t next)
{
    int32_t rel;
    memcpy(&rel, at, sizeof rel);
    return next + (uint64_t)(int64_t)rel;
}

/* The text that the instruction at `b` loads: lea reg, [rip+x], or mov reg, x
 * in a program that does not move. */
static const char *loaded_text(const struct plan_image *image, const uint8_t *b,
                               uint64_t at)
{
    uint32_t immediate;
    if ((b[0] & 0xfb) == 0x48 && b[1] == 0x8d && (b[2] & 0xc7) == 0x05)
        return suggest_identifier_at(image, relative(b + 3, at + 7));
    if ((b[0] & 0xf8) != 0xb8)
        return NULL;
    memcpy(&immediate, b + 1, sizeof immediate);
    return suggest_identifier_at(image, immediate);
}

/* A function that looks up what its caller says; whoever imports it, too. */
static void add_wrapper(struct scan *s, uint64_t start)
{
    struct plan_symbol symbol;
    if (!start)
        return;
    add_target(s, start);
    if (s->names->count < LOOKUPS_MAX &&
        plan_image_symbol_at(s->image, start, &symbol) == 0 &&
        symbol.is_exported)
        s->names->at[s->names->count++] = symbol.name;
}

/* Where the function around pc begins; 0: it is not known. */
static uint64_t function_start(const struct plan_image *image, uint64_t pc)
{
    uint64_t end;
    for (uint64_t n = 0; n < FUNCTION_MOST && n < pc; n++)
        if (plan_image_function_extent(image, pc - n, &end) == 0)
            return end > pc ? pc - n : 0;
    return 0;
}

/* What stands before a call: texts within its function. */
static void take_call(struct scan *s, const uint8_t *segment, uint64_t start,
                      uint64_t i)
{
    bool any = false;
    uint64_t from = i > NEAR_BYTES ? i - NEAR_BYTES : 0;
    uint64_t function = function_start(s->image, start + i);
    if (function > start + from)
        from = function - start;
    for (; from + 5 <= i; from++) {
        const char *text = loaded_text(s->image, segment + from, start + from);
        if (text)
            s->each(s->context, text);
        any |= text != NULL;
    }
    if (!any)
        add_wrapper(s, function);
}

static bool leads_there(const struct scan *s, size_t last, uint64_t to)
{
    for (size_t i = s->first; i < last; i++)
        if (s->targets[i] == to)
            return true;
    return false;
}

/* [endbr64] [bnd] jmp [rip+x]: a stub of the PLT begins with any of them. */
static void add_stub(struct scan *s, const uint8_t *b, uint64_t at, uint64_t i)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint64_t back = i >= 1 && b[i - 1] == 0xf2;
    add_target(s, at + i);
    add_target(s, at + i - back);
    if (i >= back + 4 && memcmp(b + i - back - 4, endbr64, 4) == 0)
        add_target(s, at + i - back - 4);
}

static void scan_code(struct scan *s, const uint8_t *b, uint64_t start,
                      uint64_t len, size_t last)
{
    for (uint64_t i = 0; i + CALL_BYTES <= len; i++) {
        bool is_slot = b[i] == 0xff && (b[i + 1] == 0x15 || b[i + 1] == 0x25);
        if (!is_slot && b[i] != 0xe8 && b[i] != 0xe9)
            continue;
        uint64_t to = is_slot ? relative(b + i + 2, start + i + 6)
                              : relative(b + i + 1, start + i + 5);
        if (!leads_there(s, last, to))
            continue;
        if (b[i] == 0xff && b[i + 1] == 0x25)
            add_stub(s, b, start, i);
        else
            take_call(s, b, start, i);
    }
}

bool suggest_lookups(const struct plan_image *image, struct lookup_names *names,
                     void (*each)(void *context, const char *text),
                     void *context)
{
    struct scan s = {
        .image = image, .names = names, .each = each, .context = context};
    for (int round = 0; round < ROUNDS_MAX; round++) {
        plan_image_each_slot(image, take_slot, &s);
        size_t last = s.count;
        if (s.first == last)
            break;
        for (uint32_t i = 0; i < image->segment_count; i++) {
            const struct plan_segment *g = &image->segments[i];
            const uint8_t *bytes = plan_image_at(image, g->vaddr, g->filesz);
            if (bytes && (g->flags & PF_X))
                scan_code(&s, bytes, g->vaddr, g->filesz, last);
        }
        s.first = last;
    }
    return s.count > 0;
}

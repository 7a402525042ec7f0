/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See rust_name.h. A recursive descent over the mangled bytes, bounded in
 * depth and by the room for the result: a name that refers back to itself
 * runs out of one of the two.
 */
#include "shim/plan/names/rust_name.h"
#include <stdint.h>
#include <string.h>

enum {
    DEPTH_MAX = 64
};

struct reader {
    const char *start; /* what back references count from */
    const char *at;
    char *out;
    size_t len, cap;
    int depth;
    bool is_bad;
};

static void put(struct reader *r, const char *text, size_t len)
{
    if (r->is_bad || len >= r->cap - r->len) {
        r->is_bad = true;
        return;
    }
    memcpy(r->out + r->len, text, len);
    r->len += len;
    r->out[r->len] = '\0';
}

static void put_text(struct reader *r, const char *text)
{
    put(r, text, strlen(text));
}

static bool take(struct reader *r, char c)
{
    if (r->is_bad || *r->at != c)
        return false;
    r->at++;
    return true;
}

static uint64_t take_decimal(struct reader *r)
{
    uint64_t n = 0;
    if (*r->at < '0' || *r->at > '9')
        r->is_bad = true;
    for (; !r->is_bad && *r->at >= '0' && *r->at <= '9'; r->at++) {
        n = n * 10 + (uint64_t)(*r->at - '0');
        if (n > 100000)
            r->is_bad = true;
    }
    return n;
}

/* ---- legacy ------------------------------------------------------------- */

static void put_legacy_part(struct reader *r, const char *text, size_t len)
{
    static const struct {
        char escape[6], text[3];
    } escapes[] = {{"$LT$", "<"},  {"$GT$", ">"},  {"$RF$", "&"},
                   {"$BP$", "*"},  {"$LP$", "("},  {"$RP$", ")"},
                   {"$C$", ","},   {"$SP$", "@"},  {"$u20$", " "},
                   {"$u27$", "'"}, {"$u5b$", "["}, {"$u5d$", "]"},
                   {"$u7b$", "{"}, {"$u7d$", "}"}, {"$u7e$", "~"}};
    size_t i = len > 1 && text[0] == '_' && text[1] == '$';
    while (i < len && !r->is_bad) {
        size_t used = 0;
        for (size_t e = 0; !used && e < sizeof(escapes) / sizeof(*escapes);
             e++) {
            size_t n = strlen(escapes[e].escape);
            if (n <= len - i && memcmp(text + i, escapes[e].escape, n) == 0) {
                put_text(r, escapes[e].text);
                used = n;
            }
        }
        if (!used && len - i > 1 && text[i] == '.' && text[i + 1] == '.') {
            put_text(r, "::");
            used = 2;
        }
        if (!used) {
            put(r, text + i, 1);
            used = 1;
        }
        i += used;
    }
}

static bool is_hash(const char *text, size_t len)
{
    return len == 17 && text[0] == 'h' &&
           strspn(text + 1, "0123456789abcdef") >= 16;
}

static bool read_legacy(struct reader *r)
{
    bool is_first = true, has_hash = false;
    while (!r->is_bad && *r->at != 'E') {
        size_t len = take_decimal(r);
        if (r->is_bad || len == 0 || len > strlen(r->at))
            return false;
        has_hash = is_hash(r->at, len) && r->at[len] == 'E';
        if (!has_hash) {
            if (!is_first)
                put_text(r, "::");
            put_legacy_part(r, r->at, len);
        }
        r->at += len;
        is_first = false;
    }
    return has_hash && !r->is_bad;
}

/* ---- v0 ----------------------------------------------------------------- */

static void read_path(struct reader *r, bool in_value);
static void read_type(struct reader *r);

static uint64_t take_base62(struct reader *r)
{
    uint64_t n = 0;
    if (take(r, '_'))
        return 0;
    for (; !r->is_bad && *r->at != '_'; r->at++) {
        char c = *r->at;
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'z' ? (uint64_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'Z' ? (uint64_t)(c - 'A') + 36
                                                : 62;
        if (digit == 62 || n > UINT64_MAX / 62 - 1)
            r->is_bad = true;
        n = n * 62 + digit;
    }
    take(r, '_');
    return n + 1;
}

/* [s base-62] [u] decimal [_] bytes */
static void read_identifier(struct reader *r)
{
    if (take(r, 's'))
        (void)take_base62(r);
    if (*r->at == 'u') {
        r->is_bad = true; /* punycode */
        return;
    }
    size_t len = take_decimal(r);
    (void)take(r, '_');
    if (r->is_bad || len > strlen(r->at)) {
        r->is_bad = true;
        return;
    }
    put(r, r->at, len);
    r->at += len;
}

static void read_back(struct reader *r, void (*read)(struct reader *r))
{
    uint64_t to = take_base62(r);
    const char *here = r->at;
    if (r->is_bad || to >= (uint64_t)(here - r->start)) {
        r->is_bad = true;
        return;
    }
    r->at = r->start + to;
    read(r);
    r->at = here;
}

static void read_type_path(struct reader *r)
{
    read_path(r, false);
}

static void read_value_path(struct reader *r)
{
    read_path(r, true);
}

static void read_lifetime(struct reader *r)
{
    if (take(r, 'L'))
        (void)take_base62(r);
}

static void read_arguments(struct reader *r)
{
    bool is_first = true;
    put_text(r, "<");
    while (!r->is_bad && !take(r, 'E')) {
        if (*r->at == 'L') {
            read_lifetime(r);
            continue;
        }
        if (!is_first)
            put_text(r, ", ");
        is_first = false;
        read_type(r);
    }
    put_text(r, ">");
}

/* The path of an impl block says nothing that people would write. */
static void skip_impl_path(struct reader *r)
{
    size_t len = r->len;
    if (take(r, 's'))
        (void)take_base62(r);
    read_path(r, false);
    r->len = len;
    r->out[len] = '\0';
}

static void read_nested(struct reader *r, bool in_value)
{
    char space = *r->at;
    if (space == '\0') {
        r->is_bad = true;
        return;
    }
    r->at++;
    read_path(r, in_value);
    put_text(r, "::");
    if (space == 'C')
        put_text(r, "{closure}");
    read_identifier(r);
}

static void read_path(struct reader *r, bool in_value)
{
    if (r->is_bad || ++r->depth > DEPTH_MAX) {
        r->is_bad = true;
        return;
    }
    char tag = *r->at ? *r->at++ : '\0';
    switch (tag) {
    case 'C':
        read_identifier(r);
        break;
    case 'N':
        read_nested(r, in_value);
        break;
    case 'M':
        skip_impl_path(r);
        put_text(r, "<");
        read_type(r);
        put_text(r, ">");
        break;
    case 'X':
    case 'Y':
        if (tag == 'X')
            skip_impl_path(r);
        put_text(r, "<");
        read_type(r);
        put_text(r, " as ");
        read_path(r, false);
        put_text(r, ">");
        break;
    case 'I':
        read_path(r, in_value);
        put_text(r, in_value ? "::" : "");
        read_arguments(r);
        break;
    case 'B':
        read_back(r, in_value ? read_value_path : read_type_path);
        break;
    default:
        r->is_bad = true;
    }
    r->depth--;
}

static const char *basic_type(char tag)
{
    static const char *const names[26] = {
        "i8",    "bool", "char", "f64", "str",  "f32",  NULL,  "u8", "isize",
        "usize", NULL,   "i32",  "u32", "i128", "u128", "_",   NULL, NULL,
        "i16",   "u16",  "()",   "...", NULL,   "i64",  "u64", "!"};
    return tag >= 'a' && tag <= 'z' ? names[tag - 'a'] : NULL;
}

static void read_tuple(struct reader *r)
{
    bool is_first = true;
    put_text(r, "(");
    for (; !r->is_bad && !take(r, 'E'); is_first = false) {
        if (!is_first)
            put_text(r, ", ");
        read_type(r);
    }
    put_text(r, ")");
}

static void read_type(struct reader *r)
{
    const char *basic = basic_type(*r->at);
    if (r->is_bad || ++r->depth > DEPTH_MAX) {
        r->is_bad = true;
        return;
    }
    char tag = *r->at;
    if (basic) {
        r->at++;
        put_text(r, basic);
    } else if (tag == 'R' || tag == 'Q' || tag == 'P' || tag == 'O') {
        r->at++;
        put_text(r, tag == 'R'   ? "&"
                    : tag == 'Q' ? "&mut "
                    : tag == 'P' ? "*const "
                                 : "*mut ");
        if (tag == 'R' || tag == 'Q')
            read_lifetime(r);
        read_type(r);
    } else if (tag == 'S') {
        r->at++;
        put_text(r, "[");
        read_type(r);
        put_text(r, "]");
    } else if (tag == 'T') {
        r->at++;
        read_tuple(r);
    } else if (tag == 'B') {
        r->at++;
        read_back(r, read_type);
    } else {
        read_path(r, false);
    }
    r->depth--;
}

bool rust_name(const char *mangled, char *out, size_t cap_bytes)
{
    struct reader r = {.out = out, .cap = cap_bytes};
    if (cap_bytes == 0)
        return false;
    *out = '\0';
    if (strncmp(mangled, "_ZN", 3) == 0) {
        r.at = mangled + 3;
        return read_legacy(&r);
    }
    if (strncmp(mangled, "_R", 2) != 0)
        return false;
    r.start = r.at = mangled + 2;
    read_path(&r, true);
    return !r.is_bad;
}

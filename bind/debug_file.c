/* SPDX-License-Identifier: Apache-2.0 */
/* See debug_file.h. The order is gdb's ("Debugging Information in Separate
 * Files"). */
#include "bind/debug_file.h"
#include "bind/scope.h"
#include <string.h>

#define DEBUG_ROOT "/usr/lib/debug"

struct out {
    char *bytes;
    size_t len, cap;
    bool is_cut;
};

static void put(struct out *out, const char *text, size_t len)
{
    if (len >= out->cap - out->len) {
        out->is_cut = true;
        return;
    }
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    out->bytes[out->len] = '\0';
}

static void put_text(struct out *out, const char *text)
{
    put(out, text, strlen(text));
}

/* abcdef, `after_first` behind ab; false: it has none. */
static bool put_id(struct out *out, const struct plan_image *image,
                   const char *after_first)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < image->build_id_len && i < PLAN_BUILD_ID_MAX;
         i++) {
        char byte[2] = {digits[image->build_id[i] >> 4],
                        digits[image->build_id[i] & 15]};
        put(out, byte, 2);
        if (i == 0)
            put_text(out, after_first);
    }
    return image->build_id_len > 1;
}

static void put_number(struct out *out, uint32_t n)
{
    char digits[10];
    size_t at = sizeof digits;
    for (; at == sizeof digits || n > 0; n /= 10)
        digits[--at] = (char)('0' + n % 10);
    put(out, digits + at, sizeof digits - at);
}

bool bind_unpacked_path(const char *dir, uint32_t uid,
                        const struct plan_image *image, char *bytes,
                        size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes, false};
    put_text(&out, dir);
    put_text(&out, "/symbols-");
    put_number(&out, uid);
    put_text(&out, "/");
    return put_id(&out, image, "") && !out.is_cut;
}

/* /usr/lib/debug/.build-id/ab/cdef.debug */
static bool put_by_id(struct out *out, const struct plan_image *image)
{
    put_text(out, DEBUG_ROOT "/.build-id/");
    bool has_id = put_id(out, image, "/");
    put_text(out, ".debug");
    return has_id;
}

bool bind_debug_path(unsigned number, const char *path,
                     const struct plan_image *image, const char *link,
                     char *bytes, size_t cap_bytes)
{
    static const char *const before[] = {NULL, "", "", DEBUG_ROOT};
    static const char *const between[] = {NULL, "", ".debug/", ""};
    struct out out = {bytes, 0, cap_bytes, false};
    bytes[0] = '\0';
    if (number >= BIND_DEBUG_PATHS)
        return false;
    if (number == 0)
        return put_by_id(&out, image) && !out.is_cut;
    if (!link || !*link || strchr(link, '/') || path[0] != '/')
        return false;
    put_text(&out, before[number]);
    put(&out, path, (size_t)(bind_basename(path) - path));
    put_text(&out, between[number]);
    put_text(&out, link);
    return !out.is_cut && strcmp(bytes, path) != 0;
}

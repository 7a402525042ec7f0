/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts in memory of the caller; what does not fit is cut off. Always
 * ends with NUL. Private to bind/. */
#pragma once
#include <stddef.h>
#include <string.h>

struct out {
    char *bytes;
    size_t len, cap; /* cap counts the NUL */
};

static inline void out_put(struct out *out, const char *text)
{
    size_t len = strlen(text), room = out->cap - out->len - 1;
    len = len < room ? len : room;
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    out->bytes[out->len] = '\0';
}

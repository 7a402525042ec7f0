/* SPDX-License-Identifier: Apache-2.0 */
/* See remark.h. */
#include "tools/cli/check/remark.h"
#include <string.h>

enum {
    ENOUGH_BYTES = 600
};

void remark_add(struct buf *remark, const char *prefix, const char *text)
{
    struct buf part;
    buf_init(&part, 8192);
    buf_printf(&part, "%s%s", prefix, text);
    if (!strstr(buf_get(remark), buf_get(&part)) &&
        remark->len_bytes < ENOUGH_BYTES)
        buf_printf(remark, "%s%s", remark->len_bytes ? "; " : "",
                   buf_get(&part));
    buf_free(&part);
}

bool remark_is_many(const char *written, const char *symbol)
{
    return written && symbol && strpbrk(written, "*?[") &&
           strcmp(written, symbol) != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See origin.h. */
#include "tools/cli/launch/origin.h"
#include "lane/format/ids.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int origin_make(char out[ORIGIN_BYTES])
{
    uint64_t id[2];
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return -errno;
    if ((id[0] | id[1]) == 0)
        id[1] = 1; /* W3C forbids it */
    snprintf(out, ORIGIN_BYTES,
             "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01", id[0], id[1],
             lane_origin_id(id[0], id[1]));
    return 0;
}

bool origin_is_traceparent(const char *text)
{
    static const char shape[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-"
                                "hhhhhhhhhhhhhhhh-hh";
    size_t len = strlen(text), n = sizeof shape - 1;
    if (len < n || strncmp(text, "ff", 2) == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (shape[i] == 'h' ? !strchr("0123456789abcdef", text[i])
                            : text[i] != '-')
            return false;
    if (strspn(text + 3, "0") >= 32 || strspn(text + 36, "0") >= 16)
        return false;
    return len == n || (text[n] == '-' && strncmp(text, "00", 2) != 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* URLs as people may see them; see config.h. */
#include <stdio.h>
#include <string.h>
#include "tools/common/config.h"
#include "tools/common/text/buf.h"

static bool is_secret_option(const char *name, size_t len)
{
    static const char *const secrets[] = {"key", "token", "password", "apikey",
                                          "secret"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (len == strlen(secrets[i]) && strncmp(name, secrets[i], len) == 0)
            return true;
    return false;
}

void config_mask_url(const char *url, char *out, size_t cap_bytes)
{
    struct buf b;
    buf_init(&b, cap_bytes ? cap_bytes - 1 : 0);
    const char *at = strstr(url, "://");
    at = at ? at + 3 : url;
    buf_add(&b, url, (size_t)(at - url));
    size_t authority = strcspn(at, "/?# ");
    const char *user = memrchr(at, '@', authority);
    if (user) {
        buf_text(&b, "***");
        at = user;
    }
    while (*at) {
        size_t step = strcspn(at, "?&");
        buf_add(&b, at, step + (at[step] != 0));
        at += step + (at[step] != 0);
        size_t name = strcspn(at, "=& ");
        if (at[name] == '=' && is_secret_option(at, name)) {
            buf_add(&b, at, name + 1);
            buf_text(&b, "***");
            at += strcspn(at, "& ");
        } else if (name && at[name] != '=') { /* what is it? */
            buf_text(&b, "***");
            at += name;
        }
    }
    snprintf(out, cap_bytes, "%s", buf_get(&b));
    buf_free(&b);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See kept.h. The reasons are those of preload/start/discreet.c. */
#include "tools/cli/check/kept.h"
#include "lane/format/words.h"
#include "tools/common/config.h"
#include "tools/common/paths.h"
#include <stdlib.h>
#include <string.h>

/* Each sink of the settings in turn, without what is secret in it. */
static void put_sinks(struct buf *out, bool with_values)
{
    const char *at = config_get(CONFIG_UPLOAD);
    char one[PATHS_MAX], shown[PATHS_MAX];
    bool any = false;
    for (at = at ? at + strspn(at, " \t") : ""; *at; at += strspn(at, " \t")) {
        size_t len = strcspn(at, " \t");
        snprintf(one, sizeof one, "%.*s", (int)len, at);
        at += len;
        if ((strstr(one, "values=on") != NULL) != with_values)
            continue;
        config_mask_url(one, shown, sizeof shown);
        buf_printf(out, "%s%s", any ? ", " : "", shown);
        any = true;
    }
}

void kept_leaves(struct buf *out)
{
    struct buf with, without;
    const char *servers = config_get(CONFIG_DEBUGINFOD_URLS);
    buf_init(&with, 1 << 14);
    buf_init(&without, 1 << 14);
    put_sinks(&with, true);
    put_sinks(&without, false);
    if (with.len_bytes)
        buf_printf(out, "spans with values, to %s", buf_get(&with));
    else
        buf_text(out, "no values");
    if (without.len_bytes)
        buf_printf(out, "; spans without values, to %s", buf_get(&without));
    if (servers)
        buf_printf(out, "; build ids of failed stacks' objects, to %s",
                   servers);
    buf_free(&with);
    buf_free(&without);
}

static bool put_reason(const struct manifest *m, struct buf *out)
{
    const char *capture = getenv("HANDSPAN_CAPTURE");
    if (capture && *capture && !lane_is_word(capture, "named") &&
        !lane_is_word(capture, "all")) {
        buf_text(out, "HANDSPAN_CAPTURE=none");
        return true;
    }
    for (uint32_t i = 0; i < m->decl_count; i++) {
        const struct manifest_decl *d = &m->decls[i];
        if (d->secret_count == 0)
            continue;
        const char *file = d->at_source.file ? d->at_source.file : "";
        const char *slash = strrchr(file, '/');
        buf_printf(out, "secret(%s), %s:%u", d->secrets[0],
                   slash ? slash + 1 : file, d->at_source.line);
        return true;
    }
    return false;
}

void kept_print(const struct term *t, const struct manifest *m)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_text(&text, "Command line, end of stderr, paths of failed library "
                    "calls, texts of exceptions: ");
    size_t before = text.len_bytes;
    buf_text(&text, "withheld: ");
    if (!put_reason(m, &text)) {
        text.len_bytes = before;
        text.text[before] = 0;
        buf_text(&text, "kept (HANDSPAN_CAPTURE=none keeps none)");
    }
    buf_char(&text, '.');
    term_wrap(t, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may hold what must not be kept, although no declaration names it: the
 * command line, stderr, texts of failed calls and of exceptions, locals. It is
 * withheld where HANDSPAN_CAPTURE is none, and where the manifest has a
 * secret() anywhere; a note says which, and the screens show it in the place of
 * what is missing. In the constructor.
 */
#include "preload/settings/config.h"
#include "preload/call/error/error_room.h"
#include "preload/start/manifest_load.h"

/* Of any program: what one is told stands in the command line of the shell that
 * starts it, and what it says in the stderr of others. */
static const struct manifest_decl *
first_with_secret(const struct manifest *manifest)
{
    for (uint32_t i = 0; manifest && i < manifest->decl_count; i++) {
        const struct manifest_decl *decl = &manifest->decls[i];
        if (decl->secret_count != 0)
            return decl;
    }
    return NULL;
}

/* "secret(token), etl.manifest:12" */
static void put_secret(struct text *reason, const struct manifest_decl *decl)
{
    text_put(reason, "secret(");
    text_put(reason, decl->secrets[0]);
    text_put(reason, "), ");
    text_put(reason, decl->at_source.file ? text_basename(decl->at_source.file)
                                          : "the manifest");
    text_put(reason, ":");
    text_put_number(reason, decl->at_source.line);
}

void config_decide_discreet(const struct manifest *manifest,
                            uint32_t error_count)
{
    static char bytes[256];
    struct text reason = {bytes, 0, sizeof(bytes)};
    const struct manifest_decl *decl = first_with_secret(manifest);
    if (config.capture_max == MANIFEST_CAPTURE_NONE)
        text_put(&reason, "HANDSPAN_CAPTURE=none");
    else if (decl)
        put_secret(&reason, decl);
    else if (error_count && manifest_mentions_secret())
        text_put(&reason, "a secret() in a manifest with errors");
    else
        return;
    error_is_discreet = true;
    config.withheld = bytes;
    /* the sidecar looks for this line */
    note_lines("withheld", bytes,
               "(command line, stderr, texts of failed calls and exceptions)",
               NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HANDSPAN_THREAD_CONTEXT=on: make what thread_context.c publishes findable.
 *
 * OTEP 4947 wants an exported thread-local variable, otel_thread_ctx_v1. We
 * export nothing: whatever a preload exports is taken away from the program,
 * here the variable of an OpenTelemetry SDK in it. Readers look for the symbol
 * in the files that are mapped, so a file that has it is mapped beside us, by
 * hand: the loader does not know it, and its relocation leads to a variable of
 * ours. Where anything is missing, nothing is published, and the log says so.
 */
#include "preload/settings/config.h"
#include "preload/objects/decoder_load.h"
#include "preload/call/thread_context.h"

#include "lane/format/words.h"
#include <errno.h>
#include <string.h>

#define CONTEXT_NAME "libhandspan-context.so"

static bool is_wanted(void)
{
    const char *told = config_get("HANDSPAN_THREAD_CONTEXT");
    if (!told || lane_is_word(told, "off") || lane_is_word(told, "0"))
        return false;
    bool is_wanted = lane_is_word(told, "on") || lane_is_word(told, "1");
    note_lines("thread context", "HANDSPAN_THREAD_CONTEXT is",
               is_wanted ? "on: what profilers read is published"
                         : "on or off, and left out, being",
               is_wanted ? NULL : told);
    return is_wanted;
}

static int map_symbol(void)
{
    static struct plan_image image;
    char path[PATH_MAX];
    struct text text = {path, 0, sizeof(path)};
    text_put_bytes(&text, config.self,
                   (size_t)(text_basename(config.self) - config.self));
    text_put(&text, CONTEXT_NAME);
    if (!text_fits(&text))
        return -ENAMETOOLONG;
    if (!config_is_our_file(path))
        return -ENOENT;
    return decoder_load_symbol(path, thread_context_offset(), &image);
}

void thread_context_start(void)
{
    if (!is_wanted())
        return;
    int err = map_symbol();
    if (err == 0)
        err = thread_context_announce();
    if (err) {
        note_line("thread context", err == -ENOENT
                                        ? "not published: no " CONTEXT_NAME
                                          " beside the preload"
                                        : "not published");
        return;
    }
    thread_context_begin();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collectors that read stacks word by word, known by what they export: what a
 * caller keeps in rbp must stand there, whoever's function it called. (Those
 * that walk frames meet Z's only where code without unwind tables calls, and
 * that is left alone at the call itself.)
 */
#include "shim/plan/image.h"

const char *plan_image_collector(const struct plan_image *image)
{
    static const struct {
        const char *symbol, *text;
    } known[] = {
        {"GC_gcollect", "the Boehm collector reads stacks word by word"},
        {"rb_gc_start", "Ruby's collector reads stacks word by word"},
        {"mono_gc_collect", "Mono's collector reads stacks word by word"},
        {"JSGarbageCollect", "JavaScriptCore reads stacks word by word"},
    };
    struct plan_symbol symbol;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if (plan_image_find_dynamic(image, known[i].symbol, &symbol) == 0)
            return known[i].text;
    }
    return NULL;
}

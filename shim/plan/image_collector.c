/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that look at stacks in a way of their own, known by what they export.
 * A conservative collector reads them word by word: what a caller keeps in rbp
 * must stand there, whoever's function it called. A virtual machine walks the
 * frames of its own functions by tables or frame pointers.
 */
#include "shim/plan/image.h"

const char *plan_image_collector(const struct plan_image *image,
                                 bool is_own_function)
{
    static const struct {
        const char *symbol, *text;
        bool is_conservative;
    } known[] = {
        {"GC_gcollect", "the Boehm collector reads stacks word by word", true},
        {"rb_gc_start", "Ruby's collector reads stacks word by word", true},
        {"mono_gc_collect", "Mono's collector reads stacks word by word", true},
        {"JSGarbageCollect", "JavaScriptCore reads stacks word by word", true},
        {"_ZN2v87Isolate3NewERKNS0_12CreateParamsE",
         "V8 walks the frames of its own functions", false},
        {"JNI_CreateJavaVM", "a JVM walks the frames of its own functions",
         false},
    };
    struct plan_symbol symbol;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if ((known[i].is_conservative || is_own_function) &&
            plan_image_find_dynamic(image, known[i].symbol, &symbol) == 0)
            return known[i].text;
    }
    return NULL;
}

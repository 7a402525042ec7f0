/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a file with debug information. libdw itself is not
 * ours and not built with the sanitizer; what is looked for is a crash, a hang
 * or memory without bound in our use of it.
 */
#include "tests/fuzz/fuzz.h"
#include "tools/dwarf/prototype.h"
#include "tools/dwarf/types.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whatever is in it, the text that is made of it is bounded, and the parser
 * reads it (fuzz_manifest). */
static void look_for_types(const char *path)
{
    static const char *const names[] = {"job", "job_t", "batch", "ns::pair",
                                        "state"};
    struct debug_types *t = debug_types_new();
    if (!t)
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        debug_types_want_type(t, names[i]);
    debug_types_want_constant(t, "BROKEN");
    if (debug_types_add_object(t, path) == 0) {
        struct debug_types_function work = {.object = path,
                                            .vaddr = 0x1139,
                                            .name = "work",
                                            .symbol = "_Zwork",
                                            .params = names,
                                            .param_count = 2,
                                            .is_result_unsure = true};
        debug_types_want_function(t, &work);
        for (int round = 0; round < 4 && debug_types_find(t) == 1; round++)
            debug_types_want_type(t, "handspan_1");
    }
    if (strlen(debug_types_text(t)) > 4 << 20)
        abort();
    debug_types_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1;
    char path[64];
    struct debug *d;
    struct debug_copies copies[] = {{.symbol = "extract", .vaddr = 0x1139},
                                    {.symbol = "main"}};
    struct debug_function functions[] = {{.vaddr = 0x1139}, {.vaddr = 0x1040}};
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, len, 0) != (ssize_t)len)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (debug_open(path, &d) != 0)
        return 0;
    (void)!debug_find_copies(d, copies, 2);
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        debug_copies_text(&copies[i], text, sizeof text);
    }
    (void)!debug_find_functions(d, functions, 2);
    for (size_t i = 0; i < 2; i++)
        debug_function_free(&functions[i]);
    (void)debug_has_build_id(d, "00112233");
    debug_close(d);
    look_for_types(path);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan types: what the debug information of a program adds to a manifest,
 * as C; with --fill into the cache from which the next run takes it. The
 * sidecar starts that for a program that it saw run without.
 */
#include "tools/common/system.h"
#include "tools/cli/command/commands.h"
#include "tools/cli/program/program.h"
#include "tools/cli/program/types.h"
#include "tools/common/confine.h"
#include "tools/common/options.h"
#include "tools/common/text/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    FILL_CPU_S = 20,
    FILL_MIB = 4096,
};

struct command {
    const char *manifest, *fill;
};

/* In the background, of a program that anybody may have built. */
static void limit(const char *dir)
{
    struct rlimit cpu = {FILL_CPU_S, FILL_CPU_S};
    struct rlimit memory = {(rlim_t)FILL_MIB << 20, (rlim_t)FILL_MIB << 20};
    setrlimit(RLIMIT_CPU, &cpu);
    if (!SYSTEM_IS_SANITIZED)
        setrlimit(RLIMIT_AS, &memory);
    (void)confine(CONFINE_FILLER, dir);
}

static int print(const char *manifest, const struct objects *objects)
{
    struct types types;
    char why[PATHS_MAX + 512];
    if (types_compile(manifest, objects, false, &types, why, sizeof why) < 0)
        return options_trouble("%s", why);
    fputs(buf_get(&types.text), stdout);
    if (types.remarks && *types.remarks)
        text_print_lines(stderr, types.remarks);
    if (types.unanswered)
        options_trouble("%zu thing%s that the manifest leaves open %s not in "
                        "the debug information; 'handspan check' says which",
                        types.unanswered, types.unanswered == 1 ? "" : "s",
                        types.unanswered == 1 ? "is" : "are");
    types_free(&types);
    return EXIT_FINE;
}

static int fill(const struct command *c, const char *program, int count,
                char **objects)
{
    struct manifest_file file;
    struct types_request request = {c->fill, c->manifest, program, objects,
                                    (size_t)count};
    char why[PATHS_MAX + 512] = "";
    limit(c->fill);
    int err = types_load_manifest(&request, &file, why, sizeof why);
    if (!err)
        manifest_file_free(&file);
    return err || why[0] ? options_trouble("%s", why) : EXIT_FINE;
}

static int run(const struct command *c, int count, char **given)
{
    struct objects objects;
    struct program program;
    char why[PATHS_MAX + 512];
    int err = program_find_file(given[0], &program);
    if (err)
        return options_trouble("%s: %s", given[0], strerror(-err));
    if (c->fill)
        return fill(c, program.path, count - 1, given + 1);
    (void)confine(CONFINE_READER, NULL);
    if (objects_load(program.path, &objects, why, sizeof why) < 0)
        return options_trouble("%s", why);
    for (int i = 1; i < count; i++)
        objects_add(&objects, given[i]);
    int status = print(c->manifest, &objects);
    objects_free(&objects);
    return status;
}

int cmd_types(int argc, char **argv)
{
    struct command c = {0};
    const struct option_spec specs[] = {
        {"manifest", 'm', OPTION_TEXT, "FILE",
         "the manifest; else ./handspan.manifest", &c.manifest},
        {"fill", 0, OPTION_TEXT, "DIR",
         "into the cache of this directory instead of printing it", &c.fill},
    };
    const struct options o = {
        .command = "handspan types",
        .operands = "PROGRAM [OBJECT...]",
        .about = "What the debug information of a program, and of objects "
                 "that it loads later,\nadds to a manifest: structs, enums "
                 "and prototypes that the manifest uses and does\nnot define. "
                 "'handspan run' does this by itself.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_min = 1,
        .operand_max = -1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (!c.manifest) {
        const char *given = getenv("HANDSPAN_MANIFEST");
        c.manifest = given && *given ? given : "handspan.manifest";
    }
    return run(&c, operands, argv);
}

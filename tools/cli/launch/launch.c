/* SPDX-License-Identifier: Apache-2.0 */
/* Preparing a traced start; see launch.h. Whatever is wrong, the program is
 * to run: problems are counted and told, never fatal here. */
#include "tools/cli/launch/launch.h"
#include "lane/format/exec_time.h"
#include "lane/writer/place.h"
#include "tools/cli/launch/origin.h"
#include "tools/cli/program/types.h"
#include "tools/common/options.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MANIFEST "handspan.manifest"

static const char draft[] =
    "handspan: no manifest: only the process itself is traced. Name its\n"
    "  functions in ./handspan.manifest, for example\n"
    "    [[object(\"libfoo.so*\")]];\n"
    "    [[span]] int foo_decode(const char *path);\n"
    "  ('nm -D FILE' lists the names of a library)\n";

static void print_shipped(const struct shipped *s)
{
    const char *names = buf_get(&s->names);
    fprintf(stderr,
            "handspan: no manifest: what comes along for its libraries "
            "applies: %s\n"
            "  ('-m /dev/null': none). One of your own begins with\n"
            "    echo '[[include(\"%.*s.manifest\")]];' > handspan.manifest\n",
            names, (int)strcspn(names, ","), names);
}

void launch_print_unnamed(const struct launch *l)
{
    if (l->manifest[0] && l->shipped.count == 0)
        return; /* one was given */
    if (l->manifest[0])
        print_shipped(&l->shipped);
    else
        fputs(draft, stderr);
    if (l->shipped.others.len_bytes)
        fprintf(stderr, "  Its own functions, at their price: -m %s\n",
                buf_get(&l->shipped.others));
}

void launch_free(struct launch *l)
{
    shipped_free(&l->shipped);
    manifest_file_free(&l->file);
}

bool launch_covers(const struct launch *l, const char *basename)
{
    const struct manifest *m = l->file.manifest;
    for (uint32_t i = 0; m && i < m->program_count; i++)
        if (manifest_match_glob(m->programs[i].pattern, basename))
            return true;
    return !m || m->program_count == 0;
}

static void check_manifest(const struct launch_options *o, struct launch *l)
{
    char why[PATHS_MAX + 128];
    struct types_request request = {.dir = l->is_ready ? l->dir : NULL,
                                    .manifest = l->manifest,
                                    .program = o->program};
    if (!l->manifest[0])
        return;
    int err = types_load_manifest(&request, &l->file, why, sizeof why);
    if (err) {
        options_trouble("%s%s", why,
                        err == -ENOENT ? " (give its path with -m)" : "");
        l->problems++;
        l->is_broken = true;
        return;
    }
    manifest_file_print(&l->file, stderr, false);
    uint32_t errors = l->file.manifest->error_count;
    if (errors == 0)
        return;
    options_trouble("the manifest has %u error%s: what is named there is not "
                    "traced, the rest is",
                    errors, errors == 1 ? "" : "s");
    l->problems++;
    l->is_broken = true;
}

static void find_manifest(const struct launch_options *o, struct launch *l)
{
    const char *name = o->manifest;
    char shipped[PATHS_MAX];
    const char *given = getenv("HANDSPAN_MANIFEST");
    if (!name && given && *given)
        name = given;
    if (!name && access(DEFAULT_MANIFEST, F_OK) == 0) {
        name = lane_place_is_ours(DEFAULT_MANIFEST, (uint32_t)geteuid(),
                                  (uint32_t)geteuid())
                   ? DEFAULT_MANIFEST
                   : NULL;
        l->problems += !name;
        if (!name)
            options_trouble("'" DEFAULT_MANIFEST "' or its folder belongs to "
                            "somebody else, or all may write it: it is not "
                            "read unless -m names it");
    }
    if (!name)
        return;
    if (access(name, F_OK) != 0 &&
        manifest_file_shipped(name, shipped, sizeof shipped))
        name = shipped;
    if (paths_absolute(name, l->manifest, sizeof l->manifest) < 0) {
        options_trouble("the path of the manifest is too long");
        l->problems++;
        l->manifest[0] = 0;
    }
}

/* No manifest was given: what comes along for what the program starts with. */
static void find_shipped(const struct launch_options *o, struct launch *l)
{
    if (l->manifest[0] || !l->is_ready || !o->program)
        return;
    shipped_find(o->program, &l->shipped);
    if (l->shipped.count > 0 &&
        shipped_path(&l->shipped, l->dir, l->manifest, sizeof l->manifest) != 0)
        l->manifest[0] = 0; /* as if there were none */
}

static bool find_preload(struct launch *l)
{
    int err = paths_preload(l->preload, sizeof l->preload);
    if (err) {
        const char *given = getenv("HANDSPAN_PRELOAD");
        if (given && *given)
            options_trouble("cannot read HANDSPAN_PRELOAD '%s': %s", given,
                            strerror(-err));
        else
            options_trouble("libhandspan.so is not beside this binary "
                            "(../lib/handspan, ../lib); install it there or "
                            "set HANDSPAN_PRELOAD");
        return false;
    }
    if (strpbrk(l->preload, " :")) {
        options_trouble("the loader splits LD_PRELOAD at blanks and colons: "
                        "'%s' cannot stand there; install handspan elsewhere",
                        l->preload);
        return false;
    }
    return true;
}

static bool find_dir(const struct launch_options *o, struct launch *l)
{
    char why[2 * PATHS_MAX + 256];
    int fd = paths_take_dir(o->dir, l->dir, sizeof l->dir, why, sizeof why);
    if (fd < 0) {
        options_trouble("%s; give another with --dir or HANDSPAN_DIR", why);
        return false;
    }
    close(fd);
    if (why[0])
        options_trouble("%s", why);
    int64_t room = paths_room_bytes(l->dir);
    if (room >= 0 && room < PATHS_ROOM_MIN) {
        options_trouble("'%s' is full (%lld KiB left); free some, or give "
                        "another with --dir or HANDSPAN_DIR",
                        l->dir, (long long)room / 1024);
        return false;
    }
    return true;
}

/* A store that cannot be written is no reason not to trace: sessions wait. */
static void find_store(const struct launch_options *o, struct launch *l)
{
    if (paths_store(o->store, l->dir, l->store, sizeof l->store) < 0) {
        options_trouble("the path of the store is too long");
        l->problems++;
        return;
    }
    char parent[PATHS_MAX];
    int err =
        paths_is_no_file(l->store) ? -ENOTSUP : paths_make_parents(l->store);
    snprintf(parent, sizeof parent, "%.*s",
             (int)(strrchr(l->store, '/') - l->store), l->store);
    if (!err && access(*parent ? parent : "/", W_OK | X_OK) < 0)
        err = -errno;
    if (!err && access(l->store, F_OK) == 0 && access(l->store, W_OK) < 0)
        err = -errno;
    if (!err)
        return;
    l->problems++;
    l->is_store_bad = true;
    options_trouble("cannot write the store '%s': %s; the trace waits in '%s' "
                    "until 'handspan sidecar --store FILE' brings it in",
                    l->store,
                    err == -ENOTSUP ? "it is no regular file" : strerror(-err),
                    l->dir);
}

void launch_prepare(const struct launch_options *options, struct launch *l)
{
    *l = (struct launch){0};
    find_manifest(options, l);
    l->is_ready = find_preload(l) && find_dir(options, l);
    if (l->is_ready)
        find_store(options, l);
    else
        l->problems++;
    find_shipped(options, l);
    check_manifest(options, l);
}

void launch_preload_value(const struct launch *l, char *out, size_t cap_bytes)
{
    const char *old = getenv("LD_PRELOAD");
    if (!old || !*old)
        snprintf(out, cap_bytes, "%s", l->preload);
    else if (strstr(old, l->preload))
        snprintf(out, cap_bytes, "%s", old);
    else
        snprintf(out, cap_bytes, "%s:%s", l->preload, old);
}

/* What the command starts is one trace, also where the command itself is
 * traced by nobody (a shell outside the manifest's scope). */
static int set_trace(void)
{
    const char *given = getenv("TRACEPARENT");
    char fresh[ORIGIN_BYTES];
    if (given && origin_is_traceparent(given))
        return 0;
    if (given && *given)
        options_trouble("TRACEPARENT is no traceparent: '%s'; this is a trace "
                        "of its own",
                        given);
    int err = origin_make(fresh);
    if (err)
        return 0;           /* whoever is traced begins one */
    unsetenv("TRACESTATE"); /* of nothing */
    return setenv("TRACEPARENT", fresh, 1) ? -ENOMEM : 0;
}

int launch_set_environment(const struct launch *l, bool has_preload)
{
    const char *old = getenv("LD_PRELOAD");
    size_t cap = sizeof l->preload + (old ? strlen(old) : 0) + 2;
    char *value = malloc(cap);
    if (!value)
        return -ENOMEM;
    launch_preload_value(l, value, cap);
    int err = setenv("LD_PRELOAD", value, 1) ||
              setenv("HANDSPAN_DIR", l->dir, 1) ||
              setenv("HANDSPAN_STORE", l->store, 1) ||
              (l->manifest[0] && setenv("HANDSPAN_MANIFEST", l->manifest, 1));
    free(value);
    /* child_exec() fills it in; a static program would only hand it on */
    if (!err && has_preload)
        err = setenv(LANE_EXEC_VARIABLE, "0", 1);
    else
        unsetenv(LANE_EXEC_VARIABLE);
    return err ? -ENOMEM : set_trace();
}

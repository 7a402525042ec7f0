/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See types_fill.h. Nobody waits for the child: it is not ours but init's, has
 * limits of its own (tools/cli/command/cmd_types.c), and works on files.
 */
#define _GNU_SOURCE
#include "tools/sidecar/session/types_fill.h"
#include "tools/common/text/hash.h"
#include "tools/common/paths.h"
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OBJECTS_MAX = 256,
    DONE_MAX = 256,
    NOTE_BYTES = 16384,
    ARGS_BEFORE = 7,
};

/* What was filled in by this sidecar: a ring. */
static uint64_t done[DONE_MAX];
static size_t done_next;

static uint64_t hash_file(uint64_t hash, const char *path)
{
    struct stat st;
    hash = hash_bytes(hash, path, strlen(path) + 1);
    if (stat(path, &st) == 0)
        hash = hash_bytes(hash, &st.st_mtim, sizeof st.st_mtim);
    return hash;
}

static bool was_done(uint64_t key)
{
    for (size_t i = 0; i < DONE_MAX; i++)
        if (done[i] == key)
            return true;
    done[done_next++ % DONE_MAX] = key;
    return false;
}

/* "types: /etl.manifest leaves ...": the preload's note_wants(). */
static bool find_manifest(struct session *s, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    char text[NOTE_BYTES];
    const struct lane_session *h = &s->reader.header;
    struct lane_string where = {h->note_string, h->note_bytes};
    if (h->note_string == 0)
        return false;
    lane_reader_string(&s->reader, where, 0, text, sizeof text);
    const char *line = text;
    if (strncmp(line, "types: /", 8) != 0) {
        line = strstr(text, "\ntypes: /");
        line = line ? line + 1 : NULL;
    }
    const char *end = line ? strstr(line, " leaves things") : NULL;
    if (!end || memchr(line, '\n', (size_t)(end - line)))
        return false;
    line += strlen("types: ");
    int n = snprintf(out, cap_bytes, "%.*s", (int)(end - line), line);
    return n > 0 && (size_t)n < cap_bytes;
}

__attribute__((noreturn)) static void become_fill(struct session *s,
                                                  char **args)
{
    char self[PATHS_MAX], dir[PATHS_MAX], link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", s->dir_fd);
    ssize_t n = readlink(link, dir, sizeof dir - 1);
    int null = open("/dev/null", O_RDWR);
    if (n <= 0 || paths_self(self, sizeof self) != 0 || null < 0)
        _exit(1);
    dir[n] = 0;
    args[0] = self;
    args[5] = dir;
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    closefrom(3);
    unsetenv("LD_PRELOAD");
    (void)!nice(5);
    execv(self, args);
    _exit(1);
}

/* Twice forked, so that nobody has to wait for it. */
static void start(struct session *s, char **args)
{
    lane_assert(args[0] == NULL && args[ARGS_BEFORE - 1] != NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0)
            become_fill(s, args);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static char *read_string(struct session *s, struct lane_string where)
{
    char text[PATHS_MAX];
    lane_reader_string(&s->reader, where, 0, text, sizeof text);
    return text[0] == '/' ? strdup(text) : NULL;
}

void types_fill_look(struct session *s)
{
    static char words[4][8] = {"types", "-m", "--fill"};
    char manifest[PATHS_MAX];
    char *args[ARGS_BEFORE + OBJECTS_MAX + 1] = {NULL};
    size_t count = ARGS_BEFORE;
    struct lane_module module;
    uint32_t modules = s->reader.header.module_next;
    if (s->types_modules == modules || !s->process[0].is_known ||
        s->reader.header.uid != geteuid() ||
        !find_manifest(s, manifest, sizeof manifest))
        return;
    s->types_modules = modules;
    char *program = read_string(s, s->process[0].entry.program);
    if (!program)
        return;
    uint64_t key = hash_file(hash_file(HASH_BEGIN, manifest), program);
    for (uint32_t i = 0; i < modules && count < ARGS_BEFORE + OBJECTS_MAX;
         i++) {
        if (lane_reader_entry(&s->reader, LANE_TABLE_MODULES, i, &module) != 0)
            break;
        args[count] = read_string(s, module.path);
        lane_assert(count < ARGS_BEFORE + OBJECTS_MAX);
        if (!args[count])
            continue;
        key = hash_bytes(key, args[count], strlen(args[count]) + 1);
        count++;
    }
    args[1] = words[0];
    args[2] = words[1];
    args[3] = manifest;
    args[4] = words[2];
    args[6] = program;
    if (!was_done(key))
        start(s, args);
    for (size_t i = ARGS_BEFORE; i < count; i++)
        free(args[i]);
    free(program);
}

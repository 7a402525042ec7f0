/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/launch/trial.h"
#include "tools/common/paths.h"
#include "tools/query/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What main() calls once, whatever the command. */
static const char manifest[] = "[[object(\"libc.so*\")]];\n"
                               "[[span]] char *setlocale(int category, "
                               "const char *locale);\n";

struct trial {
    char self[PATHS_MAX];
    char folder[64], dir[96], store[96], manifest[96], said[96];
};

static int remove_one(const char *path, const struct stat *at, int kind,
                      struct FTW *where)
{
    (void)at, (void)kind, (void)where;
    return remove(path);
}

static int write_manifest(const struct trial *t)
{
    FILE *f = fopen(t->manifest, "we");
    if (!f)
        return -errno;
    fputs(manifest, f);
    return fclose(f) == 0 ? 0 : -errno;
}

static int make(struct trial *t)
{
    int err = paths_self(t->self, sizeof t->self);
    if (err)
        return err;
    snprintf(t->folder, sizeof t->folder, "/tmp/handspan-doctor-XXXXXX");
    if (!mkdtemp(t->folder))
        return -errno;
    snprintf(t->dir, sizeof t->dir, "%s/dir", t->folder);
    snprintf(t->store, sizeof t->store, "%s/store.db", t->folder);
    snprintf(t->manifest, sizeof t->manifest, "%s/m.manifest", t->folder);
    snprintf(t->said, sizeof t->said, "%s/said", t->folder);
    return mkdir(t->dir, 0700) == 0 ? write_manifest(t) : -errno;
}

/* The environment of the trial: nothing of ours but what it needs. `preload`
 * NULL: nothing is preloaded. */
static char **environment(const struct trial *t, const char *preload)
{
    static char own[5][PATHS_MAX + 32];
    size_t count = 0, n = 0;
    while (environ[count])
        count++;
    char **all = calloc(count + 6, sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "HANDSPAN_", 9) != 0 &&
            strncmp(environ[i], "LD_PRELOAD=", 11) != 0 &&
            strncmp(environ[i], "TRACEPARENT=", 12) != 0)
            all[n++] = environ[i];
    snprintf(own[0], sizeof own[0], "HANDSPAN_DIR=%s", t->dir);
    snprintf(own[1], sizeof own[1], "HANDSPAN_MANIFEST=%s", t->manifest);
    snprintf(own[2], sizeof own[2], "HANDSPAN_STORE=%s", t->store);
    snprintf(own[3], sizeof own[3], "HANDSPAN_SIDECAR=off");
    snprintf(own[4], sizeof own[4], "LD_PRELOAD=%s", preload ? preload : "");
    for (int i = 0; i < (preload ? 5 : 4); i++)
        all[n++] = own[i];
    return all;
}

/* Its output goes into `said`. 0, its status, or -errno. */
static int run(const struct trial *t, char *const *argv, char *const *env)
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, t->said,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    int err = posix_spawn(&pid, t->self, &files, NULL, argv, env);
    posix_spawn_file_actions_destroy(&files);
    if (err)
        return -err;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int add_calls(void *context, struct query_trace *t)
{
    *(int64_t *)context += t->calls;
    query_trace_free(t);
    return 0;
}

static int64_t count_calls(const struct trial *t, char *why, size_t why_bytes)
{
    struct query_db *db;
    struct query_filter all = {.pid = -1};
    int64_t calls = 0;
    int err = query_open(t->store, &db, why, why_bytes);
    if (err)
        return err;
    err = query_traces(db, &all, add_calls, &calls);
    query_close(db);
    return err ? err : calls;
}

/* What it said last: why, mostly. */
static void last_words(const struct trial *t, char *why, size_t why_bytes)
{
    char line[256];
    FILE *f = fopen(t->said, "re");
    why[0] = 0;
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0])
            snprintf(why, why_bytes, "%s", line);
    }
    if (f)
        fclose(f);
}

static int run_one(const struct trial *t, const char *preload,
                   char *const *argv)
{
    char **env = environment(t, preload);
    int status = env ? run(t, argv, env) : -ENOMEM;
    free(env);
    return status;
}

static int64_t run_both(const struct trial *t, const char *preload, char *why,
                        size_t why_bytes)
{
    char self[] = "handspan", version[] = "version", sidecar[] = "sidecar",
         once[] = "--once";
    char *program[] = {self, version, NULL};
    char *collector[] = {self, sidecar, once, NULL};
    int status = run_one(t, preload, program);
    if (status == 0)
        status = run_one(t, NULL, collector);
    if (status == 0)
        return count_calls(t, why, why_bytes);
    last_words(t, why, why_bytes);
    return status < 0 ? status : -EIO;
}

int64_t trial_run(const char *preload, char *why, size_t why_bytes)
{
    struct trial t = {.folder = ""};
    why[0] = 0;
    int64_t calls = make(&t);
    if (calls == 0)
        calls = run_both(&t, preload, why, why_bytes);
    if (calls < 0 && !why[0])
        snprintf(why, why_bytes, "%s", strerror((int)-calls));
    if (t.folder[0])
        nftw(t.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return calls;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uploaders' processes: see upload.h. Each holds the reading end of a
 * pipe: a byte in it means news, its end that the sidecar goes, killed or not.
 * One uploader a sink and store: a lock on a byte of STORE-upload; who does not
 * get it waits until the other ends.
 */
#define _GNU_SOURCE
#include "tools/upload/upload.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/config.h"
#include "tools/common/confine.h"
#include "tools/upload/engine.h"
#include "tools/upload/http/http.h"
#include "tools/upload/otlp/otlp_url.h"

enum {
    NOT_ALL = 3, /* exit status of an uploader */
    LOCK_MS = 500,
    STORE_MS = 500,  /* until the store is there, or can be read again */
    LOOK_MS = 2000,  /* another sidecar may write the store, too */
    GRACE_MS = 2000, /* beyond what they were given */
};
struct worker {
    pid_t pid;
    int pipe_fd; /* the writing end */
};
struct upload {
    struct worker worker[UPLOAD_SINKS_MAX];
    int count;
};
/* In the process of a sink. */
struct work {
    struct upload_url url;
    char store[4096];
    int pipe_fd, lock_fd;
    bool is_news;     /* came since the store was last looked through */
    int64_t over_ms;  /* 0: not yet; when to end, whatever is left */
    int64_t bound_ms; /* of the end, from the pipe */
    void (*say)(const char *text);
    struct stat store_at, wal_at; /* before it was last looked through */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- in the sink's process ----------------------------------------------- */

/* Wait for news at most so long. */
static bool pipe_wait(struct work *w, int64_t ms)
{
    char bytes[256];
    struct pollfd look = {.fd = w->pipe_fd, .events = POLLIN};
    if (w->over_ms) { /* only time passes now */
        poll(NULL, 0, (int)ms);
        return false;
    }
    if (poll(&look, 1, (int)ms) <= 0)
        return false;
    ssize_t n = read(w->pipe_fd, bytes, sizeof bytes);
    w->is_news = true;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    w->over_ms = now_ms() + w->bound_ms;
    return true;
}

static bool is_over(void *context)
{
    struct work *w = context;
    if (!w->over_ms)
        (void)pipe_wait(w, 0);
    return w->over_ms && now_ms() >= w->over_ms;
}

/* News do not end it: what failed is tried again when its time has come. */
static bool wait_for(void *context, int64_t ms)
{
    struct work *w = context;
    int64_t until = now_ms() + ms;
    for (;;) {
        int64_t left = until - now_ms();
        if (w->over_ms && until > w->over_ms)
            return false; /* the next try would come too late */
        if (left <= 0)
            return true;
        (void)pipe_wait(w, left < 1000 ? left : 1000);
    }
}

static void say_to(void *context, const char *text)
{
    struct work *w = context;
    w->say(text);
}

static bool lock(struct work *w)
{
    char path[sizeof w->store + 16];
    uint32_t hash = 2166136261u;
    for (const char *c = w->url.name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    struct flock range = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = hash & 0x3fffffff,
                          .l_len = 1};
    if (w->lock_fd < 0) {
        snprintf(path, sizeof path, "%s-upload", w->store);
        w->lock_fd =
            open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    return w->lock_fd >= 0 && fcntl(w->lock_fd, F_OFD_SETLK, &range) == 0;
}

static bool stamp(struct work *w)
{
    char wal[sizeof w->store + 8];
    struct stat store = {0}, log = {0};
    snprintf(wal, sizeof wal, "%s-wal", w->store);
    (void)stat(w->store, &store);
    (void)stat(wal, &log);
    bool same = store.st_ino == w->store_at.st_ino &&
                store.st_size == w->store_at.st_size &&
                store.st_mtim.tv_sec == w->store_at.st_mtim.tv_sec &&
                store.st_mtim.tv_nsec == w->store_at.st_mtim.tv_nsec &&
                log.st_ino == w->wal_at.st_ino &&
                log.st_size == w->wal_at.st_size &&
                log.st_mtim.tv_sec == w->wal_at.st_mtim.tv_sec &&
                log.st_mtim.tv_nsec == w->wal_at.st_mtim.tv_nsec;
    w->store_at = store;
    w->wal_at = log;
    return !same;
}

/* Until there is something to do. */
static void wait_for_news(struct work *w)
{
    while (!w->is_news && !w->over_ms)
        if (!pipe_wait(w, LOOK_MS) && stamp(w))
            return;
}

/* False: it ended before all was sent. */
static bool work(struct work *w, struct engine *e)
{
    while (!lock(w)) {
        (void)pipe_wait(w, LOCK_MS);
        if (w->over_ms)
            return true; /* the other one does it */
    }
    for (;;) {
        bool was_over = w->over_ms != 0;
        w->is_news = false; /* what comes from here on may be missed */
        (void)stamp(w);
        int rc = engine_run(e);
        if (rc == 1 || (rc == 0 && was_over) || is_over(w))
            return rc == 0;
        if (rc == 0 && !w->over_ms)
            wait_for_news(w);
        else if (rc < 0 && was_over && rc == -ENOENT)
            return true; /* nothing was ever stored */
        else if (rc < 0 && !wait_for(w, STORE_MS))
            return false;
    }
}

static bool worker_main(struct work *w, const struct sink_ops *ops)
{
    char why[512];
    struct engine e = {.ops = ops,
                       .store = w->store,
                       .name = w->url.name,
                       .wait = wait_for,
                       .is_over = is_over,
                       .say = say_to,
                       .context = w};
    prctl(PR_SET_NAME, "handspan-upload");
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGBUS, SIG_DFL);
    (void)confine(CONFINE_NETWORK, NULL);
    http_on_stop(is_over, w);
    if (ops->open(&w->url, &e.sink, why, sizeof why) != 0) {
        w->say(why);
        return false;
    }
    bool is_all = work(w, &e);
    engine_free(&e);
    ops->close(e.sink);
    return is_all;
}

/* One that dies of a signal is started anew: it is forked from here, where no
 * store was ever open. */
static int supervise(struct work *w, const struct sink_ops *ops)
{
    for (;;) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(worker_main(w, ops) ? 0 : NOT_ALL);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (pid > 0 && !WIFSIGNALED(status))
            return WEXITSTATUS(status);
        w->say("an uploader died; starting another");
        (void)pipe_wait(w, 1000);
        if (w->over_ms)
            return NOT_ALL;
    }
}

/* ---- in the sidecar ------------------------------------------------------ */

static int worker_start(struct upload *u, struct work *w,
                        const struct sink_ops *ops, const int *close_fds)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        int rc = -errno;
        close(ends[0]);
        close(ends[1]);
        return rc;
    }
    if (pid == 0) {
        /* the sidecar's lock, and what would keep others' pipes open */
        for (int i = 0; close_fds && close_fds[i] >= 0; i++)
            close(close_fds[i]);
        for (int i = 0; i < u->count; i++)
            close(u->worker[i].pipe_fd);
        close(ends[1]);
        w->pipe_fd = ends[0];
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_DFL);
        _exit(supervise(w, ops));
    }
    close(ends[0]);
    u->worker[u->count++] = (struct worker){pid, ends[1]};
    return 0;
}

static int sink_of(const char *text, struct work *w,
                   const struct sink_ops **ops, char *why, size_t why_bytes)
{
    char url[UPLOAD_URL_MAX];
    int rc = otlp_url(text, url, sizeof url, why, why_bytes);
    if (rc == 0)
        rc = upload_url_parse(url, &w->url, why, why_bytes);
    if (rc != 0)
        return rc;
    *ops = sink_find(w->url.scheme);
    if (*ops)
        return upload_url_check(&w->url, (*ops)->options, why, why_bytes);
    snprintf(why, why_bytes,
             "no sink has the scheme '%s'; there are otlp, otlp+http(s), "
             "postgresql, postgrest+http(s) and insforge+http(s)",
             w->url.scheme);
    return -EINVAL;
}

static const char blanks[] = " \t\r\n";

/* The next of a list of URLs; false: there is none, or it is too long (then
 * `one` is empty and *at not at the end). */
static bool next_url(const char **at, char one[UPLOAD_URL_MAX])
{
    *at += strspn(*at, blanks);
    size_t len = strcspn(*at, blanks);
    one[0] = 0;
    if (len == 0 || len >= UPLOAD_URL_MAX)
        return false;
    memcpy(one, *at, len);
    one[len] = 0;
    *at += len;
    return true;
}

int upload_check(const char *urls,
                 void (*each)(void *context, const char *text), void *context)
{
    char one[UPLOAD_URL_MAX], masked[UPLOAD_URL_MAX], why[1024];
    char text[sizeof masked + sizeof why + 8];
    int problems = 0, count = 0;
    const struct sink_ops *ops;
    struct work *w = calloc(1, sizeof *w);
    while (w && next_url(&urls, one)) {
        count++;
        if (sink_of(one, w, &ops, why, sizeof why) == 0)
            continue;
        config_mask_url(one, masked, sizeof masked);
        snprintf(text, sizeof text, "'%s': %s", masked, why);
        each(context, text);
        problems++;
    }
    if (w && (*urls || count > UPLOAD_SINKS_MAX)) {
        each(context, "too long a list of sinks");
        problems++;
    }
    if (w)
        explicit_bzero(w, sizeof *w); /* keys */
    free(w);
    return problems;
}

int upload_names(const char *urls,
                 void (*each)(void *context, const char *name), void *context)
{
    char one[UPLOAD_URL_MAX], why[1024];
    char name[UPLOAD_SINKS_MAX][UPLOAD_URL_MAX];
    const struct sink_ops *ops;
    struct work *w = calloc(1, sizeof *w);
    int count = 0;
    while (w && count < UPLOAD_SINKS_MAX && next_url(&urls, one)) {
        int same = 0;
        if (sink_of(one, w, &ops, why, sizeof why) != 0)
            continue;
        while (same < count && strcmp(name[same], w->url.name) != 0)
            same++;
        if (same < count)
            continue;
        snprintf(name[count], sizeof name[count], "%s", w->url.name);
        each(context, name[count++]);
    }
    if (w)
        explicit_bzero(w, sizeof *w); /* keys */
    free(w);
    return count;
}

/* `start` false: only whether they are right. */
static int each(struct upload *u, const char *urls, struct work *w,
                const int *close_fds, bool start, char *why, size_t why_bytes)
{
    char one[UPLOAD_URL_MAX];
    int rc = 0, count = 0;
    while (rc == 0 && count <= UPLOAD_SINKS_MAX && next_url(&urls, one)) {
        const struct sink_ops *ops = NULL;
        count++;
        rc = sink_of(one, w, &ops, why, why_bytes);
        if (rc == 0 && start)
            rc = worker_start(u, w, ops, close_fds);
    }
    if (rc == 0 && (*urls || count > UPLOAD_SINKS_MAX)) {
        snprintf(why, why_bytes, "too long a list of sinks");
        rc = -E2BIG;
    }
    return rc;
}

int upload_start(const char *store, const char *urls, const int *close_fds,
                 int64_t end_ms, void (*say)(const char *text),
                 struct upload **out, char *why, size_t why_bytes)
{
    struct upload *u = calloc(1, sizeof *u);
    struct work *w = calloc(1, sizeof *w);
    int rc = u && w ? 0 : -ENOMEM;
    snprintf(why, why_bytes, "%s", strerror(ENOMEM));
    if (rc == 0) {
        w->lock_fd = -1;
        w->say = say;
        w->bound_ms = end_ms;
        snprintf(w->store, sizeof w->store, "%s", store);
        rc = each(u, urls, w, NULL, false, why, why_bytes);
    }
    if (rc == 0)
        rc = each(u, urls, w, close_fds, true, why, why_bytes);
    if (rc != 0 && u)
        (void)upload_finish(u, 0);
    else
        *out = u;
    if (w)
        explicit_bzero(w, sizeof *w);
    free(w);
    return rc;
}

static void wipe(const char *name)
{
    char *value = getenv(name);
    if (!value)
        return;
    explicit_bzero(value, strlen(value)); /* /proc/PID/environ shows it */
    unsetenv(name);
}

void upload_forget_keys(const char *urls)
{
    static const char *const options[] = {"key-env=", "headers-env="};
    char name[128];
    for (size_t i = 0; urls && i < sizeof options / sizeof *options; i++)
        for (const char *at = urls; (at = strstr(at, options[i])); at++) {
            const char *from = at + strlen(options[i]);
            snprintf(name, sizeof name, "%.*s", (int)strcspn(from, "& \t\r\n"),
                     from);
            wipe(name);
        }
    wipe("HANDSPAN_UPLOAD_KEY");
    wipe("OTEL_EXPORTER_OTLP_HEADERS");
    wipe("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
}

void upload_poke(struct upload *u)
{
    for (int i = 0; u && i < u->count; i++)
        (void)!write(u->worker[i].pipe_fd, "", 1);
}

bool upload_finish(struct upload *u, int64_t most_ms)
{
    bool is_all = true;
    if (!u)
        return true;
    int64_t until = now_ms() + most_ms + GRACE_MS;
    for (int i = 0; i < u->count; i++)
        close(u->worker[i].pipe_fd);
    for (int left = u->count; left > 0;) {
        left = 0;
        for (int i = 0; i < u->count; i++) {
            struct worker *k = &u->worker[i];
            int status = 0;
            if (k->pid > 0 && waitpid(k->pid, &status, WNOHANG) == k->pid) {
                k->pid = 0;
                is_all &= status == 0;
            }
            left += k->pid > 0;
        }
        if (left && now_ms() >= until) {
            is_all = false;
            break; /* they end by themselves */
        }
        if (left)
            poll(NULL, 0, 20);
    }
    free(u);
    return is_all;
}

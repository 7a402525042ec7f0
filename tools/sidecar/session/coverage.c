/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See coverage.h. The child answers through a pipe, an `answer` and its text
 * for a question; what it says is checked like everything that comes from
 * outside. Its descriptors are closed: those of the session would keep others
 * from seeing that nobody writes any more.
 */
#define _GNU_SOURCE
#include "tools/common/system.h"
#include "tools/sidecar/session/coverage.h"
#include "tools/common/text/buf.h"
#include "tools/common/confine.h"
#include "tools/dwarf/debug.h"
#include "tools/sidecar/store/coverage_known.h"
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIMIT_CPU_S = 5,
    LIMIT_MIB = 4096,
    ANSWERS_MAX_BYTES = 4 << 20,
    TEXT_MAX_BYTES = 1024, /* of copies; of a file's path */
    ANSWER_MAX_BYTES = 2 * TEXT_MAX_BYTES + 16,
    OBJECTS_MAX = 32, /* of a program, in which a name is looked for */
    QUESTIONS_MAX = 65536,
    CHILDREN_MAX = 4, /* the other sessions' answers may be theirs */
};
#define ONLY_INLINED "every call of it is inlined: "
#define LIMIT_NS     INT64_C(8000000000)

struct answer {
    uint32_t question, len_bytes;
};
struct coverage {
    uint32_t asked; /* sites below have been asked for */
    bool is_held;   /* too many children are at work for other sessions */
    pid_t child;    /* 0: none at work */
    int fd;
    int64_t since_ns;
    struct coverage_question *questions;
    uint32_t count, cap;
    struct buf answers;
};

static int children; /* at work, for all sessions */

/* ---- the child ---------------------------------------------------------- */

static void put_answer(FILE *out, uint32_t question, const char *text)
{
    struct answer a = {question, (uint32_t)strlen(text)};
    fwrite(&a, sizeof a, 1, out);
    fwrite(text, 1, a.len_bytes, out);
}

static void answer(FILE *out, uint32_t question, bool is_none,
                   const struct debug_copies *c)
{
    lane_assert(c->symbol != NULL);
    char text[TEXT_MAX_BYTES], all[ANSWER_MAX_BYTES];
    debug_copies_text(c, text, sizeof text);
    if (!is_none) {
        /* first where it is defined, then what is not seen of it */
        bool is_told = c->file && c->line && strlen(c->file) < TEXT_MAX_BYTES;
        snprintf(all, sizeof all, "%u:%s\n%s", is_told ? c->line : 0,
                 is_told ? c->file : "", text);
        put_answer(out, question, all);
    } else if (c->inlined) {
        char whole[TEXT_MAX_BYTES];
        int n = snprintf(whole, sizeof whole, "%s%s", ONLY_INLINED, text);
        if (n > 0 && (size_t)n < sizeof whole)
            put_answer(out, question, whole);
    }
}

/* Questions from `at` on, `count` of them, are about one object. */
static void look_into(FILE *out, const struct coverage *c, uint32_t at,
                      uint32_t count)
{
    lane_assert(at + count >= at);
    const struct coverage_question *first = &c->questions[at];
    struct debug *debug;
    struct debug_copies *copies = calloc(count, sizeof *copies);
    if (!copies || debug_open(first->object, &debug) != 0) {
        free(copies);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        copies[i] = (struct debug_copies){.symbol = first[i].symbol,
                                          .vaddr = first[i].vaddr};
    if (debug_has_build_id(debug, first->build_id) &&
        debug_find_copies(debug, copies, count) == 0)
        for (uint32_t i = 0; i < count; i++)
            answer(out, at + i, first[i].is_none, &copies[i]);
    debug_close(debug);
    free(copies);
}

static int compare_objects(const void *a, const void *b)
{
    const struct coverage_question *x = a, *y = b;
    return strcmp(x->object, y->object);
}

/* So much more than there is now: the session is mapped here, too. */
static void limit_memory(void)
{
    unsigned long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (!in || fscanf(in, "%llu", &pages) != 1)
        pages = 0;
    if (in)
        fclose(in);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) +
                  ((rlim_t)LIMIT_MIB << 20);
    struct rlimit memory = {most, most};
    if (!SYSTEM_IS_SANITIZED)
        setrlimit(RLIMIT_AS, &memory);
}

__attribute__((noreturn)) static void child(struct coverage *c, int fd)
{
    struct rlimit cpu = {LIMIT_CPU_S, LIMIT_CPU_S};
    static const int defaults[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++)
        signal(defaults[i], SIG_DFL);
    if (dup2(fd, 3) != 3)
        _exit(1);
    closefrom(4);
    setrlimit(RLIMIT_CPU, &cpu);
    limit_memory();
    (void)!nice(5);
    (void)confine(CONFINE_READER, NULL);
    FILE *out = fdopen(3, "w");
    for (uint32_t i = 0, n; out && i < c->count; i += n) {
        for (n = 1;
             i + n < c->count &&
             compare_objects(&c->questions[i], &c->questions[i + n]) == 0;
             n++)
            ;
        look_into(out, c, i, n);
    }
    _exit(!out || fclose(out) != 0);
}

/* ---- asking ------------------------------------------------------------- */

/* An answer: "LINE:FILE\nCOPIES", or copies alone. */
static int store_text(struct session *s, uint32_t site, const char *text)
{
    lane_assert(site != 0 && site < LANE_SITE_MAX);
    char file[TEXT_MAX_BYTES] = "";
    const char *copies = strchr(text, '\n');
    unsigned line = 0;
    int at = 0;
    if (copies && sscanf(text, "%u:%n", &line, &at) == 1 && at > 0)
        snprintf(file, sizeof file, "%.*s", (int)(copies - text) - at,
                 text + at);
    copies = copies ? copies + 1 : text;
    lane_assert(copies >= text && at >= 0);
    if (!copies[0] && !file[0])
        return 0;
    s->is_moved = true;
    int rc =
        store_run(s->store, STORE_SITE_UNSEEN, "iitti", s->id, (int64_t)site,
                  copies[0] ? copies : NULL, file[0] ? file : NULL,
                  file[0] ? (int64_t)line : STORE_NULL);
    return rc < 0 ? rc : 0;
}

static void forget_questions(struct coverage *c)
{
    lane_assert(c->count <= c->cap);
    for (uint32_t i = 0; i < c->count; i++) {
        free(c->questions[i].object);
        free(c->questions[i].symbol);
    }
    free(c->questions);
    c->questions = NULL;
    c->count = c->cap = 0;
}

static int add_question(struct session *s, struct coverage *c, uint32_t site,
                        uint32_t module, const char *object, const char *symbol)
{
    lane_assert(site != 0 && site < LANE_SITE_MAX);
    if (c->count == QUESTIONS_MAX)
        return 0;
    if (c->count == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 64;
        void *grown = realloc(c->questions, cap * sizeof *c->questions);
        if (!grown)
            return -ENOMEM;
        c->questions = grown;
        c->cap = cap;
    }
    struct coverage_question *q = &c->questions[c->count++];
    *q = (struct coverage_question){
        .site = site, .object = strdup(object), .symbol = strdup(symbol)};
    tables_build_id(s, module, q->build_id, sizeof q->build_id);
    return q->object && q->symbol ? 0 : -ENOMEM;
}

/* handspan's own objects are none of the program's. */
static bool is_own(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strncmp(name, "libhandspan", 11) == 0 ||
           strncmp(name, "libZydis.so", 11) == 0 ||
           strncmp(name, "libZycore.so", 12) == 0;
}

/* No such symbol in the objects of its scope (the one object that it has): but
 * perhaps there are copies. */
static int ask_everywhere(struct session *s, struct coverage *c, uint32_t index,
                          const struct lane_site *site)
{
    char name[4096], reason[64], object[4096];
    struct lane_module module;
    uint32_t asked = 0;
    int rc = 0;
    lane_reader_string(&s->reader, site->declared, 0, name, sizeof name);
    lane_reader_string(&s->reader, site->reason, 0, reason, sizeof reason);
    if (strncmp(reason, "no such symbol in ", 18) != 0 || !name[0] ||
        strpbrk(name, "*?[( "))
        return 0;
    for (uint32_t i = 0;
         rc == 0 && asked < OBJECTS_MAX && i < s->reader.header.module_next;
         i++) {
        if (lane_reader_entry(&s->reader, LANE_TABLE_MODULES, i, &module) != 0)
            break;
        lane_reader_string(&s->reader, module.path, 0, object, sizeof object);
        if (object[0] != '/' || strstr(object, "/libc.so.") ||
            strstr(object, "/ld-linux") || is_own(object) ||
            (site->module != 0 && site->module != i + 1))
            continue;
        rc = add_question(s, c, index, i + 1, object, name);
        if (rc == 0 && c->count)
            c->questions[c->count - 1].is_none = true;
        asked++;
    }
    return rc;
}

static int ask(struct session *s, struct coverage *c, uint32_t index)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct lane_site site;
    char symbol[4096], object[4096];
    if (s->site[index].is_internal)
        return 0;
    int rc = lane_reader_entry(&s->reader, LANE_TABLE_SITES, index, &site);
    if (rc != 0)
        return rc;
    if (site.binding == LANE_BINDING_NONE)
        return ask_everywhere(s, c, index, &site);
    lane_reader_string(&s->reader, site.symbol, 0, symbol, sizeof symbol);
    lane_reader_string(&s->reader, site.object, 0, object, sizeof object);
    if (object[0] != '/' || !symbol[0])
        return 0;
    rc = add_question(s, c, index, site.module, object, symbol);
    if (rc == 0 && c->count)
        c->questions[c->count - 1].vaddr = site.address;
    return rc;
}

/* What was answered for an earlier session is no question any more. */
static int take_known(struct session *s, struct coverage *c, int64_t now_ns)
{
    uint32_t left = 0;
    int rc = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct coverage_question q = c->questions[i];
        const char *text = rc == 0 ? coverage_known(&q, now_ns) : NULL;
        if (!text) {
            c->questions[left++] = q;
            continue;
        }
        rc = store_text(s, q.site, text);
        free(q.object);
        free(q.symbol);
    }
    lane_assert(left <= c->count);
    c->count = left;
    return rc;
}

/* 0 or -errno of the store. */
static int start(struct session *s, struct coverage *c, int64_t now_ns)
{
    lane_assert(c->child == 0 && c->count == 0);
    uint32_t end = s->reader.header.site_next;
    int rc = 0, fds[2];
    uint32_t first = c->asked ? c->asked : 1;
    for (uint32_t i = first; i < end; i++)
        if (!s->site[i].is_known)
            end = i; /* still being bound: the next time */
    c->is_held = end > first && children >= CHILDREN_MAX;
    if (end <= first || c->is_held)
        return 0;
    for (uint32_t i = first; rc == 0 && i < end; i++)
        rc = ask(s, c, i);
    lane_assert(end <= LANE_SITE_MAX && end > first);
    c->asked = end;
    int stored = rc == 0 ? take_known(s, c, now_ns) : 0;
    if (rc != 0 || stored != 0 || c->count == 0 || pipe2(fds, O_CLOEXEC) != 0) {
        forget_questions(c);
        return stored;
    }
    c->since_ns = now_ns;
    qsort(c->questions, c->count, sizeof *c->questions, compare_objects);
    c->child = fork();
    if (c->child == 0)
        child(c, fds[1]);
    close(fds[1]);
    c->fd = fds[0];
    if (c->child < 0) {
        close(fds[0]);
        c->child = 0;
        forget_questions(c);
        return 0;
    }
    lane_assert(children >= 0 && children < CHILDREN_MAX);
    children++;
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
    buf_init(&c->answers, ANSWERS_MAX_BYTES);
    return 0;
}

/* ---- answers ------------------------------------------------------------ */

/* A question without an answer has none: there are no copies, or nothing can
 * be known of them. */
static int store_answers(struct session *s, const struct coverage *c,
                         int64_t now_ns)
{
    lane_assert(c->child > 0);
    const char *at = buf_get(&c->answers);
    size_t left = c->answers.len_bytes;
    char text[ANSWER_MAX_BYTES + 1];
    struct answer a;
    int rc = 0;
    for (uint32_t i = 0; i < c->count; i++)
        coverage_known_put(&c->questions[i], "", now_ns);
    while (rc == 0 && left >= sizeof a) {
        memcpy(&a, at, sizeof a);
        at += sizeof a;
        left -= sizeof a;
        if (a.len_bytes > left || a.len_bytes > ANSWER_MAX_BYTES ||
            a.question >= c->count)
            break;
        memcpy(text, at, a.len_bytes);
        text[a.len_bytes] = 0;
        at += a.len_bytes;
        left -= a.len_bytes;
        coverage_known_put(&c->questions[a.question], text, now_ns);
        rc = store_text(s, c->questions[a.question].site, text);
    }
    return rc;
}

static void stop(struct coverage *c)
{
    if (!c->child)
        return;
    kill(c->child, SIGKILL);
    while (waitpid(c->child, NULL, 0) < 0 && errno == EINTR)
        ;
    close(c->fd);
    c->child = 0;
    lane_assert(children > 0);
    children--;
    buf_free(&c->answers);
    forget_questions(c);
}

/* True when nothing more will come. */
static bool take(struct coverage *c)
{
    lane_assert(c->child > 0 && c->fd >= 0);
    char bytes[16384];
    ssize_t n;
    while ((n = read(c->fd, bytes, sizeof bytes)) > 0)
        buf_add(&c->answers, bytes, (size_t)n);
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

int coverage_look(struct session *s, int64_t now_ns)
{
    if (!s->coverage)
        s->coverage = calloc(1, sizeof *s->coverage);
    struct coverage *c = s->coverage;
    if (!c)
        return -ENOMEM;
    int rc = c->child ? 0 : start(s, c, now_ns);
    if (rc != 0 || !c->child || (!take(c) && now_ns - c->since_ns < LIMIT_NS))
        return rc;
    rc = store_answers(s, c, now_ns);
    stop(c);
    return rc;
}

bool coverage_is_done(const struct session *s)
{
    return !s->coverage || (!s->coverage->child && !s->coverage->is_held);
}

void coverage_free(struct coverage *c)
{
    if (c)
        stop(c);
    free(c);
}

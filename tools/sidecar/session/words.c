/* SPDX-License-Identifier: Apache-2.0 */
/* See words.h. A ring; those of one pid are chained, newest first. */
#include "tools/sidecar/session/words.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

enum {
    KEPT = 16384,
    CHAINS = 4096,
};

struct word {
    uint64_t pid_namespace, time_namespace;
    int64_t trace; /* of the writer's session */
    uint32_t clock, writer_pid;
    uint64_t next; /* of its chain: number, 0 none */
    struct lane_word told;
};
static struct word kept[KEPT];
static uint64_t newest; /* number of the last one, from 1 */
static uint64_t chain[CHAINS];

static uint64_t *chain_of(uint64_t pid_namespace, int32_t pid)
{
    return &chain[((uint32_t)pid * 2654435761u ^ pid_namespace) % CHAINS];
}

/* NULL: it was overwritten, and with it all that its chain has below. */
static const struct word *word_at(uint64_t number)
{
    lane_assert(number <= newest);
    return number && newest - number < KEPT ? &kept[number % KEPT] : NULL;
}

static void keep(const struct session *s, const struct lane_word *told)
{
    lane_assert(told->commit != 0);
    const struct lane_session *h = &s->reader.header;
    const struct session_process *by = session_process_of(s, told->process);
    int32_t pid = told->pid > 0 ? told->pid : 0; /* groups have one chain */
    uint64_t *first = chain_of(h->pid_namespace, pid);
    struct word *word = &kept[++newest % KEPT];
    *word = (struct word){
        .pid_namespace = h->pid_namespace,
        .time_namespace = h->time_namespace,
        .trace = s->traces ? s->trace[0] : 0,
        .clock = h->clock,
        .writer_pid = by ? by->entry.pid : 0,
        .next = *first,
        .told = *told,
    };
    word->told.pid = pid;
    *first = newest;
}

static int read_one(const struct session *s, uint32_t number,
                    struct lane_word *out)
{
    lane_assert(s->reader.header.table[LANE_TABLE_WORDS].capacity != 0);
    uint32_t capacity = s->reader.header.table[LANE_TABLE_WORDS].capacity;
    struct lane_word again;
    int rc =
        lane_reader_entry(&s->reader, LANE_TABLE_WORDS, number % capacity, out);
    if (rc == 0)
        rc = lane_reader_entry(&s->reader, LANE_TABLE_WORDS, number % capacity,
                               &again);
    if (rc == 0 && (out->commit != (uint64_t)number + 1 ||
                    memcmp(out, &again, sizeof again) != 0))
        return -EAGAIN; /* being written, or overtaken */
    return rc;
}

int words_read(struct session *s)
{
    uint32_t capacity = s->reader.header.table[LANE_TABLE_WORDS].capacity;
    uint32_t end = s->reader.header.word_next;
    if (capacity == 0)
        return 0;
    if (end - s->words_seen > capacity)
        s->words_seen = end - capacity;
    lane_assert(end - s->words_seen <= capacity);
    while (s->words_seen != end) {
        struct lane_word told;
        int rc = read_one(s, s->words_seen, &told);
        /* one that is not whole yet will be in a moment; unless it is behind */
        if (rc == -EAGAIN && told.commit < (uint64_t)s->words_seen + 1 &&
            end - s->words_seen < capacity / 2)
            return 0;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        if (rc == 0)
            keep(s, &told);
        s->words_seen++;
    }
    return 0;
}

/* Do ticks of both count the same? */
static bool is_one_clock(const struct session *s, const struct word *word)
{
    const struct lane_session *h = &s->reader.header;
    return word->clock == h->clock &&
           (h->clock == LANE_CLOCK_TSC ||
            word->time_namespace == h->time_namespace);
}

/* The first end of this pid after the process began is its own: nobody has the
 * number before its parent has waited. */
static const struct word *find_end(const struct session *s,
                                   const struct session_process *p)
{
    lane_assert(p->is_known);
    const struct lane_session *h = &s->reader.header;
    const struct word *found = NULL, *word;
    int32_t pid = (int32_t)p->entry.pid;
    for (uint64_t at = *chain_of(h->pid_namespace, pid);
         (word = word_at(at)) != NULL; at = word->next)
        if (word->told.kind == LANE_WORD_ENDED && word->told.pid == pid &&
            word->pid_namespace == h->pid_namespace && is_one_clock(s, word) &&
            word->told.ticks >= p->entry.t0_ticks)
            found = word;
    return found;
}

void words_ask(const struct session *s, struct session_process *p)
{
    lane_assert(p->is_known);
    const struct word *word = find_end(s, p);
    if (!word || p->is_told)
        return;
    struct death *death = &p->death;
    p->is_told = true;
    if (!death->end_ticks || word->told.ticks < death->end_ticks)
        death->end_ticks = word->told.ticks;
    if (death->has_status)
        return;
    death->has_status = true;
    death->status = word->told.value;
    death->source = "parent";
    if (word->told.cpu_ns)
        death->cpu_ns = word->told.cpu_ns;
    if (word->told.peak_bytes)
        death->peak_bytes = word->told.peak_bytes;
}

static bool is_sent(const struct session *s, const struct session_process *p,
                    const struct word *word)
{
    lane_assert(p->is_known);
    const struct lane_session *h = &s->reader.header;
    if (word->told.kind != LANE_WORD_SENT || !is_one_clock(s, word) ||
        word->pid_namespace != h->pid_namespace ||
        word->told.value != WTERMSIG(p->death.status) ||
        word->told.ticks < p->entry.t0_ticks)
        return false;
    if (word->told.pid > 0)
        return word->told.pid == (int32_t)p->entry.pid;
    return s->traces && word->trace == s->trace[0] &&
           word->writer_pid != p->entry.pid;
}

bool words_is_sent(const struct session *s, const struct session_process *p)
{
    const int32_t pids[] = {(int32_t)p->entry.pid, 0};
    const struct word *word;
    for (int i = 0; i < 2; i++)
        for (uint64_t at = *chain_of(s->reader.header.pid_namespace, pids[i]);
             (word = word_at(at)) != NULL; at = word->next)
            if (is_sent(s, p, word))
                return true;
    return false;
}

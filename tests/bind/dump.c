/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what stands in a session file, for the tests of this folder: one line
 * a site, a process, a kind of span. Reads with its own eyes, not with
 * lane/reader: an error there must not hide one of the writer.
 *
 *   dump FILE [spans]
 */
#include "lane/format/layout.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    KINDS_MAX = 4096,
    SPANS_MAX = 1 << 20
};

static const uint8_t *base;
static const struct lane_session *session;

struct span {
    uint64_t ref, parent;
    uint32_t site;
    uint8_t status;
};
static struct span *spans;
static size_t span_count;

static const void *table(enum lane_table_kind kind, uint32_t index)
{
    const struct lane_table *at = &session->table[kind];
    return base + at->offset + (uint64_t)index * at->entry_bytes;
}

static const char *string(struct lane_string s)
{
    static char buf[4][4096];
    static unsigned next;
    char *out = buf[next++ % 4];
    uint32_t len = s.len_bytes < 4095 ? s.len_bytes : 4095;
    memcpy(out, base + session->table[LANE_TABLE_STRINGS].offset + s.offset,
           len);
    out[len] = '\0';
    return out;
}

static const uint8_t *lane_bytes(const struct lane *lane, uint64_t position)
{
    uint64_t segment = position >> LANE_SEGMENT_SHIFT;
    uint64_t offset = position & (LANE_SEGMENT - 1);
    if (segment == 0)
        return lane->home + (offset - LANE_FIRST_POSITION);
    uint32_t unit = lane->unit[segment % LANE_UNIT_RING];
    if (unit == 0)
        return NULL;
    return (const uint8_t *)table(LANE_TABLE_UNITS, unit - 1) + offset;
}

static uint64_t item_bytes(const uint8_t *line, uint64_t position,
                           uint64_t type)
{
    const struct lane_frame *frame = (const void *)line;
    if (type == LANE_ITEM_RECORD)
        return LANE_LINE;
    if (type == LANE_ITEM_PAD)
        return LANE_SEGMENT - (position & (LANE_SEGMENT - 1));
    if (frame->payload_bytes <= sizeof(frame->inline_bytes))
        return LANE_LINE;
    return LANE_LINE + ((frame->payload_bytes + 63u) & ~63u);
}

static void read_lane(const struct lane *lane)
{
    for (uint64_t at = LANE_FIRST_POSITION; at < lane->position;) {
        const uint8_t *line = lane_bytes(lane, at);
        uint64_t commit;
        if (!line)
            break;
        memcpy(&commit, line + 56, 8);
        uint64_t type = commit & 63;
        if (commit != LANE_COMMIT(lane->index, at, type)) {
            printf("uncommitted item in lane %u\n", lane->index);
            break;
        }
        if (type == LANE_ITEM_RECORD && span_count < SPANS_MAX) {
            const struct lane_record *r = (const void *)line;
            spans[span_count++] =
                (struct span){r->span, r->parent, LANE_SITE_OF(r->site_status),
                              (uint8_t)(r->site_status >> 24)};
        }
        at += item_bytes(line, at, type);
    }
    for (uint64_t i = 0; i < LANE_OPEN_MAX; i++) {
        const struct lane_open *open = &lane->open[i];
        if (open->state == LANE_OPEN_CALL || open->state == LANE_OPEN_TAIL)
            spans[span_count++] = (struct span){
                open->span, open->parent, LANE_SITE_OF(open->site_kind), 0xff};
    }
}

static const char *site_name(uint32_t index)
{
    const struct lane_site *site = table(LANE_TABLE_SITES, index);
    return string(site->name);
}

static int compare_refs(const void *a, const void *b)
{
    uint64_t x = ((const struct span *)a)->ref;
    uint64_t y = ((const struct span *)b)->ref;
    return x < y ? -1 : x > y;
}

/* spans[] is sorted by reference */
static const char *parent_name(uint64_t ref)
{
    struct span key = {.ref = ref};
    if (LANE_REF_LANE(ref) == LANE_PROCESS_LANE)
        return LANE_REF_COUNTER(ref) == 1 ? "process" : "child";
    const struct span *found =
        bsearch(&key, spans, span_count, sizeof(*spans), compare_refs);
    if (found)
        return site_name(found->site);
    return ref ? "unknown" : "none";
}

static const char *end_name(uint8_t status)
{
    static const char *const names[16] = {"return",  "exception", "cancel",
                                          "longjmp", "exit",      "exec",
                                          "signal",  "killed",    "unknown"};
    const char *name = names[status & 15];
    return status == 0xff ? "open" : name ? name : "?";
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_spans(void)
{
    char **lines = calloc(span_count + 1, sizeof(*lines));
    qsort(spans, span_count, sizeof(*spans), compare_refs);
    for (size_t i = 0; lines && i < span_count; i++) {
        char line[1024];
        char name[256];
        snprintf(name, sizeof(name), "%s", site_name(spans[i].site));
        snprintf(line, sizeof(line), "span %s in %s: %s%s", name,
                 parent_name(spans[i].parent), end_name(spans[i].status),
                 spans[i].status != 0xff &&
                         (spans[i].status & LANE_STATUS_ERROR)
                     ? " error"
                     : "");
        lines[i] = strdup(line);
    }
    if (!lines)
        return;
    qsort(lines, span_count, sizeof(*lines), compare);
    for (size_t i = 0, n; i < span_count; i += n) {
        for (n = 1; i + n < span_count && !strcmp(lines[i], lines[i + n]);)
            n++;
        printf("%s x%zu\n", lines[i], n);
    }
}

static void print_sites(void)
{
    static const char *const bindings[] = {"none", "entry", "slots"};
    static const char *const shims[] = {"-", "frame", "zero"};
    for (uint32_t i = 1; i < session->site_next && i < LANE_SITE_MAX; i++) {
        const struct lane_site *site = table(LANE_TABLE_SITES, i);
        const char *object = string(site->object);
        const char *slash = strrchr(object, '/');
        if (site->state != 1)
            continue;
        printf("%s %s binding=%s shim=%s symbol=%s object=%s reason=%s\n",
               site->flags & LANE_SITE_INTERNAL ? "internal" : "site",
               string(site->name), bindings[site->binding % 3],
               shims[site->shim % 3], string(site->symbol),
               slash ? slash + 1 : object, string(site->reason));
        const struct lane_counter *counter = table(LANE_TABLE_COUNTERS, i);
        if (counter->no_frame > 0)
            printf("no frame %s x%lu of %lu counted\n", string(site->name),
                   counter->no_frame, counter->calls);
    }
}

static void print_processes(void)
{
    static const char *const markers[] = {"none",   "exit", "_exit",
                                          "signal", "exec", "abort"};
    for (uint32_t i = 0; i < session->process_next; i++) {
        const struct lane_process *p = table(LANE_TABLE_PROCESSES, i);
        printf("process %u parent=%u marker=%s code=%d\n", i, p->parent,
               markers[p->marker % 6], p->code);
    }
}

static void print_context(void)
{
    const struct lane_context *context = table(LANE_TABLE_CONTEXTS, 0);
    printf("trace ");
    for (int i = 0; i < 16; i++)
        printf("%02x", context->trace_id[i]);
    printf(" remote=%016lx flags=%02x\n", context->remote_parent,
           context->flags);
}

int main(int argc, char **argv)
{
    struct stat st;
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &st) != 0)
        return 2;
    base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    spans = calloc(SPANS_MAX, sizeof(*spans));
    if (base == MAP_FAILED || !spans)
        return 2;
    session = (const void *)base;
    if (memcmp(session->magic, LANE_MAGIC, 8) != 0 || session->ready != 1) {
        printf("not ready\n");
        return 1;
    }
    for (uint32_t i = 0; i < session->lane_next; i++)
        read_lane(table(LANE_TABLE_LANES, i));
    print_context();
    print_processes();
    print_sites();
    print_spans();
    printf("losses threads=%lu calls=%lu sites=%lu faults=%lu\n",
           session->lost_threads, session->lost_calls, session->lost_sites,
           session->hook_faults);
    printf("errors %u\n", session->manifest_errors);
    printf("items %u\n", session->item_next);
    printf("service %s\n",
           string((struct lane_string){session->service_string,
                                       session->service_bytes}));
    printf("notes\n%s", string((struct lane_string){session->note_string,
                                                    session->note_bytes}));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page with the answers of one trace within it; see serve.h. The answers
 * are a JSON object in a script element that is no script: nothing in it can
 * end the element, since each < is escaped. Scripts and styles of the file are
 * told by a random word that nothing else in it can know.
 */
#include "tools/cli/rows/rows.h"
#include "tools/serve/ask.h"
#include "tools/serve/assets.h"
#include "tools/serve/bars.h"
#include "tools/serve/guard.h"
#include "tools/serve/serve.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct report *report;
    FILE *out;
    char *why;
    size_t why_bytes;
    int64_t bytes; /* of answers */
    int count;
    char px[16];
    int err;
};

static const char *parameter(void *context, const char *name)
{
    const struct writer *w = context;
    return strcmp(name, "px") == 0 && w->px[0] ? w->px : NULL;
}

static void put_escaped(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_answer(struct writer *w, const char *key, const char *text,
                       size_t len)
{
    fputs(w->count++ ? ",\n" : "", w->out);
    put_escaped(w->out, key, strlen(key));
    fputc(':', w->out);
    put_escaped(w->out, text, len);
    w->bytes += (int64_t)len;
}

/* An answer as text, the caller's; NULL: `err` is set. */
static char *get(struct writer *w, const char *what, const char *span,
                 size_t *len)
{
    struct ask ask = {.store = w->report->store,
                      .what = what,
                      .trace = w->report->trace,
                      .span = span,
                      .parameter = parameter,
                      .context = w};
    char *text = NULL;
    FILE *out = w->err ? NULL : open_memstream(&text, len);
    if (!out) {
        w->err = w->err ? w->err : -ENOMEM;
        return NULL;
    }
    int status = ask_answer(&ask, out);
    if (fclose(out) != 0)
        status = 500;
    if (status == 200)
        return text;
    snprintf(w->why, w->why_bytes, "%s: %s", what, ask.why);
    w->err = status == 404 ? -ENOENT : -EIO;
    free(text);
    return NULL;
}

static void put(struct writer *w, const char *what, const char *span)
{
    char key[128];
    size_t len;
    char *text = get(w, what, span, &len);
    snprintf(key, sizeof key, "%s/%s%s%s", what, w->report->trace,
             span ? "/" : "", span ? span : "");
    if (text)
        put_answer(w, key, text, len);
    free(text);
}

/* As fine as half of the room allows. */
static void put_bars(struct writer *w)
{
    char key[64];
    char *text = NULL;
    size_t len = 0;
    for (int px = 100000; px >= 1000 && !w->err; px /= 2) {
        snprintf(w->px, sizeof w->px, "%d", px);
        free(text);
        text = get(w, "bars", NULL, &len);
        if (!text || (int64_t)len < w->report->most_bytes / 2)
            break;
    }
    w->px[0] = 0;
    snprintf(key, sizeof key, "bars/%s", w->report->trace);
    if (text)
        put_answer(w, key, text, len);
    free(text);
}

/* ---- calls with their values --------------------------------------------- */

static int64_t length(const struct bar *b)
{
    return b->flags & BAR_OPEN ? INT64_MAX : b->end_ns - b->start_ns;
}

/* Those that failed, then the longest. */
static int by_weight(const void *a, const void *b)
{
    const struct bar *x = *(const struct bar *const *)a,
                     *y = *(const struct bar *const *)b;
    if ((x->flags != 0) != (y->flags != 0))
        return x->flags ? -1 : 1;
    int64_t n = length(x), m = length(y);
    return n > m ? -1 : n < m;
}

static void put_processes(struct writer *w, const struct bars *b)
{
    char id[17];
    for (size_t i = 0; i < b->detail.process_count && !w->err; i++) {
        const struct query_process *p = &b->detail.processes[i];
        if (p->trace != b->trace.trace || w->bytes >= w->report->most_bytes)
            continue;
        snprintf(
            id, sizeof id, "%016" PRIx64,
            query_span_id(&b->detail, p->session, query_process_ref(p->idx)));
        put(w, "span", id);
    }
}

static void put_spans(struct writer *w, const struct bars *b)
{
    const struct bar **sorted = calloc(b->count + 1, sizeof *sorted);
    char id[17];
    if (!sorted)
        w->err = -ENOMEM;
    for (size_t i = 0; !w->err && i < b->count; i++)
        sorted[i] = &b->bar[i];
    if (!w->err && b->count)
        qsort(sorted, b->count, sizeof *sorted, by_weight);
    for (size_t i = 0;
         !w->err && i < b->count && w->bytes < w->report->most_bytes; i++) {
        snprintf(id, sizeof id, "%016" PRIx64,
                 query_span_id(&b->detail, bars_session(b, sorted[i]),
                               sorted[i]->ref));
        put(w, "span", id);
        w->report->told++;
    }
    w->report->calls = (int64_t)b->count + b->left_out;
    free(sorted);
}

static int put_list_row(struct writer *w, struct query_db *db,
                        const struct bars *b)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;
    fputs("{\"schema\":1}\n", out);
    int err = row_trace(out, db, &b->trace);
    if (fclose(out) != 0)
        err = -ENOMEM;
    if (!err)
        put_answer(w, "list", text, len);
    free(text);
    return err;
}

static void put_answers(struct writer *w)
{
    static const char *const all[] = {"lanes",  "show",     "stats",
                                      "folded", "critical", "errors"};
    struct query_db *db = NULL;
    int err = query_open(w->report->store, &db, w->why, w->why_bytes);
    const struct bars *b = err ? NULL : bars_take(db, w->report->trace, &err);
    if (!b) {
        query_close(db);
        w->err = err;
        return;
    }
    fputs("{\"answers\":{", w->out);
    w->err = put_list_row(w, db, b);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        put(w, all[i], NULL);
    put_bars(w);
    put_processes(w, b);
    put_spans(w, b);
    fprintf(w->out,
            "},\"trace_id\":\"%s\",\"calls\":%" PRId64 ",\"told\":%" PRId64 "}",
            w->report->trace, w->report->calls, w->report->told);
    bars_release(b);
    query_close(db);
}

/* ---- the file ------------------------------------------------------------ */

static void put_text(struct writer *w, const char *begin, const char *end)
{
    fwrite(begin, 1, (size_t)(end - begin), w->out);
}

int report_write(struct report *r, FILE *out, char *why, size_t why_bytes)
{
    struct guard word; /* its token is as good a random word as any */
    struct writer w = {
        .report = r, .out = out, .why = why, .why_bytes = why_bytes};
    /* where the page's file has its style and its script */
    const char *head = strstr(assets_html, "<!--files-->");
    int err = guard_init(&word);
    if (err || !head)
        return err ? err : -EINVAL;
    snprintf(why, why_bytes, "out of memory");
    put_text(&w, assets_html, head);
    fprintf(out,
            "<meta http-equiv=\"Content-Security-Policy\" content=\""
            "default-src 'none'; script-src 'nonce-%s'; "
            "style-src 'nonce-%s'; base-uri 'none'; form-action 'none'\">\n"
            "<style nonce=\"%s\">\n",
            word.token, word.token, word.token);
    put_text(&w, assets_css, assets_css_end);
    fputs("</style>\n", out);
    const char *body = strstr(head, "<!--/files-->");
    const char *end = body ? strstr(body, "</body>") : NULL;
    if (!end)
        return -EINVAL;
    put_text(&w, body, end);
    fputs("<script type=\"application/json\" id=\"embedded\">\n", out);
    put_answers(&w);
    fprintf(out, "\n</script>\n<script nonce=\"%s\">\n", word.token);
    put_text(&w, assets_js, assets_js_end);
    fputs("</script>\n", out);
    put_text(&w, end, assets_html_end);
    r->bytes = ftell(out);
    return w.err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values (RFC 4180): a line a span, processes first. */
#include "tools/cli/export/export.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void cell(FILE *out, const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    while (*at >= 0x20 && *at < 0x7f)
        at++;
    struct text_shown shown; /* a row is a line, also for who splits at lines */
    const char *text = name;
    if (*at) {
        shown = text_shown(name);
        text = shown.text;
    }
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void cell_number(FILE *out, int64_t n)
{
    fputc(',', out);
    if (n >= 0)
        fprintf(out, "%" PRId64, n);
}

static int put(void *context, const struct export_span *s)
{
    const struct export *x = context;
    fprintf(x->out, "%s,%016" PRIx64 ",", x->trace->hex, s->id);
    if (s->parent_id)
        fprintf(x->out, "%016" PRIx64, s->parent_id);
    fputc(',', x->out);
    cell(x->out, s->name);
    fputc(',', x->out);
    cell(x->out,
         s->thread && s->thread->name && !s->is_process ? s->thread->name : "");
    cell_number(x->out, s->pid);
    cell_number(x->out, s->tid);
    cell_number(x->out, s->start_unix_ns);
    cell_number(x->out, s->duration_ns);
    cell_number(x->out, s->self_ns);
    cell_number(x->out, s->cpu_ns);
    fprintf(x->out, ",%s,%s", s->status ? s->status : "",
            s->ended_by ? s->ended_by : "");
    cell_number(x->out, s->is_process ? s->process->loading_ns : -1);
    fputs("\r\n", x->out);
    return ferror(x->out) ? -EIO : 0;
}

int export_csv(const struct export *x)
{
    fputs("trace_id,span_id,parent_span_id,name,thread,pid,tid,start_unix_ns,"
          "duration_ns,self_ns,cpu_ns,status,ended_by,loading_ns\r\n",
          x->out);
    return export_each(x, put, (void *)(uintptr_t)x);
}

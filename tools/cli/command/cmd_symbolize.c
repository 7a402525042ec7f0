/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan symbolize: names for frames that the sidecar could not name, later,
 * when their files are there. ELF and DWARF are read in a process of its own,
 * one object after the other: a broken file costs its own frames.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/screen/view.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/paths.h"
#include "tools/common/text/text.h"
#include "tools/store/naming.h"
#include "tools/symbolize/symbolize.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 330000, /* a debuginfod server may send much */
};

struct symbolize {
    struct view view;
    bool is_worker, is_all;
    struct option_words dirs, files;
    cJSON *dir_list, *file_list;
    cJSON *others; /* {path: build id}: files that are another one */
    cJSON *used;   /* {path: true} */
    struct symbolize_client worker;
    char path[PATHS_MAX];
};

/* ---- asking -------------------------------------------------------------- */

static int ask(struct symbolize *s, const cJSON *request, cJSON **answer)
{
    char *text = cJSON_PrintUnformatted(request), *got = NULL;
    size_t len = text ? strlen(text) : 0;
    const uint32_t kind = SYMBOLIZE_PLACES;
    char *bytes = text ? malloc(sizeof kind + len) : NULL;
    int rc = bytes ? 0 : -ENOMEM;
    if (bytes) {
        memcpy(bytes, &kind, sizeof kind);
        memcpy(bytes + sizeof kind, text, len);
        s->worker.failures = 0; /* of another object */
        rc = symbolize_ask(&s->worker, bytes, sizeof kind + len, &got);
    }
    *answer = rc == 0 ? cJSON_Parse(got) : NULL;
    free(got);
    free(bytes);
    free(text);
    return rc == 0 && !*answer ? -EBADMSG : rc;
}

static cJSON *request_of(const struct symbolize *s,
                         const struct naming_object *o, size_t from, size_t to)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "object", o->path);
    cJSON_AddStringToObject(request, "build_id", o->build_id);
    cJSON_AddItemReferenceToObject(request, "dirs", s->dir_list);
    cJSON_AddItemReferenceToObject(request, "files", s->file_list);
    cJSON *places = cJSON_AddArrayToObject(request, "places");
    for (; from < to; from++) {
        cJSON *place = cJSON_CreateArray();
        cJSON_AddItemToArray(place, cJSON_CreateString(o->place[from]->offset));
        cJSON_AddItemToArray(place, cJSON_CreateBool(o->place[from]->is_exact));
        cJSON_AddItemToArray(places, place);
    }
    return request;
}

static void remember_files(struct symbolize *s, const cJSON *answer)
{
    static const char *const keys[] = {"file", "debug"};
    const cJSON *other;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *name =
            cJSON_GetStringValue(cJSON_GetObjectItem(answer, keys[i]));
        if (name && !cJSON_GetObjectItemCaseSensitive(s->used, name))
            cJSON_AddTrueToObject(s->used, name);
    }
    cJSON_ArrayForEach(other, cJSON_GetObjectItem(answer, "others"))
    {
        const char *name =
            cJSON_GetStringValue(cJSON_GetObjectItem(other, "file"));
        const char *id =
            cJSON_GetStringValue(cJSON_GetObjectItem(other, "build_id"));
        if (name && !cJSON_GetObjectItemCaseSensitive(s->others, name))
            cJSON_AddStringToObject(s->others, name, id ? id : "");
    }
}

/* How many of its places have a line now; -errno. */
static int64_t name_object(struct symbolize *s, struct naming_object *o)
{
    int64_t named = 0;
    for (size_t from = 0; from < o->count; from += SYMBOLIZE_PLACES_MAX) {
        size_t to = from + SYMBOLIZE_PLACES_MAX;
        to = to < o->count ? to : o->count;
        cJSON *request = request_of(s, o, from, to), *answer;
        int rc = ask(s, request, &answer);
        cJSON_Delete(request);
        if (rc < 0)
            return rc;
        remember_files(s, answer);
        cJSON *lists = cJSON_GetObjectItem(answer, "frames");
        for (; from < to && lists && lists->child; from++) {
            cJSON *frames = cJSON_DetachItemFromArray(lists, 0);
            const cJSON *last =
                cJSON_GetArrayItem(frames, cJSON_GetArraySize(frames) - 1);
            named += cJSON_IsNumber(cJSON_GetObjectItem(last, "line"));
            o->place[from]->frames = frames;
        }
        from = to - SYMBOLIZE_PLACES_MAX;
        cJSON_Delete(answer);
    }
    return named;
}

/* ---- what came of it ----------------------------------------------------- */

static void print_object(const struct symbolize *s,
                         const struct naming_object *o, int64_t named)
{
    if (s->view.json) {
        struct cJSON *line = json_object();
        json_text(line, "object", o->path);
        json_text(line, "build_id", o->build_id);
        json_int(line, "places", (int64_t)o->count);
        json_int(line, "named", named < 0 ? 0 : named);
        json_text(line, "trouble", named < 0 ? strerror((int)-named) : NULL);
        json_print(stdout, line);
    } else if (named < 0) {
        options_trouble("%s (build id %.12s): %s", o->path, o->build_id,
                        named == -EPIPE
                            ? "its files are broken, reading them failed"
                            : strerror((int)-named));
    } else {
        printf("%s of %s places  %s  %.12s%s\n", format_count(named).text,
               format_count((int64_t)o->count).text, text_shown(o->path).text,
               o->build_id, named ? "" : "  no debug file found");
    }
}

static void print_others(const struct symbolize *s)
{
    const cJSON *other;
    cJSON_ArrayForEach(other, s->others)
    {
        if (cJSON_GetObjectItemCaseSensitive(s->used, other->string))
            continue; /* of another object */
        if (s->view.json) {
            struct cJSON *line = json_object();
            json_text(line, "not_used", other->string);
            json_text(line, "build_id", other->valuestring);
            json_print(stdout, line);
        } else {
            printf("not used: %s has build id %.12s, that is another file\n",
                   text_shown(other->string).text,
                   other->valuestring[0] ? other->valuestring : "(none)");
        }
    }
}

static void print_done(const struct symbolize *s,
                       const struct naming_done *done)
{
    if (s->view.json) {
        struct cJSON *line = json_object();
        json_int(line, "frames", done->frames);
        json_int(line, "errors", done->errors);
        json_int(line, "groups", done->groups);
        json_print(stdout, line);
        return;
    }
    printf("%s frames of %s errors have names now",
           format_count(done->frames).text, format_count(done->errors).text);
    printf(done->groups ? "; %s groups changed\n" : "\n",
           format_count(done->groups).text);
    if (done->sinks)
        printf("What was uploaded of them before stays without names there "
               "(%s sink%s): each row is sent once.\n",
               format_count(done->sinks).text, done->sinks == 1 ? "" : "s");
}

/* ---- the command --------------------------------------------------------- */

static int name_all(struct symbolize *s, struct naming *n)
{
    size_t count;
    int64_t places = 0;
    struct naming_done done;
    struct naming_object *object = naming_objects(n, &count);
    if (s->view.json)
        json_print_schema(stdout);
    for (size_t i = 0; i < count; i++) {
        int64_t named = name_object(s, &object[i]);
        places += (int64_t)object[i].count;
        print_object(s, &object[i], named);
    }
    print_others(s);
    if (naming_apply(n, &done) < 0)
        return options_trouble("store '%s': %s", s->path, naming_why(n));
    print_done(s, &done);
    return places > 0 && done.frames == 0 ? EXIT_FOUND : EXIT_FINE;
}

/* The trace asked for: its id; with --all none. An exit status. */
static int choose(struct symbolize *s, const char *text, uint8_t id[16])
{
    struct query_trace trace = {0};
    int status = view_open(&s->view, false);
    if (!status && !s->is_all) {
        status = view_choose(&s->view, text, &trace);
        memcpy(id, trace.id, sizeof trace.id);
        query_trace_free(&trace);
    }
    view_close(&s->view);
    return status;
}

/* NULL: one is not there. */
static cJSON *words_of(const struct option_words *words)
{
    bool is_missing = false;
    cJSON *list = cJSON_CreateArray();
    char *copy = strdup(words->text), *rest = NULL;
    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest)) {
        char *whole = realpath(word, NULL);
        cJSON_AddItemToArray(list, cJSON_CreateString(whole ? whole : word));
        if (!whole)
            options_trouble("'%s': %s", word, strerror(errno));
        is_missing |= !whole;
        free(whole);
    }
    free(copy);
    if (is_missing)
        cJSON_Delete(list);
    return is_missing ? NULL : list;
}

static int run(struct symbolize *s, const char *text)
{
    char why[PATHS_MAX + 512];
    uint8_t id[16];
    struct naming *n;
    int status = choose(s, text, id);
    if (status)
        return status;
    if (paths_store_of(s->view.dir, s->view.store, s->path, sizeof s->path) < 0)
        return options_trouble("cannot tell where the store is: name it with "
                               "--store");
    if (naming_open(s->path, &n, why, sizeof why) < 0)
        return options_trouble("%s", why);
    s->dir_list = words_of(&s->dirs);
    s->file_list = words_of(&s->files);
    s->others = cJSON_CreateObject();
    s->used = cJSON_CreateObject();
    if (!s->dir_list || !s->file_list)
        status = EXIT_TROUBLE;
    else
        status = naming_collect(n, s->is_all ? NULL : id) < 0
                     ? options_trouble("store '%s': %s", s->path, naming_why(n))
                     : name_all(s, n);
    naming_close(n);
    symbolize_stop(&s->worker);
    cJSON_Delete(s->dir_list);
    cJSON_Delete(s->file_list);
    cJSON_Delete(s->others);
    cJSON_Delete(s->used);
    return status;
}

int cmd_symbolize(int argc, char **argv)
{
    static struct symbolize s = {
        .view = VIEW_INIT,
        .worker = {.fd = -1, .patience_ms = PATIENCE_MS},
    };
    const struct option_spec specs[] = {
        {"all", 0, OPTION_FLAG, NULL, "every error of the store", &s.is_all},
        {"debug-dir", 0, OPTION_WORDS, "DIR",
         "look here as well: a folder with files, or a tree as /usr/lib/debug",
         &s.dirs},
        {"object", 0, OPTION_WORDS, "FILE",
         "an object or debug file, taken where its build id fits", &s.files},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept", &s.view.dir},
        {"worker", 0, OPTION_FLAG, NULL,
         "serve a sidecar on descriptor 3; nothing for people", &s.is_worker},
        VIEW_OPTIONS(s.view),
    };
    const struct options o = {
        .command = "handspan symbolize",
        .operands = "[TRACE]",
        .about = "Names for frames of failed calls that had none when the "
                 "call came, because the\nfiles were not there: functions, "
                 "files and lines, by build id. Of the errors of\nTRACE (the "
                 "latest) and all that are in the same groups; groups are "
                 "made anew.\nExit status 1: there are such frames, and none "
                 "could be named.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (s.is_worker)
        return symbolize_serve(3);
    if (s.is_all && operands)
        return options_trouble("a TRACE or --all, not both");
    return run(&s, operands ? argv[0] : NULL);
}

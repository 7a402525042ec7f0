/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a manifest for the tools; see manifest_file.h. */
#include "tools/cli/program/manifest_file.h"
#include "lane/writer/place.h"
#include "tools/cli/program/types_cache.h"
#include "tools/common/text/hash.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOURCE_MAX_BYTES = 16 << 20
};

/* A whole file, NUL-terminated, kept in `f`. */
static int load_source(struct manifest_file *f, const char *path,
                       const char **text, size_t *len_bytes)
{
    struct stat st;
    char **grown =
        realloc(f->sources, (f->source_count + 1) * sizeof *f->sources);
    if (!grown)
        return -ENOMEM;
    f->sources = grown;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    int err = 0;
    char *bytes = NULL;
    if (fstat(fileno(in), &st) < 0)
        err = -errno;
    else if (lane_place_is_anybodys(fileno(in), path, (uint32_t)geteuid()))
        err = -EPERM;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    else if (st.st_size > SOURCE_MAX_BYTES)
        err = -EFBIG;
    else if (!(bytes = malloc(SOURCE_MAX_BYTES + 1)))
        err = -ENOMEM;
    if (!err) {
        *len_bytes = fread(bytes, 1, SOURCE_MAX_BYTES, in);
        bytes[*len_bytes] = 0;
        err = ferror(in) ? -EIO : 0;
    }
    fclose(in);
    if (err) {
        free(bytes);
        return err;
    }
    char *fit = realloc(bytes, *len_bytes + 1);
    f->sources[f->source_count++] = fit ? fit : bytes;
    *text = fit ? fit : bytes;
    return 0;
}

/* A copy that lives as long as `f`; NULL: no memory. */
static const char *keep_name(struct manifest_file *f, const char *name)
{
    char **grown =
        realloc(f->sources, (f->source_count + 1) * sizeof *f->sources);
    if (!grown)
        return NULL;
    f->sources = grown;
    char *copy = strdup(name);
    if (copy)
        f->sources[f->source_count++] = copy;
    return copy;
}

/* Manifests that come with handspan: bin/handspan has them in ../share,
 * installed and in the build tree. 0 or -errno. */
static int shipped_path(const char *name, const char *suffix, char *path,
                        size_t cap_bytes)
{
    char self[PATHS_MAX];
    if (paths_self(self, sizeof self) != 0)
        return -ENOENT;
    const char *slash = strrchr(self, '/');
    int len = snprintf(path, cap_bytes, "%.*s/../share/handspan/manifests/%s%s",
                       (int)(slash - self), self, name, suffix);
    if (len < 0 || (size_t)len >= cap_bytes)
        return -ENAMETOOLONG;
    return paths_is_ours(path) ? 0 : -ENOENT;
}

int manifest_file_folder(char *path, size_t cap_bytes)
{
    return shipped_path("", "", path, cap_bytes);
}

bool manifest_file_shipped(const char *name, char *path, size_t cap_bytes)
{
    if (strchr(name, '/') || name[0] == '.' || !name[0])
        return false;
    return (shipped_path(name, "", path, cap_bytes) == 0 &&
            access(path, R_OK) == 0) ||
           (shipped_path(name, ".manifest", path, cap_bytes) == 0 &&
            access(path, R_OK) == 0);
}

static int load_shipped(struct manifest_file *f, const char *name, char *path,
                        size_t cap_bytes, const char **text, size_t *len_bytes)
{
    int err = shipped_path(name, "", path, cap_bytes);
    if (err)
        return err;
    return load_source(f, path, text, len_bytes);
}

/* An include is found beside the file that includes it, else among those that
 * come with handspan: as in the preload. */
static int load_include(void *context, const char *from, const char *name,
                        const char **text, size_t *len_bytes,
                        const char **shown)
{
    struct manifest_file *f = context;
    char path[PATHS_MAX];
    const char *slash = strrchr(from, '/');
    int dir = name[0] == '/' || !slash ? 0 : (int)(slash - from) + 1;
    int len = snprintf(path, sizeof path, "%.*s%s", dir, from, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return -ENAMETOOLONG;
    int err = load_source(f, path, text, len_bytes);
    if (err == -ENOENT && name[0] != '/')
        err = load_shipped(f, name, path, sizeof path, text, len_bytes);
    if (err)
        return err;
    *shown = keep_name(f, path);
    return *shown ? 0 : -ENOMEM;
}

static void report(void *context, const struct manifest_diagnostic *d)
{
    struct manifest_file *f = context;
    char shown[4096];
    void *grown =
        realloc(f->messages, (f->message_count + 1) * sizeof *f->messages);
    if (!grown)
        return;
    f->messages = grown;
    manifest_format_diagnostic(d, shown, sizeof shown);
    f->messages[f->message_count++] =
        (struct manifest_message){.severity = d->severity,
                                  .file = strdup(d->at.file ? d->at.file : "?"),
                                  .text = strdup(d->text ? d->text : ""),
                                  .shown = strdup(shown),
                                  .line = d->at.line,
                                  .column = d->at.column};
}

static void forget_messages(struct manifest_file *f)
{
    for (size_t i = 0; i < f->message_count; i++) {
        free(f->messages[i].file);
        free(f->messages[i].text);
        free(f->messages[i].shown);
    }
    f->message_count = 0;
}

struct parse {
    struct manifest_file *file; /* first: what load and report are given */
    const struct manifest_file_options *options;
};

static int parse_load(void *context, const char *from, const char *name,
                      const char **text, size_t *len_bytes, const char **shown)
{
    struct parse *p = context;
    int err = load_include(p->file, from, name, text, len_bytes, shown);
    if (!err)
        p->file->hash_all = hash_bytes(p->file->hash_all, *text, *len_bytes);
    return err;
}

static void parse_report(void *context, const struct manifest_diagnostic *d)
{
    report(((struct parse *)context)->file, d);
}

static void parse_want(void *context, const struct manifest_want *want)
{
    const struct parse *p = context;
    if (p->options->want)
        p->options->want(p->options->context, want);
}

static int parse(struct manifest_file *f,
                 const struct manifest_file_options *options, const char *text,
                 size_t len_bytes)
{
    struct parse context = {f, options};
    struct manifest_host host = {.context = &context,
                                 .load = parse_load,
                                 .report = parse_report,
                                 .want = parse_want,
                                 .types = options->types,
                                 .compares = options->compares};
    /* declarations point at it, also when the struct was moved */
    const char *name = keep_name(f, f->path);
    int err = -ENOMEM;
    for (size_t cap = 1 << 20; name && cap <= 512 << 20 && err == -ENOMEM;
         cap *= 8) {
        forget_messages(f);
        free(f->arena);
        f->hash_all = f->hash;
        f->arena = malloc(cap);
        if (!f->arena)
            return -ENOMEM;
        struct manifest_arena arena = {f->arena, 0, cap};
        err =
            manifest_parse(name, text, len_bytes, &host, &arena, &f->manifest);
    }
    return err;
}

int manifest_file_load(const char *path, struct manifest_file *f, char *why,
                       size_t why_bytes)
{
    static const struct manifest_file_options plain;
    return manifest_file_load_with(path, &plain, f, why, why_bytes);
}

int manifest_file_load_with(const char *path,
                            const struct manifest_file_options *options,
                            struct manifest_file *f, char *why,
                            size_t why_bytes)
{
    const char *text = NULL;
    size_t len_bytes = 0;
    *f = (struct manifest_file){0};
    snprintf(f->path, sizeof f->path, "%s", path);
    int err = load_source(f, path, &text, &len_bytes);
    if (err) {
        snprintf(why, why_bytes, "cannot read the manifest '%s': %s%s", path,
                 err == -EPERM ? "it " : "",
                 err == -EPERM ? LANE_PLACE_ANYBODYS : strerror(-err));
        manifest_file_free(f);
        return err;
    }
    f->hash = hash_bytes(HASH_BEGIN, text, len_bytes);
    err = parse(f, options, text, len_bytes);
    if (err) {
        snprintf(why, why_bytes, "cannot parse the manifest '%s': %s", path,
                 err == -E2BIG ? "it is beyond the limits of docs/manifest.md"
                               : strerror(-err));
        f->manifest = NULL;
    }
    return err;
}

void manifest_file_print(const struct manifest_file *f, FILE *out, bool all)
{
    bool shown = false;
    for (size_t i = 0; i < f->message_count; i++) {
        enum manifest_severity severity = f->messages[i].severity;
        if (severity != MANIFEST_NOTE)
            shown = all || severity >= MANIFEST_WARNING;
        if (shown && f->messages[i].shown)
            text_print_lines(out, f->messages[i].shown);
    }
}

void manifest_file_free(struct manifest_file *f)
{
    forget_messages(f);
    free(f->messages);
    free(f->arena);
    for (size_t i = 0; i < f->source_count; i++)
        free(f->sources[i]);
    free(f->sources);
    *f = (struct manifest_file){0};
}

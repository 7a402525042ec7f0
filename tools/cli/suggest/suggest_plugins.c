/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry points of plugins: the program, or a library that it needs, has the
 * name of a folder with shared objects in its read-only data, and looks up by
 * name what these export. Both are there only together in programs that load
 * plugins. A name that no call has in sight (it comes from a table) is taken
 * where half of the plugins export it.
 */
#include "tools/cli/suggest/suggest.h"
#include "tools/cli/suggest/suggest_lookups.h"
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT_LEAST = 3, /* a name that stands alone */
    PATH_MOST = 512,
    FOLDERS_MAX = 8,
    PLUGINS_MAX = 64, /* of a folder, looked into */
    NAMES_MAX = 1024,
};

struct plugin {
    struct plan_image image;
    void *bytes;
    size_t len_bytes;
};
struct folder {
    char path[PATH_MOST];
    struct stat st;
    bool has_versions; /* libx.so.1 */
    struct plugin plugins[PLUGINS_MAX];
    size_t count;
};
struct look {
    struct suggestions *s;
    const struct plan_image *image;
    struct folder folders[FOLDERS_MAX];
    size_t folder_count;
    const char *names[NAMES_MAX]; /* that code hands over */
    size_t name_count;
};

/* ---- the folders ----------------------------------------------------------
 */

static bool is_object(const char *name)
{
    return fnmatch("*.so", name, 0) == 0 ||
           fnmatch("*.so.[0-9]*", name, 0) == 0;
}

static int choose_object(const struct dirent *e)
{
    return is_object(e->d_name);
}

static void add_plugin(struct folder *f, const char *name)
{
    struct plugin *p = &f->plugins[f->count];
    struct stat st;
    const char *why;
    char path[PATH_MOST + 256];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        p->len_bytes = (size_t)st.st_size;
        p->bytes = mmap(NULL, p->len_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p->bytes != MAP_FAILED &&
            plan_image_file(&p->image, p->bytes, p->len_bytes, &why) == 0)
            f->count++;
        else if (p->bytes != MAP_FAILED)
            munmap(p->bytes, p->len_bytes);
    }
    close(fd);
    f->has_versions |= fnmatch("*.so", name, 0) != 0;
}

static void open_plugins(struct folder *f)
{
    struct dirent **list = NULL;
    int count = scandir(f->path, &list, choose_object, alphasort);
    for (int i = 0; i < count; i++) {
        if (f->count < PLUGINS_MAX)
            add_plugin(f, list[i]->d_name);
        free(list[i]);
    }
    free(list);
}

/* As a glob of a manifest it would mean something else. */
static bool is_writable_as_glob(const char *path)
{
    for (; *path; path++)
        if (strchr("\"\\*?[]", *path) || (unsigned char)*path <= 0x20 ||
            (unsigned char)*path >= 0x7f)
            return false;
    return true;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Where the loader looks, where programs are, or anybody can put something. */
static bool is_common(const struct stat *st)
{
    static const char *const plain[] = {"/lib",
                                        "/lib64",
                                        "/lib/x86_64-linux-gnu",
                                        "/usr/lib",
                                        "/usr/lib64",
                                        "/usr/lib/x86_64-linux-gnu",
                                        "/usr/local/lib",
                                        "/usr/local/lib/x86_64-linux-gnu",
                                        "/bin",
                                        "/sbin",
                                        "/usr/bin",
                                        "/usr/sbin",
                                        "/usr/local/bin"};
    struct stat common;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (stat(plain[i], &common) == 0 && is_same(&common, st))
            return true;
    return !S_ISDIR(st->st_mode) || st->st_mode & S_IWOTH;
}

/* "/usr/lib/x/plugins/%s.so", "/usr/lib/x/plugins/" and the folder itself. */
static void add_folder(struct look *l, const char *text, size_t len)
{
    struct folder *f = &l->folders[l->folder_count];
    struct stat st;
    if (len < 2 || len >= PATH_MOST || *text != '/' ||
        l->folder_count == FOLDERS_MAX)
        return;
    *f = (struct folder){0};
    memcpy(f->path, text, len);
    f->path[strcspn(f->path, "%")] = 0;
    char *slash = strrchr(f->path, '/');
    if (strlen(f->path) < len || is_object(slash + 1) || !slash[1])
        *slash = 0;
    if (!*f->path || !is_writable_as_glob(f->path) || stat(f->path, &st) < 0 ||
        is_common(&st))
        return;
    for (size_t i = 0; i < l->folder_count; i++)
        if (is_same(&l->folders[i].st, &st))
            return;
    f->st = st;
    open_plugins(f);
    l->folder_count += f->count > 0;
}

/* A list of folders, too: "/usr/local/lib/x:/usr/lib/x". */
static void try_folder(struct look *l, const char *text)
{
    if (*text != '/')
        return;
    for (;; text++) {
        size_t len = strcspn(text, ":");
        add_folder(l, text, len);
        text += len;
        if (!*text)
            return;
    }
}

/* Names of symbols, where libraries are looked for: for the loader alone. */
static bool is_for_the_loader(const struct plan_image *image, const char *text)
{
    return (uintptr_t)text - (uintptr_t)image->dynstr < image->dynstr_len;
}

/* Every text of the read-only data, from where it begins. */
static void each_text(struct look *l, const struct plan_image *image,
                      void (*each)(struct look *l, const char *text))
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *g = &image->segments[i];
        const char *at = plan_image_at(image, g->vaddr, g->filesz);
        if (!at || (g->flags & (PF_X | PF_W)))
            continue;
        for (const char *end = at + g->filesz; at < end;) {
            size_t len = strnlen(at, (size_t)(end - at));
            if (len < (size_t)(end - at) && len > 1 &&
                !is_for_the_loader(image, at))
                each(l, at);
            at += len + 1;
        }
    }
}

/* ---- the names ------------------------------------------------------------
 */

static size_t count_exports(const struct folder *f, const char *name)
{
    size_t found = 0;
    struct plan_symbol symbol;
    for (size_t i = 0; i < f->count; i++)
        found +=
            plan_image_find_dynamic(&f->plugins[i].image, name, &symbol) == 0 &&
            symbol.is_exported && symbol.is_function;
    return found;
}

static void add_entry(struct look *l, size_t folder, const char *name)
{
    const struct folder *f = &l->folders[folder];
    char note[256];
    snprintf(note, sizeof note, "looked up by name in the objects of %.150s",
             f->path);
    struct candidate *c =
        suggest_add(l->s, NULL, name, folder, SUGGEST_ENTRY, note);
    if (c && !c->plugins &&
        asprintf(&c->plugins, "%s/*.so%s", f->path,
                 f->has_versions ? "*" : "") < 0)
        c->plugins = NULL;
}

static void take_name(void *context, const char *text)
{
    struct look *l = context;
    for (size_t i = 0; i < l->name_count; i++)
        if (strcmp(l->names[i], text) == 0)
            return;
    if (l->name_count < NAMES_MAX)
        l->names[l->name_count++] = text;
}

static void try_text(struct look *l, const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (text[len] || len < TEXT_LEAST)
        return;
    for (size_t i = 0; i < l->folder_count; i++) {
        size_t count = count_exports(&l->folders[i], text);
        if (count > 0 && 2 * count >= l->folders[i].count)
            add_entry(l, i, text);
    }
}

/* What stands in a table may be the end of a longer text. */
static void try_word(void *context, uint64_t place, uint64_t target)
{
    struct look *l = context;
    const char *text = suggest_identifier_at(l->image, target);
    (void)place;
    if (text)
        try_text(l, text);
}

static void look_into(struct look *l, const struct plan_image *image,
                      struct lookup_names *names)
{
    l->image = image;
    if (!suggest_lookups(image, names, take_name, l))
        return;
    each_text(l, image, try_text);
    plan_image_each_word(image, try_word, l);
}

static void close_folders(struct look *l)
{
    for (size_t i = 0; i < l->folder_count; i++)
        for (size_t j = 0; j < l->folders[i].count; j++)
            munmap(l->folders[i].plugins[j].bytes,
                   l->folders[i].plugins[j].len_bytes);
}

/* Libraries first: what they offer to look up with the program calls. */
void suggest_plugins(struct suggestions *s, const struct objects *objects)
{
    struct look *l = calloc(1, sizeof *l);
    struct lookup_names names;
    if (!l) {
        s->failed = true;
        return;
    }
    l->s = s;
    lookup_names_init(&names);
    for (size_t i = objects->count; i-- > 0;)
        if (objects->at[i].parent == 0 && !suggest_is_plumbing(&objects->at[i]))
            each_text(l, &objects->at[i].image, try_folder);
    for (size_t i = l->folder_count ? objects->count : 0; i-- > 0;)
        if (objects->at[i].parent == 0 && !suggest_is_plumbing(&objects->at[i]))
            look_into(l, &objects->at[i].image, &names);
    for (size_t i = 0; i < l->name_count; i++)
        for (size_t j = 0; j < l->folder_count; j++)
            if (count_exports(&l->folders[j], l->names[i]) > 0)
                add_entry(l, j, l->names[i]);
    close_folders(l);
    free(l);
}

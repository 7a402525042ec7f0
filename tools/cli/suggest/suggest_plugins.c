/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry points of plugins: the program has the name of a folder with shared
 * objects in its read-only data, and the name of a function that these export.
 * Both are there only together in programs that load plugins.
 */
#include "tools/cli/suggest/suggest.h"
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_LEAST = 5,
    NAME_MOST = 64,
    FOLDERS_MAX = 8,
    PLUGINS_MAX = 64, /* of a folder, looked into */
};

struct look {
    struct suggestions *s;
    const char *folder;
    const struct objects *objects;
};

/* Every NUL-terminated text of the read-only data. */
static void each_text(const struct plan_image *image,
                      void (*each)(struct look *l, const char *text),
                      struct look *l)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *g = &image->segments[i];
        const char *at = plan_image_at(image, g->vaddr, g->filesz);
        if (!at || (g->flags & (PF_X | PF_W)))
            continue;
        for (const char *end = at + g->filesz; at < end;) {
            size_t len = strnlen(at, (size_t)(end - at));
            if (len < (size_t)(end - at) && len >= NAME_LEAST)
                each(l, at);
            at += len + 1;
        }
    }
}

static bool is_identifier(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return text[n] == 0 && n <= NAME_MOST && !isdigit((unsigned char)*text) &&
           strchr(text, '_');
}

static bool exports(const char *path, const char *name)
{
    struct plan_image image;
    struct plan_symbol symbol;
    struct stat st;
    const char *why;
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size > 0) {
        size_t len = (size_t)st.st_size;
        void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) {
            found = plan_image_file(&image, at, len, &why) == 0 &&
                    plan_image_find_symbol(&image, name, &symbol) == 0 &&
                    symbol.is_exported && symbol.is_function;
            munmap(at, len);
        }
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/* How many of a few objects of the folder export it. */
static int count_exports(const char *folder, const char *name)
{
    int seen = 0, found = 0;
    char path[4096];
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) && seen < 3;) {
        if (fnmatch("*.so", e->d_name, 0) != 0)
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (n < 0 || (size_t)n >= sizeof path)
            continue;
        seen++;
        found += exports(path, name);
    }
    if (dir)
        closedir(dir);
    return found;
}

static void try_name(struct look *l, const char *text)
{
    char note[256];
    if (!is_identifier(text))
        return;
    if (count_exports(l->folder, text) < 2)
        return;
    snprintf(note, sizeof note, "looked up by name in the objects of %.150s",
             l->folder);
    struct candidate *c = suggest_add(l->s, NULL, text, 0, SUGGEST_ENTRY, note);
    if (c && !c->plugins && asprintf(&c->plugins, "%s/*.so", l->folder) < 0)
        c->plugins = NULL;
}

static bool has_objects(const char *folder)
{
    bool found = false;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && !found && (e = readdir(dir));)
        found = fnmatch("*.so", e->d_name, 0) == 0;
    if (dir)
        closedir(dir);
    return found;
}

static void try_folder(struct look *l, const char *text)
{
    struct stat st;
    static const char *const plain[] = {"/lib", "/usr/lib", "/usr/local/lib",
                                        "/usr/lib/x86_64-linux-gnu"};
    if (*text != '/' || strlen(text) > 200 || stat(text, &st) != 0 ||
        !S_ISDIR(st.st_mode) || !has_objects(text))
        return;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(plain[i], text) == 0)
            return;
    l->folder = text;
    each_text(&l->objects->at[0].image, try_name, l);
}

void suggest_plugins(struct suggestions *s, const struct objects *objects)
{
    struct look l = {s, NULL, objects};
    each_text(&objects->at[0].image, try_folder, &l);
}

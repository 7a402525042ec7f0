/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest's bytes are read into mappings of their own and given back
 * after the parse; what the parser made stays in an arena of address space
 * that costs memory only where it is written. Messages become notes: stderr is
 * the pipeline's.
 */
#include "preload/start/manifest_load.h"
#include "lane/writer/place.h"
#include "preload/objects/modules.h"
#include "preload/start/types_load.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOURCE_MAX = 64,
    SOURCE_BYTES_MAX = 16 << 20,
    SHOWN_BYTES = 16384,
    PAGE = 4096,
};

struct source {
    void *at;
    size_t len;
};
struct loader {
    struct source sources[SOURCE_MAX];
    uint32_t source_count;
    char shown[SHOWN_BYTES]; /* paths of includes */
    size_t shown_len;
};
static struct loader loader;
static bool mentions_secret;

/* The parse that counts. */
static struct {
    void *arena;
    size_t arena_bytes;
    size_t note;    /* where its messages begin */
    uint32_t wants; /* of things that are left open */
    uint32_t placements;
} loaded;

static bool mentions(const char *text, size_t len)
{
    static const char word[] = "secret";
    for (size_t i = 0; i + sizeof word <= len + 1; i++)
        if (memcmp(text + i, word, sizeof word - 1) == 0)
            return true;
    return false;
}

static int map_regular_file(int fd, struct source *source)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size > SOURCE_BYTES_MAX)
        return -EFBIG;
    source->len = (size_t)st.st_size;
    if (source->len == 0)
        return 0;
    void *at = mmap(NULL, source->len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    /* copied: a file that shrinks meanwhile must not fault */
    ssize_t got = pread(fd, at, source->len, 0);
    if (got < 0) {
        int err = -errno;
        munmap(at, source->len);
        return err;
    }
    source->at = at;
    mentions_secret |= mentions(at, source->len);
    return 0;
}

bool manifest_mentions_secret(void)
{
    return mentions_secret;
}

static int load_source(const char *path, const char **text, size_t *len)
{
    lane_assert(loader.source_count <= SOURCE_MAX);
    if (loader.source_count == SOURCE_MAX)
        return -E2BIG;
    struct source *source = &loader.sources[loader.source_count];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int err = lane_place_is_anybodys(fd, path, config.uid)
                  ? -EPERM
                  : map_regular_file(fd, source);
    close(fd);
    if (err)
        return err;
    loader.source_count++;
    *text = source->at ? source->at : "";
    *len = source->len;
    return 0;
}

/* Folders of manifests that come with handspan, from the preload's own: as
 * installed, and in the build tree. */
static const char *const shipped[] = {"../../share/handspan/manifests/",
                                      "../share/handspan/manifests/"};

static int load_from(const char *dir, size_t dir_len, const char *below,
                     const char *name, const char **text, size_t *len,
                     const char **shown)
{
    lane_assert(loader.shown_len <= SHOWN_BYTES);
    struct text path = {loader.shown + loader.shown_len, 0,
                        SHOWN_BYTES - loader.shown_len};
    text_put_bytes(&path, dir, dir_len);
    text_put(&path, below);
    text_put(&path, name);
    if (!text_fits(&path))
        return -ENAMETOOLONG;
    if (*below && !config_is_our_file(path.bytes))
        return -ENOENT;
    int err = load_source(path.bytes, text, len);
    if (err)
        return err;
    loader.shown_len += path.len + 1;
    *shown = path.bytes;
    return 0;
}

/* An include is found beside the file that includes it, else among those that
 * come with handspan. */
static int load_include(void *context, const char *from, const char *name,
                        const char **text, size_t *len, const char **shown)
{
    (void)context;
    bool is_absolute = *name == '/';
    size_t dir = is_absolute ? 0 : (size_t)(text_basename(from) - from);
    int err = load_from(from, dir, "", name, text, len, shown);
    if (err == -ENOENT && !is_absolute && !*config.self)
        modules_refresh(NULL); /* where we are ourselves */
    dir = (size_t)(text_basename(config.self) - config.self);
    for (size_t i = 0; err == -ENOENT && !is_absolute &&
                       i < sizeof(shipped) / sizeof(*shipped);
         i++)
        err = load_from(config.self, dir, shipped[i], name, text, len, shown);
    return err;
}

static void report(void *context, const struct manifest_diagnostic *d)
{
    char message[1024];
    (void)context;
    manifest_format_diagnostic(d, message, sizeof(message));
    size_t len = strlen(message);
    if (len > 0 && message[len - 1] == '\n')
        message[len - 1] = '\0';
    note_line("manifest", message);
}

/* Something that neither the manifest nor the types say. */
static void count_want(void *context, const struct manifest_want *want)
{
    (void)context;
    if (want->is_placement)
        loaded.placements++;
    else
        loaded.wants++;
}

/* The sidecar looks for this line, and for the manifest in it. */
static void note_wants(const char *path, bool has_types)
{
    char cwd[PATH_MAX], full[2 * PATH_MAX];
    struct text text = {full, 0, sizeof full};
    if (*path != '/' && getcwd(cwd, sizeof cwd)) {
        text_put(&text, cwd);
        text_put(&text, "/");
    }
    text_put(&text, path);
    note_lines("types", full,
               has_types
                   ? "leaves things open that the debug information read so "
                     "far does not say"
                   : "leaves things to the debug information, which was not "
                     "read before this run; the sidecar reads it for the next",
               NULL);
}

/* Give back what was not used; the bytes that stay. */
static size_t trim(uint8_t *at, size_t used, size_t len)
{
    lane_assert(used <= len);
    size_t kept = (used + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (kept >= len)
        return len;
    munmap(at + kept, len - kept);
    return kept;
}

static int parse(const char *path, const char *text, size_t len,
                 const struct manifest_types *types,
                 const struct manifest **out)
{
    lane_assert(types == NULL || types->len_bytes != 0);
    static const size_t sizes[] = {1 << 20, 8 << 20, 64 << 20, 640 << 20};
    struct manifest_host host = {.load = load_include,
                                 .report = report,
                                 .types = types,
                                 .want = count_want,
                                 .is_pending = types == NULL};
    int err = -ENOMEM;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        void *at = mmap(NULL, sizes[i], PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return -ENOMEM;
        struct manifest_arena arena = {at, 0, sizes[i]};
        loaded.wants = loaded.placements = 0;
        err = manifest_parse(path, text, len, &host, &arena, out);
        if (err == 0) {
            loaded.arena = at;
            loaded.arena_bytes = trim(at, arena.used_bytes, sizes[i]);
            return 0;
        }
        munmap(at, sizes[i]);
        if (err != -ENOMEM)
            break;
    }
    return err;
}

static const char *trouble(int err)
{
    switch (err) {
    case -ENOENT:
        return "does not exist";
    case -EACCES:
        return "may not be read";
    case -EPERM:
        return LANE_PLACE_ANYBODYS;
    case -EINVAL:
    case -EISDIR:
        return "is no regular file";
    case -EFBIG:
    case -E2BIG:
        return "is too large";
    case -ENOMEM:
        return "needs more memory than there is";
    default:
        return "cannot be read";
    }
}

/* A relative path means something else in a child that changed its
 * directory. */
static void warn_relative(const char *path)
{
    char cwd[PATH_MAX], full[2 * PATH_MAX];
    struct text text = {full, 0, sizeof(full)};
    if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
        return;
    text_put(&text, "HANDSPAN_MANIFEST is relative, which breaks in children "
                    "that change their directory; write ");
    text_put(&text, cwd);
    text_put(&text, "/");
    text_put(&text, path);
    note_line("manifest", full);
}

static void forget_sources(void)
{
    lane_assert(loader.source_count <= SOURCE_MAX);
    for (uint32_t i = 0; i < loader.source_count; i++) {
        if (loader.sources[i].at)
            munmap(loader.sources[i].at, loader.sources[i].len);
    }
    /* what is shown of includes stays: declarations say where they stand */
    memset(&loader.sources, 0, sizeof loader.sources);
    loader.source_count = 0;
}

const struct manifest *manifest_load(uint32_t *error_count)
{
    const char *path = config_get("HANDSPAN_MANIFEST");
    const struct manifest *manifest = NULL;
    const char *text;
    size_t len;
    if (!path)
        return NULL;
    warn_relative(path);
    loaded.note = note_mark();
    int err = load_source(path, &text, &len);
    if (err == 0)
        err = parse(path, text, len, NULL, &manifest);
    if (err) {
        note_lines("manifest", path, trouble(err),
                   "(HANDSPAN_MANIFEST); no handler is traced");
        ++*error_count;
        manifest = NULL;
    } else {
        *error_count += manifest->error_count;
    }
    forget_sources();
    return manifest;
}

const struct manifest *manifest_add_types(const struct manifest *manifest,
                                          uint32_t *error_count)
{
    const char *path = config_get("HANDSPAN_MANIFEST"), *text;
    const struct manifest *again;
    struct types_file types = {.at = NULL};
    void *arena = loaded.arena;
    size_t arena_bytes = loaded.arena_bytes, len;
    uint32_t wants = loaded.wants;
    if (!manifest || wants + loaded.placements == 0)
        return manifest;
    if (load_source(path, &text, &len) != 0)
        return manifest;
    types_load(text, len, &types);
    if (!types.types.len_bytes && !wants) { /* nothing to add */
        forget_sources();
        return manifest;
    }
    note_rewind(loaded.note);
    if (!types.types.len_bytes)
        note_wants(path, false); /* first: there is not room for everything */
    *error_count -= manifest->error_count;
    if (parse(path, text, len, types.types.len_bytes ? &types.types : NULL,
              &again) == 0) {
        manifest = again;
        munmap(arena, arena_bytes);
    }
    *error_count += manifest->error_count;
    if (types.types.len_bytes && loaded.wants && manifest->not_yet_count)
        note_wants(path, true);
    types_unload(&types);
    forget_sources();
    return manifest;
}

bool manifest_is_for_us(const struct manifest *manifest)
{
    const char *name = manifest_program_name(manifest, config.program,
                                             text_basename(config.exe));
    if (name)
        config.program = name;
    return name != NULL;
}

void manifest_forget(void)
{
    if (loaded.arena)
        munmap(loaded.arena, loaded.arena_bytes);
    loaded.arena = NULL;
}

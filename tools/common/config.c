/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: see config.h. A file is read whole, once; the environment at each
 * call. A file that somebody else could have written is left out, since it
 * says where data is sent.
 */
#include "tools/common/config.h"
#include "lane/format/variables.h"
#include "tools/common/text/format.h"
#include "tools/common/paths.h"
#include "tools/common/text/text.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_FILE "/etc/handspan/config"

enum {
    FILE_BYTES_MAX = 64 << 10,
    PROBLEMS_MAX = 16,
    PROBLEM_BYTES = PATHS_MAX + 256,
};
enum kind {
    KIND_TEXT,
    KIND_LIST, /* more lines of a file add up */
    KIND_AGE,
    KIND_SIZE,
    KIND_ROOM,
    KIND_LOG_FORMAT,
    KIND_SECRET,
    KIND_LISTEN,
};

static const struct {
    const char *name, *variable, *otherwise, *about;
    enum kind kind;
} keys[CONFIG_KEYS] = {
    [CONFIG_DIR] = {"dir", "HANDSPAN_DIR", NULL, "where sessions are kept",
                    KIND_TEXT},
    [CONFIG_STORE] = {"store", "HANDSPAN_STORE", NULL, "the store", KIND_TEXT},
    [CONFIG_UPLOAD] = {"upload", "HANDSPAN_UPLOAD", NULL,
                       "sinks that get what is stored", KIND_LIST},
    [CONFIG_UPLOAD_KEY_FILE] = {"upload_key_file", "HANDSPAN_UPLOAD_KEY_FILE",
                                NULL, "file with the key of the sinks",
                                KIND_TEXT},
    [CONFIG_UPLOAD_KEY] = {"upload_key", "HANDSPAN_UPLOAD_KEY", NULL,
                           "key of the sinks; environment only", KIND_SECRET},
    [CONFIG_SPOOL_SIZE] = {"spool_size", "HANDSPAN_SPOOL_SIZE", "2GB",
                           "raw records on their way to the store, at most",
                           KIND_SIZE},
    [CONFIG_SPOOL_FREE] = {"spool_free", "HANDSPAN_SPOOL_FREE", "5%",
                           "room that they leave on their file system",
                           KIND_ROOM},
    [CONFIG_KEEP_AGE] = {"keep_age", "HANDSPAN_KEEP_AGE", "30d",
                         "older traces are removed", KIND_AGE},
    [CONFIG_KEEP_SIZE] = {"keep_size", "HANDSPAN_KEEP_SIZE", "2GB",
                          "a larger store loses the oldest", KIND_SIZE},
    [CONFIG_THIN_AGE] = {"thin_age", "HANDSPAN_THIN_AGE", "7d",
                         "older traces lose fast and good calls", KIND_AGE},
    [CONFIG_METRICS_LISTEN] = {"metrics_listen", "HANDSPAN_METRICS_LISTEN",
                               NULL, "address:port for Prometheus",
                               KIND_LISTEN},
    [CONFIG_METRICS_FILE] = {"metrics_file", "HANDSPAN_METRICS_FILE", NULL,
                             "file for node_exporter", KIND_TEXT},
    [CONFIG_LOG_FORMAT] = {"log_format", "HANDSPAN_LOG_FORMAT", "text",
                           "of the sidecar: text or json", KIND_LOG_FORMAT},
    [CONFIG_DEBUGINFOD_URLS] = {"debuginfod_urls", "HANDSPAN_DEBUGINFOD_URLS",
                                NULL, "servers that are asked for debug files",
                                KIND_LIST},
};

static struct {
    bool is_loaded;
    char *value[CONFIG_KEYS]; /* of the files; owned */
    char origin[CONFIG_KEYS][PATHS_MAX + 16];
    const char *flag[CONFIG_KEYS];
    char problem[PROBLEMS_MAX][PROBLEM_BYTES];
    int problems;
} config;

static void problem(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
    va_list arguments;
    if (config.problems >= PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(config.problem[config.problems++], PROBLEM_BYTES, format,
              arguments);
    va_end(arguments);
}

/* ---- values -------------------------------------------------------------- */

int config_parse_age(const char *text, int64_t *out_ns)
{
    int64_t ns;
    if (strcmp(text, "off") == 0) {
        *out_ns = -1;
        return 0;
    }
    if (format_parse_duration(text, &ns) < 0 || ns < 0)
        return -EINVAL;
    *out_ns = ns;
    return 0;
}

int config_parse_size(const char *text, int64_t *out_bytes)
{
    static const struct {
        const char *unit;
        int64_t bytes;
    } units[] = {{"B", 1},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", 1000000000000},
                 {"K", 1 << 10},
                 {"M", 1 << 20},
                 {"G", 1 << 30},
                 {"KiB", 1 << 10},
                 {"MiB", 1 << 20},
                 {"GiB", 1 << 30},
                 {"TiB", (int64_t)1 << 40}};
    if (strcmp(text, "off") == 0) {
        *out_bytes = -1;
        return 0;
    }
    char *end;
    double number = strtod(text, &end);
    if (end == text || !isdigit((unsigned char)text[0]))
        return -EINVAL;
    end += strspn(end, " ");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double bytes = number * (double)units[i].bytes;
        if (strcmp(end, units[i].unit) == 0 && bytes < 9e18) {
            *out_bytes = (int64_t)bytes;
            return 0;
        }
    }
    return -EINVAL; /* a number alone would be a guess */
}

int config_parse_room(const char *text, int64_t whole_bytes, int64_t *out_bytes)
{
    enum {
        LEAST_OF_PART = 256 << 20
    };
    char *end;
    double part = strtod(text, &end);
    if (!isdigit((unsigned char)text[0]) || strcmp(end, "%") != 0)
        return config_parse_size(text, out_bytes);
    if (part > 100)
        return -EINVAL;
    *out_bytes = (int64_t)((double)whole_bytes / 100 * part);
    if (*out_bytes < LEAST_OF_PART)
        *out_bytes = LEAST_OF_PART;
    return 0;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len && len <= 5 && strspn(text, "0123456789") == len &&
           strtol(text, NULL, 10) > 0 && strtol(text, NULL, 10) <= UINT16_MAX;
}

/* A name, or an address that can be one. */
static bool is_host(const char *host, bool is_bracketed)
{
    struct in6_addr ignored;
    if (is_bracketed || strchr(host, ':'))
        return inet_pton(AF_INET6, host, &ignored) == 1;
    if (host[strspn(host, "0123456789.")] == 0)
        return inet_pton(AF_INET, host, &ignored) == 1;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return false;
    return true;
}

int config_parse_listen(const char *text, char *host, size_t host_bytes,
                        const char **port)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool is_bracketed = len > 1 && text[0] == '[' && text[len - 1] == ']';
    if (!colon || len >= host_bytes || !is_port(colon + 1))
        return -EINVAL;
    if (is_bracketed)
        text++, len -= 2;
    if (colon == text)
        snprintf(host, host_bytes, "127.0.0.1");
    else
        snprintf(host, host_bytes, "%.*s", (int)len, text);
    *port = colon + 1;
    return is_host(host, is_bracketed) ? 0 : -EINVAL;
}

static bool is_listen(const char *value)
{
    char host[256];
    const char *port;
    return strcmp(value, "off") == 0 ||
           config_parse_listen(value, host, sizeof host, &port) == 0;
}

static bool is_value(enum config_key key, const char *value)
{
    int64_t ignored;
    switch (keys[key].kind) {
    case KIND_AGE:
        return config_parse_age(value, &ignored) == 0;
    case KIND_SIZE:
        return config_parse_size(value, &ignored) == 0;
    case KIND_ROOM:
        return config_parse_room(value, 0, &ignored) == 0;
    case KIND_LOG_FORMAT:
        return strcmp(value, "text") == 0 || strcmp(value, "json") == 0;
    case KIND_LISTEN:
        return is_listen(value);
    case KIND_TEXT:
    case KIND_LIST:
    case KIND_SECRET:
        break;
    }
    return true;
}

/* ---- files --------------------------------------------------------------- */

static void add(enum config_key key, const char *path, int line,
                const char *value)
{
    char where[sizeof config.origin[0]], *joined = NULL;
    snprintf(where, sizeof where, "%s:%d", path, line);
    /* a list of this very file goes on */
    bool goes_on = keys[key].kind == KIND_LIST && config.value[key] &&
                   strncmp(config.origin[key], where, strlen(path) + 1) == 0;
    if (goes_on && asprintf(&joined, "%s %s", config.value[key], value) < 0)
        joined = NULL;
    if (!goes_on)
        joined = strdup(value);
    if (!joined)
        return;
    free(config.value[key]);
    config.value[key] = joined;
    if (!goes_on)
        snprintf(config.origin[key], sizeof config.origin[key], "%s", where);
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = 0;
    return text;
}

static void unknown(const char *path, int line, const char *name)
{
    struct text_nearest near;
    text_nearest_init(&near, name);
    for (int i = 0; i < CONFIG_KEYS; i++)
        text_nearest_offer(&near, keys[i].name);
    problem("%s:%d: no setting '%s'%s%s%s", path, line, name,
            near.name[0] ? "; did you mean '" : "",
            near.name[0] ? near.name[0] : "", near.name[0] ? "'?" : "");
}

static void read_line(const char *path, int line, char *text)
{
    char *name = trim(text), *equal = strchr(name, '=');
    if (*name == 0 || *name == '#')
        return;
    if (!equal) {
        problem("%s:%d: not 'NAME = VALUE'", path, line);
        return;
    }
    *equal = 0;
    char *value = trim(equal + 1);
    size_t len = strlen(value);
    if (len > 1 && value[0] == '"' && value[len - 1] == '"') {
        value[len - 1] = 0;
        value++;
    }
    name = trim(name);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        if (strcmp(name, keys[i].name) != 0)
            continue;
        if (keys[i].kind == KIND_SECRET)
            problem("%s:%d: a key does not stand here; name its file with "
                    "upload_key_file",
                    path, line);
        else
            add((enum config_key)i, path, line, value);
        return;
    }
    unknown(path, line, name);
}

/* It names receivers of data: nobody else may have written it. */
static bool is_trusted(int fd, const char *path)
{
    struct stat at;
    if (fstat(fd, &at) < 0)
        return false;
    if (S_ISCHR(at.st_mode)) /* /dev/null: no settings */
        return true;
    if (!S_ISREG(at.st_mode))
        problem("'%s' is no file; it is not read", path);
    else if ((at.st_uid != 0 && at.st_uid != geteuid()) ||
             (at.st_mode & 0022) != 0)
        problem("'%s' belongs to user %u, mode %o: others could have written "
                "it, so it is not read (chown, chmod go-w)",
                path, (unsigned)at.st_uid, (unsigned)(at.st_mode & 07777));
    else if (at.st_size > FILE_BYTES_MAX)
        problem("'%s' has more than %d KiB; it is not read", path,
                FILE_BYTES_MAX >> 10);
    else
        return true;
    return false;
}

static void read_file(const char *path, bool is_named)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (is_named || (errno != ENOENT && errno != ENOTDIR))
            problem("cannot read '%s': %s", path, strerror(errno));
        return;
    }
    FILE *in = is_trusted(fd, path) ? fdopen(fd, "r") : NULL;
    if (!in) {
        close(fd);
        return;
    }
    char *text = NULL;
    size_t cap = 0;
    int line = 0;
    while (getline(&text, &cap, in) >= 0 && line < FILE_BYTES_MAX) {
        text[strcspn(text, "\n")] = 0;
        read_line(path, ++line, text);
    }
    free(text);
    fclose(in);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

void config_load(void)
{
    char path[PATHS_MAX + 32];
    if (config.is_loaded)
        return;
    config.is_loaded = true;
    const char *named = variable("HANDSPAN_CONFIG");
    if (named) {
        read_file(named, true);
        return;
    }
    read_file(SYSTEM_FILE, false);
    const char *folder = variable("XDG_CONFIG_HOME");
    const char *home = variable("HOME");
    if (folder && folder[0] == '/')
        snprintf(path, sizeof path, "%s/handspan/config", folder);
    else if (home && home[0] == '/')
        snprintf(path, sizeof path, "%s/.config/handspan/config", home);
    else
        return;
    read_file(path, false);
}

/* ---- what counts --------------------------------------------------------- */

const char *config_get(enum config_key key)
{
    struct config_info info;
    config_info(key, &info);
    return info.value && *info.value ? info.value : NULL;
}

void config_set(enum config_key key, const char *value)
{
    config.flag[key] = value;
}

void config_info(enum config_key key, struct config_info *out)
{
    config_load();
    *out = (struct config_info){.name = keys[key].name,
                                .variable = keys[key].variable,
                                .about = keys[key].about,
                                .is_secret = keys[key].kind == KIND_SECRET,
                                .value = keys[key].otherwise,
                                .origin = "default"};
    if (config.value[key]) {
        out->value = config.value[key];
        out->origin = config.origin[key];
    }
    if (variable(keys[key].variable)) {
        out->value = variable(keys[key].variable);
        out->origin = keys[key].variable;
    }
    if (config.flag[key]) {
        out->value = config.flag[key];
        out->origin = "flag";
    }
}

/* A variable that is nearly called as one of ours. Without its value, which may
 * be a key. */
static int tell_misspelt(void (*each)(void *context, const char *text),
                         void *context)
{
    char text[PROBLEM_BYTES];
    int count = 0;
    for (char **entry = environ; entry && *entry; entry++) {
        const char *meant = lane_variable_meant(*entry);
        if (!meant)
            continue;
        snprintf(text, sizeof text,
                 "%.*s is none of ours; is it meant to be HANDSPAN_%s?",
                 (int)strcspn(*entry, "="), *entry, meant);
        each(context, text);
        count++;
    }
    return count;
}

int config_problems(bool values, void (*each)(void *context, const char *text),
                    void *context)
{
    char text[PROBLEM_BYTES];
    int count = config.problems;
    for (int i = 0; i < config.problems; i++)
        each(context, config.problem[i]);
    for (int i = 0; values && i < CONFIG_KEYS; i++) {
        struct config_info info;
        config_info((enum config_key)i, &info);
        /* an empty one in a file is no default: it says nothing */
        if (!info.value || is_value((enum config_key)i, info.value))
            continue;
        snprintf(text, sizeof text, "%s: %s cannot be '%s'", info.origin,
                 info.name, info.value);
        each(context, text);
        count++;
    }
    return values ? count + tell_misspelt(each, context) : count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment, program and directory, read once in the constructor while the
 * process has a single thread. libc's own environ is not used: our
 * constructor runs before libc's.
 */
#include "preload/settings/config.h"
#include "preload/settings/explicit_loader.h"
#include "lane/writer/place.h"
#include "lane/format/variables.h"
#include "lane/format/words.h"
#include "shim/plan/plan.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct config config = {.dir_fd = -1,
                        .file_mode = 0600,
                        .match_max = 2000,
                        .capture_max = MANIFEST_CAPTURE_ALL};

const char *config_get(const char *name)
{
    size_t len = strlen(name);
    for (char **entry = config.env; entry && *entry; entry++) {
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return (*entry)[len + 1] ? *entry + len + 1 : NULL;
    }
    return NULL;
}

bool config_is_disabled(void)
{
    return lane_is_disabled(config_get("HANDSPAN_DISABLED")) ||
           getauxval(AT_SECURE) != 0;
}

long config_read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    long result = -E2BIG;
    while (len < cap) {
        ssize_t got = read(fd, buf + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            result = -errno;
        else if (got == 0) {
            buf[len] = '\0';
            result = (long)len;
        }
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(fd);
    return result;
}

bool config_status_number(const char *status, const char *name,
                          uint64_t *number)
{
    const char *at = strstr(status, name);
    if (!at)
        return false;
    at += strlen(name);
    while (*at == ':' || *at == '\t' || *at == ' ')
        at++;
    return text_read_number(&at, number);
}

/* Parent and start time: fields 4 and 22, counted from behind the name in
 * parentheses, which may hold anything. */
static void read_stat(void)
{
    char stat[1024];
    if (config_read_file("/proc/self/stat", stat, sizeof(stat)) <= 0)
        return;
    const char *at = strrchr(stat, ')');
    uint64_t number = 0;
    for (unsigned field = 3; at && field <= 22; field++) {
        at = strchr(at + 1, ' ');
        if (!at)
            return;
        const char *digits = at + 1;
        if (field == 4 && text_read_number(&digits, &number))
            config.parent_pid = (uint32_t)number;
        digits = at + 1;
        if (field == 22 && text_read_number(&digits, &number))
            config.start_time = number;
    }
}

uint32_t config_number(const char *name, uint32_t otherwise, uint32_t least,
                       uint32_t most)
{
    lane_assert(otherwise <= most && least <= most);
    const char *value = config_get(name), *at = value;
    char bytes[96];
    struct text can = {bytes, 0, sizeof(bytes)};
    uint64_t number;
    if (!value)
        return otherwise;
    if (text_read_number(&at, &number) && *at == '\0' && number >= least &&
        number <= most)
        return (uint32_t)number;
    text_put(&can, name);
    text_put(&can, ", a number from ");
    text_put_number(&can, least);
    text_put(&can, " to ");
    text_put_number(&can, most);
    text_put(&can, ", counts as not set; it cannot be");
    note_lines("context", bytes, value, NULL);
    return otherwise;
}

static void read_shim(void)
{
    const char *value = config_get("HANDSPAN_TEST_SHIM");
    if (value && strcmp(value, "frame") == 0)
        config.force_shim = LANE_SHIM_FRAME;
    else if (value && strcmp(value, "zero") == 0)
        config.force_shim = LANE_SHIM_ZERO_COPY;
}

static void read_capture(void)
{
    static const char *const names[] = {
        [MANIFEST_CAPTURE_NONE] = "none",
        [MANIFEST_CAPTURE_NAMED] = "named",
        [MANIFEST_CAPTURE_ALL] = "all",
    };
    const char *value = config_get("HANDSPAN_CAPTURE");
    if (!value)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (lane_is_word(value, names[i])) {
            config.capture_max = (enum manifest_capture)i;
            return;
        }
    }
    /* who wrote it wanted less than the manifest says */
    config.capture_max = MANIFEST_CAPTURE_NONE;
    note_lines("context", "HANDSPAN_CAPTURE is none, named or all, not", value,
               "; nothing is captured");
}

/* A name that is nearly one of ours counts as nothing, and its reader should
 * know. Without its value, which may be a key. */
static void tell_misspelt(void)
{
    for (char **entry = config.env; entry && *entry; entry++) {
        const char *meant = lane_variable_meant(*entry);
        char name[64], other[64];
        struct text said = {name, 0, sizeof(name)};
        struct text means = {other, 0, sizeof(other)};
        const char *end = meant ? strchr(*entry, '=') : NULL;
        if (!end)
            continue;
        text_put_bytes(&said, *entry, (size_t)(end - *entry));
        text_put(&means, "HANDSPAN_");
        text_put(&means, meant);
        text_put(&means, "?");
        note_lines("context", name, "is none of ours; is it meant to be",
                   other);
    }
}

int config_read(void)
{
    ssize_t len =
        readlink("/proc/self/exe", config.exe, sizeof(config.exe) - 1);
    config.exe[len > 0 ? len : 0] = '\0';
    struct text started = {config.started, 0, sizeof(config.started)};
    const char *exec_name = (const char *)getauxval(AT_EXECFN);
    config.is_by_loader =
        explicit_loader_program(config.exe, sizeof(config.exe));
    text_put(&started,
             exec_name && !config.is_by_loader ? exec_name : config.exe);
    config.program = text_basename(config.started);
    config.uid = (uint32_t)geteuid();
    read_stat();
    read_shim();
    config.match_max =
        config_number("HANDSPAN_MATCH_MAX", config.match_max, 1, UINT32_MAX);
    if (config.match_max > PLAN_HANDLERS_MAX)
        config.match_max = PLAN_HANDLERS_MAX; /* all that there is room for */
    read_capture();
    tell_misspelt();
    return 0;
}

/* Which one was taken, and what stood in the way. */
static void take_place(const struct lane_place *place)
{
    lane_assert(place->fd >= 0);
    struct text path = {config.dir, 0, sizeof(config.dir)};
    config.dir_fd = place->fd;
    config.file_mode = place->file_mode;
    text_put(&path, place->path);
    if (place->refused_err == 0)
        return;
    note_lines("directory", place->refused,
               "is refused:", lane_place_why(place->refused_err));
    note_lines("directory", "sessions are kept in", place->path, NULL);
}

int config_open_dir(void)
{
    static struct lane_place place;
    const char *told = config_get("HANDSPAN_DIR");
    int err = told ? lane_place_named(told, config.uid, true, &place)
                   : lane_place_default(config_get("XDG_RUNTIME_DIR"),
                                        config.uid, true, &place);
    if (err == 0)
        take_place(&place);
    else if (told)
        note_lines("directory", told, "is refused:", lane_place_why(err));
    else if (place.refused_err)
        note_lines("directory", place.refused,
                   "is refused:", lane_place_why(place.refused_err));
    return err;
}

bool config_is_our_file(const char *path)
{
    lane_assert(path[0] != 0);
    return lane_place_is_ours(path, config.uid, lane_place_owner(config.self));
}

bool config_is_off(void)
{
    lane_assert(config.dir_fd >= 0);
    return faccessat(config.dir_fd, "off", F_OK, 0) == 0;
}

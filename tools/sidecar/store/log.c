/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: see log.h. One write(2) a line, so that lines stay whole. */
#define _GNU_SOURCE
#include "tools/sidecar/store/log.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/config.h"
#include "tools/common/text/text.h"
#include "lane/format/assert.h"

enum {
    FILE_MAX = 1 << 20,
    LINE_MAX_BYTES = 8192, /* more than text_shown() keeps */
};
static int file = -1;
static bool loud, is_json;

/* A file that a name alone leads to; what was named may be a terminal. */
static bool is_plain(const struct stat *at)
{
    return S_ISREG(at->st_mode) && at->st_nlink == 1;
}

void log_open(int dir_fd, const char *path, mode_t mode, bool to_stderr)
{
    struct stat at;
    const char *form = config_get(CONFIG_LOG_FORMAT);
    is_json = form && strcmp(form, "json") == 0;
    loud = to_stderr;
    file = openat(path ? AT_FDCWD : dir_fd, path ? path : "log",
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
                      O_NONBLOCK | O_NOCTTY,
                  mode);
    if (file < 0)
        return;
    if (fstat(file, &at) != 0 || (!path && !is_plain(&at)))
        log_close();
    else if (at.st_size > FILE_MAX)
        (void)!ftruncate(file, 0);
}

/* One object a line, for those who collect logs; `text` is escaped already. */
static int json_line(char *line, size_t cap_bytes, const char *when,
                     const char *text)
{
    size_t n = (size_t)snprintf(line, cap_bytes,
                                "{\"time\":\"%s\",\"process\":\"sidecar\","
                                "\"pid\":%d,\"message\":\"",
                                when, (int)getpid());
    for (const char *c = text; *c && n + 8 < cap_bytes; c++) {
        if (*c == '"' || *c == '\\')
            line[n++] = '\\';
        line[n++] = *c;
    }
    memcpy(line + n, "\"}\n", 4);
    return (int)n + 3;
}

void log_line(const char *format, ...)
{
    lane_assert(format != NULL);
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES * 2 + 256], when[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct text_shown shown = text_shown(text);
    if (loud)
        fprintf(stderr, "handspan: %s\n", shown.text);
    if (file < 0)
        return;
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int n = is_json ? json_line(line, sizeof line, when, shown.text)
                    : snprintf(line, sizeof line, "%s sidecar %d: %s\n", when,
                               (int)getpid(), shown.text);
    if (n > 0)
        (void)!write(file, line, (size_t)n);
}

void log_close(void)
{
    if (file >= 0)
        close(file);
    file = -1;
}

void log_say(const char *text)
{
    log_line("%s", text);
}

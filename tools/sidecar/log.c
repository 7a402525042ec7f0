/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: see log.h. One write(2) a line, so that lines stay whole. */
#define _GNU_SOURCE
#include "tools/sidecar/log.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_MAX = 1 << 20,
    LINE_MAX_BYTES = 8192,
};
static int file = -1;
static bool loud;

void log_open(const char *path, mode_t mode, bool to_stderr)
{
    struct stat at;
    loud = to_stderr;
    if (!path)
        return;
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                mode);
    if (file >= 0 && fstat(file, &at) == 0 && at.st_size > FILE_MAX)
        (void)!ftruncate(file, 0);
}

void log_line(const char *format, ...)
{
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64], when[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (loud)
        fprintf(stderr, "handspan: %s\n", text);
    if (file < 0)
        return;
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int n = snprintf(line, sizeof line, "%s sidecar %d: %s\n", when,
                     (int)getpid(), text);
    if (n > 0)
        (void)!write(file, line, (size_t)n);
}

void log_close(void)
{
    if (file >= 0)
        close(file);
    file = -1;
}

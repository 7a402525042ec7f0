/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and times for people; see format.h. */
#include "tools/common/text/format.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_US  1000LL
#define NS_MS  1000000LL
#define NS_S   1000000000LL
#define NS_MIN (60 * NS_S)
#define NS_H   (60 * NS_MIN)
#define NS_DAY (24 * NS_H)

/* ns in a decimal unit: one decimal below 10, then none. */
static struct format_text decimal(int64_t ns, int64_t unit, const char *name)
{
    struct format_text out;
    int64_t tenths = (ns + unit / 20) / (unit / 10);
    if (tenths < 100)
        snprintf(out.text, sizeof out.text, "%d.%d%s", (int)(tenths / 10),
                 (int)(tenths % 10), name);
    else
        snprintf(out.text, sizeof out.text, "%" PRId64 "%s",
                 (ns + unit / 2) / unit, name);
    return out;
}

struct format_text format_duration(int64_t ns, int utf8)
{
    struct format_text out = {"-"};
    const char *micro = utf8 ? "\u00b5s" : "us";
    if (ns < 0)
        return out;
    if (ns < NS_US)
        snprintf(out.text, sizeof out.text, "%dns", (int)ns);
    else if (ns < NS_MS - NS_US / 2)
        return decimal(ns, NS_US, micro);
    else if (ns < NS_S - NS_MS / 2)
        return decimal(ns, NS_MS, "ms");
    else if (ns < NS_MIN - NS_S / 20) {
        int64_t tenths = (ns + NS_S / 20) / (NS_S / 10);
        snprintf(out.text, sizeof out.text, "%d.%ds", (int)(tenths / 10),
                 (int)(tenths % 10));
    } else if (ns < NS_H - NS_S / 2) {
        int s = (int)((ns + NS_S / 2) / NS_S);
        snprintf(out.text, sizeof out.text, "%dm%02ds", s / 60, s % 60);
    } else if (ns < NS_DAY - NS_MIN / 2) {
        int m = (int)((ns + NS_MIN / 2) / NS_MIN);
        snprintf(out.text, sizeof out.text, "%dh%02dm", m / 60, m % 60);
    } else {
        int64_t h = ns / NS_H;
        snprintf(out.text, sizeof out.text, "%" PRId64 "d%02dh", h / 24,
                 (int)(h % 24));
    }
    return out;
}

struct format_text format_count(int64_t n)
{
    struct format_text out = {"-"};
    if (n < 0)
        return out;
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    out.text[at] = 0;
    return out;
}

struct format_text format_share(int64_t part, int64_t whole)
{
    struct format_text out = {"-"};
    if (part < 0 || whole <= 0)
        return out;
    double percent = 100.0 * (double)part / (double)whole;
    if (part > 0 && percent < 0.5)
        snprintf(out.text, sizeof out.text, "<1%%");
    else
        snprintf(out.text, sizeof out.text, "%.0f%%", percent);
    return out;
}

struct format_text format_bytes(int64_t bytes)
{
    struct format_text out = {"-"};
    if (bytes < 0)
        return out;
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        n /= 1024;
        unit++;
    }
    snprintf(out.text, sizeof out.text, unit ? "%.1f %s" : "%.0f %s", n,
             units[unit]);
    return out;
}

/* Floor division: times before 1970 exist in broken stores. */
static time_t seconds_of(int64_t ns, int *rest)
{
    int64_t s = ns / NS_S;
    int64_t left = ns % NS_S;
    if (left < 0) {
        left += NS_S;
        s--;
    }
    *rest = (int)left;
    return (time_t)s;
}

static struct format_text local(int64_t unix_ns, const char *pattern)
{
    struct format_text out = {"?"};
    int rest;
    time_t s = seconds_of(unix_ns, &rest);
    struct tm tm;
    if (localtime_r(&s, &tm))
        strftime(out.text, sizeof out.text, pattern, &tm);
    return out;
}

struct format_text format_time(int64_t unix_ns)
{
    return local(unix_ns, "%a %Y-%m-%d %H:%M:%S %z");
}

struct format_text format_time_short(int64_t unix_ns)
{
    return local(unix_ns, "%Y-%m-%d %H:%M:%S");
}

struct format_text format_zone(int64_t unix_ns)
{
    return local(unix_ns, "%z");
}

struct format_text format_rfc3339(int64_t unix_ns)
{
    struct format_text out = {"?"};
    int rest;
    time_t s = seconds_of(unix_ns, &rest);
    struct tm tm;
    if (!gmtime_r(&s, &tm))
        return out;
    size_t len = strftime(out.text, sizeof out.text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out.text + len, sizeof out.text - len, ".%09dZ", rest);
    return out;
}

struct format_text format_ago(int64_t unix_ns, int64_t now_unix_ns)
{
    struct format_text out = {""};
    int64_t s = (now_unix_ns - unix_ns) / NS_S;
    if (now_unix_ns < unix_ns)
        return out;
    if (s < 120)
        snprintf(out.text, sizeof out.text, "%d s ago", (int)s);
    else if (s < 7200)
        snprintf(out.text, sizeof out.text, "%d min ago", (int)(s / 60));
    else if (s < 2 * 86400)
        snprintf(out.text, sizeof out.text, "%d h ago", (int)(s / 3600));
    else
        snprintf(out.text, sizeof out.text, "%d days ago", (int)(s / 86400));
    return out;
}

int64_t format_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_S + now.tv_nsec;
}

int format_parse_duration(const char *text, int64_t *out_ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},   {"us", NS_US}, {"ms", NS_MS},
                 {"s", NS_S}, {"m", NS_MIN}, {"min", NS_MIN},
                 {"h", NS_H}, {"d", NS_DAY}, {"\u00b5s", NS_US}};
    if (!(text[0] >= '0' && text[0] <= '9'))
        return -EINVAL;
    char *end;
    double n = strtod(text, &end);
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        double ns = n * (double)units[i].ns;
        if (!(ns < 9e18))
            return -EINVAL;
        *out_ns = (int64_t)llround(ns);
        return 0;
    }
    return -EINVAL;
}

/* Midnight of the local day, `days` before today. */
static int64_t midnight(int64_t now_unix_ns, int days)
{
    int rest;
    time_t s = seconds_of(now_unix_ns, &rest);
    struct tm tm;
    localtime_r(&s, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday -= days;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * NS_S;
}

/* mktime() made another day of it: it was 30 February, 25:00, ... */
static int is_day(const struct tm *tm, int day, int month)
{
    return tm->tm_mday == day && tm->tm_mon == month;
}

/* What may follow the seconds: fraction, then Z, an offset or nothing. */
static int parse_zone(const char *text, struct tm *tm, int64_t *out_ns)
{
    double fraction = 0;
    int64_t off = 0, s;
    int hours, minutes, end = 0, day = tm->tm_mday, month = tm->tm_mon;
    char sign;
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");
        fraction = strtod(text, NULL);
        text += 1 + digits;
        if (!digits || (*text && !strchr("Zz+-", *text)))
            return -EINVAL;
    }
    if (*text == 0) {
        tm->tm_isdst = -1;
        s = (int64_t)mktime(tm);
    } else {
        if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &end) == 3 &&
            !text[end] && strchr("+-", sign) && hours >= 0 && hours < 24 &&
            minutes >= 0 && minutes < 60)
            off = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
        else if (strcmp(text, "Z") != 0 && strcmp(text, "z") != 0)
            return -EINVAL;
        s = (int64_t)timegm(tm) - off;
    }
    if (s < -9000000000 || s > 9000000000) /* no nanosecond has a number */
        return -EINVAL;
    *out_ns = s * NS_S + (int64_t)llround(fraction * 1e9);
    return is_day(tm, day, month) ? 0 : -EINVAL;
}

int format_parse_time(const char *text, int64_t now_unix_ns, int64_t *out_ns)
{
    int64_t ago;
    if (strcmp(text, "now") == 0)
        return *out_ns = now_unix_ns, 0;
    if (strcmp(text, "today") == 0)
        return *out_ns = midnight(now_unix_ns, 0), 0;
    if (strcmp(text, "yesterday") == 0)
        return *out_ns = midnight(now_unix_ns, 1), 0;
    if (format_parse_duration(text, &ago) == 0)
        return *out_ns = now_unix_ns - ago, 0;
    static const char *const patterns[] = {
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct tm tm = {0};
        const char *rest = strptime(text, patterns[i], &tm);
        if (rest)
            return parse_zone(rest, &tm, out_ns);
    }
    return -EINVAL;
}

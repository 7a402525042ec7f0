/* SPDX-License-Identifier: Apache-2.0 */
/* The URL of a sink: see url.h. */
#define _GNU_SOURCE
#include "tools/upload/http/url.h"
#include "tools/common/config.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/common/text/text.h"

enum {
    TIMEOUT_MS = 30000,
    INSFORGE_TIMEOUT_MS = 45000, /* it asks PostgREST three times, 10 s each */
    CONNECT_TIMEOUT_MS = 10000,
};

static int refuse(char *why, size_t why_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, why_bytes, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int hex(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10
                                        : -1;
}

/* %xx, in place into `out`; false: does not fit. */
static bool decode(const char *text, size_t len, char *out, size_t cap_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < len && hex(text[i + 1]) >= 0 &&
            hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        if (c == 0 || n + 1 >= cap_bytes)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

static bool option_find(const char *options, const char *name, char *out,
                        size_t cap_bytes)
{
    size_t len = strlen(name);
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, "&");
        if (part > len && at[len] == '=' && strncmp(at, name, len) == 0)
            return decode(at + len + 1, part - len - 1, out, cap_bytes);
        at = at[part] ? at + part + 1 : NULL;
    }
    return false;
}

bool upload_url_option(const struct upload_url *url, const char *name,
                       char *out, size_t cap_bytes)
{
    return option_find(url->options, name, out, cap_bytes);
}

/* ---- keys ---------------------------------------------------------------- */

static void key_take(struct upload_url *url, const char *text, size_t len)
{
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    while (len && isspace((unsigned char)*text))
        text++, len--;
    if (len >= sizeof url->key)
        len = 0;
    memcpy(url->key, text, len);
    url->key[len] = 0;
}

static int key_read(struct upload_url *url, char *why, size_t why_bytes)
{
    char text[UPLOAD_KEY_MAX + 256];
    struct stat at;
    int fd = open(url->key_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = -1;
    if (fd >= 0 && fstat(fd, &at) == 0 && !S_ISREG(at.st_mode))
        errno = EINVAL;
    else if (fd >= 0)
        n = read(fd, text, sizeof text);
    int err = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return refuse(why, why_bytes, "cannot read the key file '%s': %s",
                      url->key_file, strerror(err));
    key_take(url, text, (size_t)n);
    explicit_bzero(text, sizeof text);
    if (!url->key[0] || strpbrk(url->key, "\r\n"))
        return refuse(why, why_bytes, "no key in the key file '%s'",
                      url->key_file);
    return 0;
}

static int key_find(struct upload_url *url, char *why, size_t why_bytes)
{
    char name[128] = "HANDSPAN_UPLOAD_KEY";
    bool named = upload_url_option(url, "key-env", name, sizeof name);
    const char *file = config_get(CONFIG_UPLOAD_KEY_FILE);
    if (!upload_url_option(url, "key-file", url->key_file,
                           sizeof url->key_file) &&
        !named && file && file[0])
        snprintf(url->key_file, sizeof url->key_file, "%s", file);
    if (url->key_file[0])
        return key_read(url, why, why_bytes);
    const char *key = named ? getenv(name) : config_get(CONFIG_UPLOAD_KEY);
    if (named && !key)
        return refuse(why, why_bytes, "key-env=%s: not in the environment",
                      name);
    if (key)
        key_take(url, key, strlen(key));
    return strpbrk(url->key, "\r\n")
               ? refuse(why, why_bytes, "a key is one line")
               : 0;
}

bool upload_url_key(struct upload_url *url)
{
    char before[UPLOAD_KEY_MAX], why[1024];
    if (!url->key_file[0])
        return false;
    memcpy(before, url->key, sizeof before);
    bool is_read = key_read(url, why, sizeof why) == 0;
    if (!is_read)
        memcpy(url->key, before, sizeof before);
    bool is_new = is_read && strcmp(before, url->key) != 0;
    explicit_bzero(before, sizeof before);
    return is_new;
}

/* ---- the URL ------------------------------------------------------------- */

static int seconds(const struct upload_url *url, const char *name, int64_t *ms,
                   char *why, size_t why_bytes)
{
    char text[32], *end;
    if (!upload_url_option(url, name, text, sizeof text))
        return 0;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0) || value > 3600)
        return refuse(why, why_bytes, "%s=%s: seconds, more than 0", name,
                      text);
    *ms = (int64_t)(value * 1000);
    return 0;
}

static int options_take(struct upload_url *url, char *why, size_t why_bytes)
{
    char text[64] = "";
    if (upload_url_option(url, "values", text, sizeof text) &&
        strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
        return refuse(why, why_bytes, "values=%s: it is on or off", text);
    url->values = strcmp(text, "on") == 0;
    if (upload_url_option(url, "prefix", text, sizeof text)) {
        if (strlen(text) >= sizeof url->prefix ||
            strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
                strlen(text) ||
            isdigit((unsigned char)text[0]))
            return refuse(why, why_bytes,
                          "prefix=%s: small letters, digits and _, at most "
                          "%zu, no digit first",
                          text, sizeof url->prefix - 1);
        snprintf(url->prefix, sizeof url->prefix, "%s", text);
    }
    (void)upload_url_option(url, "ca-file", url->ca_file, sizeof url->ca_file);
    (void)upload_url_option(url, "proxy", url->proxy, sizeof url->proxy);
    url->timeout_ms = strncmp(url->scheme, "insforge", 8) == 0
                          ? INSFORGE_TIMEOUT_MS
                          : TIMEOUT_MS;
    url->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    int rc = seconds(url, "timeout", &url->timeout_ms, why, why_bytes);
    return rc ? rc
              : seconds(url, "connect-timeout", &url->connect_timeout_ms, why,
                        why_bytes);
}

/* HOST, HOST:PORT, [ADDRESS]:PORT */
static bool is_authority(const char *text, size_t len)
{
    const char *colon = memrchr(text, ':', len);
    const char *bracket = memchr(text, ']', len);
    size_t host =
        !colon || (bracket && bracket > colon) ? len : (size_t)(colon - text);
    size_t digits = strspn(text + host + (host < len), "0123456789");
    if (host == 0)
        return false;
    if (host == len)
        return true;
    long port = strtol(text + host + 1, NULL, 10);
    return digits == len - host - 1 && digits <= 5 && port > 0 && port < 65536;
}

static bool is_of_database(const struct upload_url *url)
{
    return strcmp(url->scheme, "postgresql") == 0 ||
           strcmp(url->scheme, "postgres") == 0;
}

/* scheme://authority/path?options */
static int split(struct upload_url *url, char *why, size_t why_bytes)
{
    const char *colon = strstr(url->text, "://");
    size_t scheme = colon ? (size_t)(colon - url->text) : 0;
    if (scheme == 0 || scheme >= sizeof url->scheme)
        return refuse(why, why_bytes, "an upload URL begins with SCHEME://");
    memcpy(url->scheme, url->text, scheme);
    const char *rest = colon + 3;
    size_t authority = strcspn(rest, "/?#");
    size_t path = strcspn(rest, "?#");
    bool is_database = is_of_database(url);
    const char *at = memrchr(rest, '@', authority);
    size_t user = at ? (size_t)(at + 1 - rest) : 0;
    if (at && (!is_database || memchr(rest, ':', user)))
        return refuse(why, why_bytes,
                      "no credentials in an upload URL, others can read it: "
                      "use key-file=FILE, key-env=NAME or HANDSPAN_UPLOAD_KEY");
    if (authority == 0 && !is_database)
        return refuse(why, why_bytes, "an upload URL needs a host");
    if (authority > user && !is_authority(rest + user, authority - user))
        return refuse(why, why_bytes,
                      "'%.*s' in an upload URL is not HOST or HOST:PORT",
                      (int)authority, rest);
    if (rest[path] == '#')
        return refuse(why, why_bytes, "an upload URL has no #fragment");
    if (rest[path] == '?')
        snprintf(url->options, sizeof url->options, "%s", rest + path + 1);
    while (path > authority && rest[path - 1] == '/' && !is_database)
        path--;
    const char *plus = strchr(url->scheme, '+');
    snprintf(url->base, sizeof url->base, "%s://%.*s",
             plus ? plus + 1 : url->scheme, (int)path, rest);
    return 0;
}

/* What makes it another sink: where the rows go. */
static int name_fill(struct upload_url *url, char *why, size_t why_bytes)
{
    static const char *const more[] = {"host", "port", "dbname", "prefix"};
    const char *separator = "?";
    char value[UPLOAD_URL_MAX];
    int n = snprintf(url->name, sizeof url->name, "%s%s", url->scheme,
                     strstr(url->base, "://"));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        bool is_there = i == 3 || is_of_database(url);
        if (n < 0 || (size_t)n >= sizeof url->name || !is_there ||
            !upload_url_option(url, more[i], value, sizeof value))
            continue;
        n += snprintf(url->name + n, sizeof url->name - (size_t)n, "%s%s=%s",
                      separator, more[i], value);
        separator = "&";
    }
    return n > 0 && (size_t)n < sizeof url->name
               ? 0
               : refuse(why, why_bytes, "an upload URL that is too long");
}

int upload_url_parse(const char *text, struct upload_url *url, char *why,
                     size_t why_bytes)
{
    *url = (struct upload_url){0};
    if (strlen(text) >= sizeof url->text)
        return refuse(why, why_bytes, "an upload URL of more than %d bytes",
                      UPLOAD_URL_MAX - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return refuse(why, why_bytes, "a space in an upload URL");
    snprintf(url->text, sizeof url->text, "%s", text);
    int rc = split(url, why, why_bytes);
    char secret[8];
    if (rc == 0 && (upload_url_option(url, "key", secret, sizeof secret) ||
                    strstr(url->options, "key=eyJ") ||
                    strncmp(url->options, "key=", 4) == 0 ||
                    strstr(url->options, "&key=")))
        rc = refuse(why, why_bytes,
                    "no key in an upload URL, others can read it: use "
                    "key-file=FILE, key-env=NAME or HANDSPAN_UPLOAD_KEY");
    if (rc == 0)
        rc = options_take(url, why, why_bytes);
    if (rc == 0)
        rc = key_find(url, why, why_bytes);
    if (rc == 0 && strstr(url->options, "password="))
        rc = refuse(why, why_bytes,
                    "no password in an upload URL, others can read it: use "
                    "key-file=FILE, key-env=NAME or HANDSPAN_UPLOAD_KEY");
    return rc ? rc : name_fill(url, why, why_bytes);
}

/* ---- are its options known? ---------------------------------------------- */

static const struct upload_option own_options[] = {
    {"prefix", NULL},  {"values", "on|off"},      {"key-file", NULL},
    {"key-env", NULL}, {"ca-file", NULL},         {"proxy", NULL},
    {"timeout", NULL}, {"connect-timeout", NULL}, {NULL, NULL},
};

const struct upload_option upload_url_database[] = {
    {"host", NULL},
    {"hostaddr", NULL},
    {"port", NULL},
    {"dbname", NULL},
    {"user", NULL},
    {"passfile", NULL},
    {"sslmode", "disable|allow|prefer|require|verify-ca|verify-full"},
    {"sslrootcert", NULL},
    {"sslcert", NULL},
    {"sslkey", NULL},
    {"sslcrl", NULL},
    {"sslsni", "0|1"},
    {"ssl_min_protocol_version", NULL},
    {"channel_binding", "disable|prefer|require"},
    {"gssencmode", "disable|prefer|require"},
    {"krbsrvname", NULL},
    {"target_session_attrs", NULL},
    {"application_name", NULL},
    {"options", NULL},
    {NULL, NULL},
};

static const struct upload_option *known(const struct upload_option *in,
                                         const char *name,
                                         struct text_nearest *near)
{
    for (; in && in->name; in++) {
        if (strcmp(in->name, name) == 0)
            return in;
        text_nearest_offer(near, in->name);
    }
    return NULL;
}

static bool is_one_of(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; *at;) {
        size_t part = strcspn(at, "|");
        if (part == len && strncmp(at, word, len) == 0)
            return true;
        at += part + (at[part] == '|');
    }
    return false;
}

/* Of what is not NAME=VALUE nothing is repeated: it may be a key. */
static int check_option(const struct upload_url *url, const char *name,
                        const struct upload_option *more, char *why,
                        size_t why_bytes)
{
    char value[UPLOAD_URL_MAX];
    struct text_nearest near;
    text_nearest_init(&near, name);
    const struct upload_option *o = known(own_options, name, &near);
    o = o ? o : known(more, name, &near);
    if (!o && near.name[0])
        return refuse(why, why_bytes,
                      "no option '%s' in an upload URL of this sink; did you "
                      "mean '%s'?",
                      name, near.name[0]);
    if (!o)
        return refuse(why, why_bytes,
                      "no option '%s' in an upload URL of this sink; there "
                      "are prefix, values, key-file, key-env, ca-file, proxy, "
                      "timeout, connect-timeout",
                      name);
    if (!upload_url_option(url, name, value, sizeof value))
        return refuse(why, why_bytes, "%s= has no value that it can have",
                      name);
    return !o->values || is_one_of(o->values, value)
               ? 0
               : refuse(why, why_bytes, "%s=%s: it is one of %s", name, value,
                        o->values);
}

int upload_url_check(const struct upload_url *url,
                     const struct upload_option *more, char *why,
                     size_t why_bytes)
{
    char name[64];
    int rc = 0;
    for (const char *at = url->options; *at && rc == 0;) {
        size_t part = strcspn(at, "&"), len = strcspn(at, "=&");
        if (part > 0 && (len == part || len == 0 || len >= sizeof name))
            return refuse(why, why_bytes,
                          "the options of an upload URL are NAME=VALUE with "
                          "'&' between");
        snprintf(name, sizeof name, "%.*s", (int)len, at);
        if (part > 0)
            rc = check_option(url, name, more, why, why_bytes);
        at += part + (at[part] == '&');
    }
    return rc;
}

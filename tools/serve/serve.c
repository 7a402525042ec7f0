/* SPDX-License-Identifier: Apache-2.0 */
/* The page over HTTP; see serve.h. The owner of libmicrohttpd. */
#include "tools/serve/serve.h"
#include "tools/common/confine.h"
#include "tools/serve/ask.h"
#include "tools/serve/assets.h"
#include "tools/serve/guard.h"
#include "tools/serve/libmicrohttpd.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 4,
    CONNECTIONS = 512,
    IDLE_S = 20,
    CONNECTION_BYTES = 16 << 10,
};
struct server {
    const struct libmicrohttpd *http;
    const char *store;
    struct guard guard;
};

/* ---- answers ------------------------------------------------------------- */

/* Nothing from elsewhere is loaded, nothing of ours is shown elsewhere. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static enum MHD_Result reply(const struct server *s, struct MHD_Connection *to,
                             int status, const char *type, void *text,
                             size_t len, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *r =
        s->http->MHD_create_response_from_buffer(len, text, mode);
    if (!r)
        return MHD_NO;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        s->http->MHD_add_response_header(r, headers[i][0], headers[i][1]);
    s->http->MHD_add_response_header(r, "Content-Type", type);
    if (status == 405)
        s->http->MHD_add_response_header(r, "Allow", "GET, HEAD");
    if (status == 401)
        s->http->MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    enum MHD_Result queued =
        s->http->MHD_queue_response(to, (unsigned)status, r);
    s->http->MHD_destroy_response(r);
    return queued;
}

/* An error as {"error": "..."}; `why` is ours, without a character that JSON
 * would have to escape but for those taken out here. */
static enum MHD_Result refuse(const struct server *s, struct MHD_Connection *to,
                              int status, const char *why)
{
    char text[600];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"error\":\"");
    for (; *why && len < sizeof text - 8; why++)
        text[len++] = *why == '"' || *why == '\\' || (unsigned char)*why < ' '
                          ? '\''
                          : *why;
    len += (size_t)snprintf(text + len, sizeof text - len, "\"}\n");
    return reply(s, to, status, "application/json", text, len,
                 MHD_RESPMEM_MUST_COPY);
}

static const char *words_of(int status)
{
    switch (status) {
    case 401:
        return "no token: open the address that handspan serve printed";
    case 403:
        return "asked by another site";
    case 405:
        return "only GET and HEAD";
    case 413:
        return "a question has no body";
    case 421:
        return "another host: use the address that handspan serve printed";
    default:
        return "no such page";
    }
}

/* ---- the page's own files ------------------------------------------------ */

static const struct asset {
    const char *path, *type, *begin, *end;
} assets[] = {
    {"/", "text/html; charset=utf-8", assets_html, assets_html_end},
    {"/page.css", "text/css; charset=utf-8", assets_css, assets_css_end},
    {"/page.js", "text/javascript; charset=utf-8", assets_js, assets_js_end},
    {"/icon.svg", "image/svg+xml", assets_icon, assets_icon_end},
};

static const struct asset *find_asset(const char *path)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (strcmp(path, assets[i].path) == 0)
            return &assets[i];
    return NULL;
}

/* ---- questions ----------------------------------------------------------- */

struct question {
    const struct server *server;
    struct MHD_Connection *from;
};

static const char *parameter(void *context, const char *name)
{
    const struct question *q = context;
    return q->server->http->MHD_lookup_connection_value(
        q->from, MHD_GET_ARGUMENT_KIND, name);
}

/* "what", "what/TRACE", "what/TRACE/SPAN"; cuts `path` up. */
static bool read_path(char *path, struct ask *ask)
{
    char *trace = strchr(path, '/'), *span = NULL;
    if (trace) {
        *trace++ = 0;
        span = strchr(trace, '/');
    }
    if (span)
        *span++ = 0;
    ask->what = path;
    ask->trace = trace;
    ask->span = span;
    return (!trace || ask_is_id(trace, 32)) && (!span || ask_is_id(span, 16));
}

static enum MHD_Result answer(const struct server *s, struct MHD_Connection *to,
                              const char *path)
{
    struct question q = {s, to};
    struct ask ask = {.store = s->store, .parameter = parameter, .context = &q};
    char copy[128], *text = NULL;
    size_t len = 0;
    if (strlen(path) >= sizeof copy)
        return refuse(s, to, 404, words_of(404));
    memcpy(copy, path, strlen(path) + 1);
    if (!read_path(copy, &ask))
        return refuse(s, to, 404, "no id of a trace or call");
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return MHD_NO;
    int status = ask_answer(&ask, out);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (failed || status != 200) {
        free(text);
        return refuse(s, to, failed ? 500 : status,
                      failed ? "out of memory" : ask.why);
    }
    return reply(s, to, 200,
                 strcmp(ask.what, "folded") == 0
                     ? "text/plain; charset=utf-8"
                     : "application/x-ndjson; charset=utf-8",
                 text, len, MHD_RESPMEM_MUST_FREE);
}

/* ---- requests ------------------------------------------------------------ */

struct seen {
    struct guard_request request;
    int doubled;
};

static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    struct seen *s = context;
    const struct {
        const char *name, **to;
    } wanted[] = {{"Host", &s->request.host},
                  {"Origin", &s->request.origin},
                  {"Sec-Fetch-Site", &s->request.site},
                  {"Authorization", &s->request.authorization}};
    (void)kind;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strcasecmp(name, wanted[i].name) == 0) {
            s->doubled += *wanted[i].to != NULL;
            *wanted[i].to = value ? value : "";
        }
    if (strcasecmp(name, "Transfer-Encoding") == 0 ||
        (strcasecmp(name, "Content-Length") == 0 &&
         (!value || strcmp(value, "0") != 0)))
        s->request.has_body = true;
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *from,
                                  const char *url, const char *method,
                                  const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **state)
{
    static const char api[] = "/api/";
    const struct server *s = context;
    struct seen seen = {.request = {.method = method}};
    (void)version, (void)upload_data, (void)upload_data_size;
    s->http->MHD_get_connection_values(from, MHD_HEADER_KIND, see_header,
                                       &seen);
    const struct asset *asset = find_asset(url);
    static char is_seen; /* its head was; there is no body to come */
    int status = seen.doubled
                     ? 400
                     : guard_judge(&s->guard, &seen.request, asset != NULL);
    if (status)
        return refuse(s, from, status,
                      status == 400 ? "a header twice" : words_of(status));
    if (!*state) {
        *state = &is_seen;
        return MHD_YES;
    }
    if (asset)
        return reply(s, from, 200, asset->type, (void *)(uintptr_t)asset->begin,
                     (size_t)(asset->end - asset->begin),
                     MHD_RESPMEM_PERSISTENT);
    if (strncmp(url, api, sizeof api - 1) != 0)
        return refuse(s, from, 404, words_of(404));
    return answer(s, from, url + sizeof api - 1);
}

/* ---- from the start to the end ------------------------------------------- */

static void say_nothing(void *context, const char *format, va_list args)
{
    (void)context, (void)format, (void)args;
}

static struct MHD_Daemon *start(struct server *s, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct MHD_Daemon *d = s->http->MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
        MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)THREADS, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        d ? s->http->MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    s->guard.port = info ? info->port : port;
    return d;
}

static void wait_for_end(void)
{
    sigset_t set;
    int got;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigwait(&set, &got);
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int serve_run(const char *store, uint16_t port, char *why, size_t why_bytes)
{
    struct server s = {.http = libmicrohttpd_load(), .store = store};
    struct query_db *db;
    if (!s.http) {
        const char *said = dlerror();
        snprintf(why, why_bytes,
                 "needs libmicrohttpd (Debian: libmicrohttpd12): %s",
                 said ? said : "it lacks a function");
        return -ENOSYS;
    }
    int err = query_open(store, &db, why, why_bytes);
    if (err)
        return err;
    query_close(db);
    err = guard_init(&s.guard);
    if (err) {
        snprintf(why, why_bytes, "no random numbers: %s", strerror(-err));
        return err;
    }
    block_signals();
    confine_privately();
    (void)confine(CONFINE_NETWORK, NULL); /* the rest holds without */
    errno = 0;
    struct MHD_Daemon *d = start(&s, port);
    if (!d) {
        err = errno ? -errno : -EIO;
        snprintf(why, why_bytes, "cannot listen on 127.0.0.1:%u: %s", port,
                 strerror(-err));
        return err;
    }
    printf("handspan: http://127.0.0.1:%u/#token=%s (the store %s; Ctrl-C "
           "ends it)\n",
           s.guard.port, s.guard.token, store);
    fflush(stdout);
    wait_for_end();
    s.http->MHD_stop_daemon(d);
    return 0;
}

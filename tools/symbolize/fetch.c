/* SPDX-License-Identifier: Apache-2.0 */
/* See fetch.h. */
#include "tools/symbolize/fetch.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/config.h"
#include "tools/symbolize/search.h"

enum {
    SHORT_MS = 4000, /* the sidecar waits 10 s for an answer */
    LONG_MS = 300000,
    SILENCE_MS = 300000, /* a server that failed is left alone so long */
    URLS_BYTES = 4096,
};

struct debuginfod_client;
typedef int find_fn(struct debuginfod_client *client, const unsigned char *id,
                    int id_bytes, char **path);
typedef int progress_fn(struct debuginfod_client *client, long a, long b);

static struct {
    bool is_ready; /* urls are known */
    bool is_patient;
    char urls[URLS_BYTES];
    int64_t until_ms, silent_ms;
    struct debuginfod_client *client;
    find_fn *find_debug, *find_code;
} fetch;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Called by libdebuginfod about once a second; not 0: give up. */
static int is_late(struct debuginfod_client *client, long a, long b)
{
    (void)client;
    (void)a;
    (void)b;
    return now_ms() >= fetch.until_ms;
}

void fetch_begin(bool is_patient)
{
    if (!fetch.is_ready) {
        const char *urls = config_get(CONFIG_DEBUGINFOD_URLS);
        snprintf(fetch.urls, sizeof fetch.urls, "%s", urls ? urls : "");
        /* elfutils would ask by itself, without a limit */
        unsetenv("DEBUGINFOD_URLS");
        fetch.is_ready = true;
    }
    fetch.is_patient = is_patient;
    fetch.until_ms = now_ms() + (is_patient ? LONG_MS : SHORT_MS);
}

static void load(void)
{
    static bool was_tried;
    if (was_tried)
        return;
    was_tried = true;
    void *library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    struct debuginfod_client *(*begin)(void) =
        (struct debuginfod_client *
         (*)(void))(uintptr_t)dlsym(library, "debuginfod_begin");
    void (*set_progress)(struct debuginfod_client *, progress_fn *) =
        (void (*)(struct debuginfod_client *, progress_fn *))(uintptr_t)dlsym(
            library, "debuginfod_set_progressfn");
    fetch.find_debug =
        (find_fn *)(uintptr_t)dlsym(library, "debuginfod_find_debuginfo");
    fetch.find_code =
        (find_fn *)(uintptr_t)dlsym(library, "debuginfod_find_executable");
    if (!begin || !set_progress || !fetch.find_debug || !fetch.find_code)
        return;
    fetch.client = begin();
    if (fetch.client)
        set_progress(fetch.client, is_late);
}

static int ask(const uint8_t *id, uint32_t len, bool is_debug, char **name)
{
    find_fn *find = is_debug ? fetch.find_debug : fetch.find_code;
    setenv("DEBUGINFOD_URLS", fetch.urls, 1);
    /* without progress for so long: seconds */
    setenv("DEBUGINFOD_TIMEOUT", fetch.is_patient ? "30" : "3", 1);
    setenv("DEBUGINFOD_RETRY_LIMIT", "0", 1);
    int fd = find(fetch.client, id, (int)len, name);
    unsetenv("DEBUGINFOD_URLS");
    if (fd < 0 && fd != -ENOENT)
        fetch.silent_ms = now_ms() + SILENCE_MS;
    return fd;
}

int fetch_open(const uint8_t *build_id, uint32_t build_id_bytes, bool is_debug,
               char **name)
{
    char *found = NULL;
    bool is_silent = fetch.silent_ms && now_ms() < fetch.silent_ms;
    if (!fetch.urls[0] || build_id_bytes == 0 || now_ms() >= fetch.until_ms ||
        (is_silent && !fetch.is_patient))
        return -1;
    load();
    if (!fetch.client)
        return -1;
    int fd = ask(build_id, build_id_bytes, is_debug, &found);
    if (fd >= 0 && !search_has_id(fd, build_id, build_id_bytes)) {
        close(fd); /* the server gave another file */
        (void)unlink(found);
        free(found);
        return -1;
    }
    if (fd < 0)
        return -1;
    *name = found;
    return fd;
}

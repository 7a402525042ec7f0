/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a session's file, read to its end and stored. The
 * input is what stands in the (sparse) file: offset (8 bytes), length (4),
 * bytes, again and again; tests/fuzz/session_pack.py makes it of a real one.
 * The file's key is set to another one each time, so that the store takes it as
 * a new session, and its boot is not this one, so that no process it names is
 * looked at. Its own processes for debug information are left out. Where not
 * one of the inputs was a session nothing was tested, and that is a fault.
 */
#include "tests/fuzz/fuzz.h"
#include "tools/sidecar/session/coverage.h"
#include "tools/sidecar/session/names.h"
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/types_fill.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_MOST = 512 << 20,
    ROUNDS = 24,
    STEP_NS = 400000000,
    RUNS_A_STORE = 500,
};
static const char name[] = "session-4194303-1-0123456789abcdef.lane";
static char dir[64], store_path[96];
static struct store *store;
static int dir_fd = -1;
static uint64_t opened, items;

/* ---- what other processes do in a sidecar ---------------------------------
 */

int coverage_look(struct session *s, int64_t now_ns)
{
    (void)s, (void)now_ns;
    return 0;
}
bool coverage_is_done(const struct session *s)
{
    (void)s;
    return true;
}
void coverage_free(struct coverage *c)
{
    (void)c;
}
void types_fill_look(struct session *s)
{
    (void)s;
}
int names_meanwhile(struct session *session, uint32_t process,
                    const void *payload, uint32_t len_bytes)
{
    (void)session, (void)process, (void)payload, (void)len_bytes;
    return 0;
}
int names_now(struct session *session, uint32_t process, const void *payload,
              uint32_t len_bytes)
{
    return names_meanwhile(session, process, payload, len_bytes);
}
char *names_of(struct session *session, uint64_t hash, const char **ended)
{
    (void)session, (void)hash, (void)ended;
    return NULL;
}
void names_pause(int64_t ns, int news)
{
    (void)ns;
    (void)news;
}

/* ---- the session -----------------------------------------------------------
 */

static void store_drop(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[128];
    store_close(store);
    store = NULL;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", store_path, ends[i]);
        unlink(path);
    }
}

static void tidy(void)
{
    store_drop();
    (void)unlinkat(dir_fd, name, 0);
    (void)rmdir(dir);
    printf("%lu sessions opened, %lu items read\n", opened, items);
    fflush(stdout);
    if (opened == 0 || items == 0)
        _exit(1);
}

static void set_up(void)
{
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir, sizeof dir, "%s/handspan-fuzz-XXXXXX", shm);
    if (!mkdtemp(dir) || (dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
        abort();
    snprintf(store_path, sizeof store_path, "%s/store.db", dir);
    (void)lane_keeper_guard();
    atexit(tidy);
}

/* A session with what the input says. False: it says nothing. */
static bool file_make(const uint8_t *data, size_t len, uint64_t key)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t end = 0, size = 0;
    if (fd < 0)
        abort();
    while (len >= 12) {
        uint64_t at;
        uint32_t n;
        memcpy(&at, data, sizeof at);
        memcpy(&n, data + 8, sizeof n);
        data += 12;
        len -= 12;
        n = n < len ? n : (uint32_t)len;
        if (at < FILE_MOST && pwrite(fd, data, n, (off_t)at) == (ssize_t)n)
            end = at + n > end ? at + n : end;
        data += n;
        len -= n;
    }
    if (end >= offsetof(struct lane_session, key) + 8 &&
        pread(fd, &size, sizeof size,
              offsetof(struct lane_session, file_bytes)) == sizeof size &&
        size > end && size < FILE_MOST)
        (void)!ftruncate(fd, (off_t)size);
    bool is = end && pwrite(fd, &key, sizeof key,
                            offsetof(struct lane_session, key)) == sizeof key;
    (void)!pwrite(fd, "another boot, yes", 16,
                  offsetof(struct lane_session, boot_id));
    close(fd);
    return is;
}

static void read_all(void)
{
    struct session *s = NULL;
    int64_t now = 1000000000;
    if (session_open(dir_fd, name, store, &s) != 0)
        return;
    opened++;
    for (int i = 0; i < ROUNDS && !s->is_ended; i++, now += STEP_NS) {
        int rc = session_poll(s, now);
        if (rc < 0)
            break;
        items += (uint64_t)rc;
        session_give_back(s);
    }
    session_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint64_t runs;
    char why[512];
    if (dir_fd < 0)
        set_up();
    if (runs++ % RUNS_A_STORE == 0)
        store_drop();
    if (!store && store_open(store_path, &store, why, sizeof why) != 0)
        abort();
    if (file_make(data, len, runs << 20 | 1))
        read_all();
    store_rollback(store);
    store_forget(store);
    return 0;
}

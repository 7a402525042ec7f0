/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: one file per exec image. Its name says whose it is
 * (session-PID-STARTTIME-RANDOM.lane), so that a directory listing alone tells
 * which processes are traced.
 */
#include "preload/start/session_start.h"
#include "preload/process/exec_time.h"
#include "preload/start/exit_rules.h"
#include "preload/objects/modules.h"
#include "preload/start/sidecar_start.h"
#include "preload/call/record/cpu.h"
#include "preload/call/record/span.h"
#include "lane/format/store_name.h"
#include "lane/format/ids.h"
#include "lane/format/assert.h"
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    COMMAND_BYTES = 32768,
    TRACE_PARENT_BYTES = 55,
    SERVICE_BYTES = 255,
    WAIT_MS_MOST = 60000,
    RESOURCE_BYTES = 4096,
};

static uint64_t random_number(void)
{
    uint64_t number;
    struct timespec t = {0, 0};
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) ==
        (ssize_t)sizeof(number))
        return number;
    clock_gettime(CLOCK_REALTIME, &t);
    number = (uint64_t)t.tv_nsec << 32 ^ (uint64_t)t.tv_sec ^
             (uint64_t)getpid() << 20 ^ (uint64_t)(uintptr_t)&number;
    return number * UINT64_C(0x9e3779b97f4a7c15);
}

/* rdtsc, where it runs at one rate and does not fault. A prctl under seccomp
 * may be what kills: then it is trusted that nobody switched it off. */
static enum lane_clock choose_clock(void)
{
    unsigned a, b, c, d;
    int mode = PR_TSC_ENABLE;
    if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0 || (d & 1u << 8) == 0)
        return LANE_CLOCK_MONOTONIC;
    if (!config.is_seccomp && prctl(PR_GET_TSC, &mode) == 0 &&
        mode != PR_TSC_ENABLE)
        return LANE_CLOCK_MONOTONIC;
    return LANE_CLOCK_TSC;
}

/* What a call does whose record finds no room: it is counted, or it waits for
 * the sidecar, so long. Unless somebody said 0, it waits for moments while the
 * sidecar's spool makes room. */
static void choose_policy(struct lane_config *lane)
{
    const char *said = config_get("HANDSPAN_WAIT_MS");
    lane->policy = said && *said ? LANE_POLICY_DROP : LANE_POLICY_BRIEF;
    lane->wait_us =
        config_number("HANDSPAN_WAIT_MS", 0, 0, WAIT_MS_MOST) * 1000;
    if (lane->wait_us != 0)
        lane->policy = LANE_POLICY_WAIT;
}

static char session_name[128];

static int create_session(uint64_t most_bytes)
{
    struct text name = {session_name, 0, sizeof(session_name)};
    struct lane_config lane = {.clock = choose_clock(),
                               .mode = config.file_mode};
    choose_policy(&lane);
    lane.unit_count = config_number("HANDSPAN_BUDGET_MB", 0, 1,
                                    LANE_UNIT_MAX / LANE_UNITS_A_MIB) *
                      LANE_UNITS_A_MIB;
    if (lane.unit_count)
        note_lines("context", "HANDSPAN_BUDGET_MB lets this session take",
                   config_get("HANDSPAN_BUDGET_MB"), "MiB of shared memory");
    lane.most_bytes = most_bytes;
    struct module *self = modules_find((uint64_t)&runtime);
    if (self && self->is_usable)
        memcpy(lane.build_id, self->image.build_id, sizeof(lane.build_id));
    text_put(&name, "session-");
    text_put_number(&name, (uint64_t)getpid());
    text_put(&name, "-");
    text_put_number(&name, config.start_time);
    text_put(&name, "-");
    text_put_hex(&name, random_number(), 16);
    if (sidecar_store()) {
        text_put(&name, "-s");
        text_put_hex(&name, lane_store_key(sidecar_store()),
                     LANE_STORE_KEY_DIGITS);
    }
    text_put(&name, ".lane");
    lane_assert(text_fits(&name) && lane.unit_count <= LANE_UNIT_MAX);
    return lane_session_create(config.dir_fd, session_name, &lane,
                               &runtime.map);
}

/* ---- the process ------------------------------------------------------ */

/* The program's own name, and instead of what it was told the reason. */
static long withhold_arguments(char *command, long len, size_t cap)
{
    lane_assert(len > 0 && (size_t)len <= cap);
    uint64_t arguments = 0;
    size_t name = strnlen(command, (size_t)len);
    struct text text = {command, name, cap};
    for (long i = (long)name + 1; i < len; i++)
        arguments += command[i] == '\0';
    if (name + 1 >= (size_t)len) /* there are none */
        return len;
    text_put_bytes(&text, "", 1);
    text_put(&text, "(withheld: ");
    text_put_number(&text, arguments);
    text_put(&text, arguments == 1 ? " argument; " : " arguments; ");
    text_put(&text, config.withheld);
    text_put(&text, ")");
    return (long)text.len;
}

/* The path that was called: a link of another name (redis-server, awk) is what
 * people know the program by. Of a script it is the interpreter's. */
static const char *called_path(void)
{
    static char path[PATH_MAX];
    struct text text = {path, 0, sizeof(path)};
    struct stat called, exe;
    if (strcmp(text_basename(config.started), text_basename(config.exe)) == 0 ||
        stat(config.started, &called) != 0 || stat(config.exe, &exe) != 0 ||
        called.st_dev != exe.st_dev || called.st_ino != exe.st_ino)
        return config.exe;
    if (*config.started != '/') {
        if (!getcwd(path, sizeof(path)))
            return config.exe;
        text.len = strlen(path);
        text_put(&text, "/");
    }
    text_put(&text, config.started);
    return text_fits(&text) ? path : config.exe;
}

static void fill_process(void)
{
    lane_assert(runtime.process < LANE_PROCESS_MAX);
    static char command[COMMAND_BYTES];
    struct lane_process *process = &runtime.map.processes[runtime.process];
    long len = config_read_file("/proc/self/cmdline", command, sizeof(command));
    if (len == -E2BIG)
        len = sizeof(command);
    if (len > 0 && config.withheld)
        len = withhold_arguments(command, len, sizeof(command));
    if (len > 0 && lane_string_put(&runtime.map, command, (uint32_t)len,
                                   &process->command) != 0)
        process->command = (struct lane_string){0, 0};
    const char *called = called_path();
    if (lane_string_put(&runtime.map, called, (uint32_t)strlen(called),
                        &process->program) != 0)
        process->program = (struct lane_string){0, 0};
}

/* What it says of itself; 0, 0 if nothing, or without room. */
static struct lane_string fill_text(const char *variable, size_t most_bytes)
{
    struct lane_string string = {0, 0};
    const char *text = config_get(variable);
    if (!text)
        return string;
    size_t len = strnlen(text, most_bytes);
    if (lane_string_put(&runtime.map, text, (uint32_t)len, &string) != 0)
        string = (struct lane_string){0, 0};
    return string;
}

static void fill_service(void)
{
    lane_assert(runtime.map.session->ready == 0);
    struct lane_session *session = runtime.map.session;
    struct lane_string string = fill_text("OTEL_SERVICE_NAME", SERVICE_BYTES);
    session->service_string = string.offset;
    session->service_bytes = string.len_bytes;
    string = fill_text("OTEL_RESOURCE_ATTRIBUTES", RESOURCE_BYTES);
    session->resource_string = string.offset;
    session->resource_bytes = string.len_bytes;
}

/* ---- the trace -------------------------------------------------------- */

/* Two lower-case hex digits each (W3C trace context 3.2.2.1). */
static bool read_hex(const char *text, uint8_t *out, size_t len)
{
    lane_assert(len <= 16);
    for (size_t i = 0; i < 2 * len; i++) {
        char c = text[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a' + 10);
        else
            return false;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= bytes[i];
    return all == 0;
}

/* version-traceid-parentid-flags; a later version may have more behind. */
static bool read_traceparent(const char *text, struct lane_context *context)
{
    uint8_t version, flags, trace[16], parent[8];
    size_t len = strlen(text);
    if (len < TRACE_PARENT_BYTES || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || !read_hex(text, &version, 1) ||
        !read_hex(text + 3, trace, 16) || !read_hex(text + 36, parent, 8) ||
        !read_hex(text + 53, &flags, 1))
        return false;
    if (version == 0xff || is_zero(trace, 16) || is_zero(parent, 8) ||
        (version == 0 && len != TRACE_PARENT_BYTES) ||
        (len > TRACE_PARENT_BYTES && text[TRACE_PARENT_BYTES] != '-'))
        return false;
    memcpy(context->trace_id, trace, sizeof(trace));
    context->flags = flags;
    context->remote_parent = 0;
    for (size_t i = 0; i < sizeof(parent); i++)
        context->remote_parent = context->remote_parent << 8 | parent[i];
    return true;
}

static uint64_t origin_of(const struct lane_context *context)
{
    uint64_t half[2];
    memcpy(half, context->trace_id, sizeof(half));
    return lane_origin_id(__builtin_bswap64(half[0]),
                          __builtin_bswap64(half[1]));
}

static int fill_context(void)
{
    lane_assert(runtime.map.session != NULL);
    int64_t at = lane_table_take(&runtime.map, LANE_TABLE_CONTEXTS,
                                 &runtime.map.session->context_next, 1);
    if (at != 0)
        return at < 0 ? (int)at : -EIO;
    struct lane_context *context = &runtime.map.contexts[0];
    const char *told = config_get("TRACEPARENT");
    if (told && read_traceparent(told, context)) {
        if (context->remote_parent == origin_of(context))
            context->remote_parent = 0; /* `handspan run`: a root */
    } else {
        uint64_t id[2] = {random_number(), random_number()};
        if (id[0] == 0 && id[1] == 0)
            id[0] = 1;
        memcpy(context->trace_id, id, sizeof(context->trace_id));
        context->flags = 1; /* sampled */
        if (told)
            note_lines("context",
                       "TRACEPARENT is no traceparent and ignored:", told,
                       NULL);
    }
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&context->state, 1, __ATOMIC_RELEASE);
    return 0;
}

static void fill_store(void)
{
    lane_assert(runtime.map.session->ready == 0);
    const char *path = sidecar_store();
    struct lane_string string;
    if (!path || lane_string_put(&runtime.map, path, (uint32_t)strlen(path),
                                 &string) != 0)
        return;
    runtime.map.session->store_string = string.offset;
    runtime.map.session->store_bytes = string.len_bytes;
}

int session_start(uint32_t manifest_errors, uint64_t most_bytes)
{
    lane_assert(runtime.map.session == NULL);
    int err = create_session(most_bytes);
    if (err)
        return err;
    err = fill_context();
    cpu_is_assumed = config_get("HANDSPAN_TEST_CPU") != NULL;
    if (err == 0)
        err = process_register(0, (struct span_place){0, 0});
    if (err) {
        unlinkat(config.dir_fd, session_name, 0);
        munmap(runtime.map.base, runtime.map.len_bytes);
        runtime.map.session = NULL;
        return err;
    }
    exec_time_begin();
    fill_process();
    fill_service();
    fill_store();
    runtime.map.session->manifest_errors = manifest_errors;
    exit_rules_put(runtime.map.session, runtime.manifest, config.program);
    lane_anchor_put(&runtime.map, runtime.process + 1);
    /* release; pairs with the reader's acquire of `ready` */
    __atomic_store_n(&runtime.map.session->ready, 1, __ATOMIC_RELEASE);
    return 0;
}

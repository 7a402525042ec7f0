/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See error_watch.h. In libc the innermost function that the others go through
 * is the one to watch, because it fails first: fopen() calls open(), all of
 * stat() end in fstatat(), stderr of stdio ends in write(). What uses a variant
 * of its own (opendir) is named as well. dlopen() asks its return address who
 * calls, and would be told our trampoline: what it has to say is heard where
 * the program asks for it, in dlerror().
 *
 * Nothing is watched in a program without handlers.
 *
 * The hooks run on the path of these calls: general registers only.
 */
#include "preload/watch/error_watch.h"

#include "preload/bind/bind.h"
#include "preload/bind/bind_patched.h"
#include "preload/bind/bind_text.h"
#include "preload/call/error/error.h"
#include "preload/call/error/exception.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/span.h"
#include "lane/format/assert.h"

#include <errno.h>
#include <unistd.h>

enum {
    SEGMENT_EXECUTABLE = 1 /* PF_X */
};

/* Formats: lane/format/error_frames.h. Names are those of the dynamic symbols.
 * fork, exec and pthread_create have their sites in exec.c. */
static const struct error_call calls[] = {
    {"open", "sxo", ERROR_INT},
    {"openat", "fsxo", ERROR_INT},
    {"opendir", "s", ERROR_NULL},
    {"read", "fpu", ERROR_LONG},
    {"pread", "fpud", ERROR_LONG},
    {"readv", "fpd", ERROR_LONG},
    {"write", "fpu", ERROR_LONG},
    {"pwrite", "fpud", ERROR_LONG},
    {"writev", "fpd", ERROR_LONG},
    {"close", "f", ERROR_INT},
    {"fsync", "f", ERROR_INT},
    {"ftruncate", "fd", ERROR_INT},
    {"fstatat", "fspx", ERROR_INT},
    {"access", "so", ERROR_INT},
    {"rename", "ss", ERROR_INT},
    {"unlink", "s", ERROR_INT},
    {"mkdir", "so", ERROR_INT},
    {"chdir", "s", ERROR_INT},
    {"mmap", "puxxfd", ERROR_LONG},
    {"socket", "ddd", ERROR_INT},
    {"connect", "fpu", ERROR_INT},
    {"bind", "fpu", ERROR_INT},
    {"accept", "fpp", ERROR_INT},
    {"send", "fpux", ERROR_LONG},
    {"sendto", "fpuxpu", ERROR_LONG},
    {"sendmsg", "fpx", ERROR_LONG},
    {"recv", "fpux", ERROR_LONG},
    {"recvfrom", "fpuxpp", ERROR_LONG},
    {"recvmsg", "fpx", ERROR_LONG},
    {"posix_spawn", "ps", ERROR_NUMBER},
    {"posix_spawnp", "ps", ERROR_NUMBER},
    {"dlerror", "", ERROR_TEXT},
};
enum {
    CALLS = sizeof(calls) / sizeof(*calls)
};

/* By site: which of them it is. */
static uint8_t call_of[SHIM_SITE_MAX];
/* By site: __cxa_get_globals_fast of the same object. */
static struct {
    uint32_t site;
    uint64_t get_globals;
} runtimes[16];
static uint32_t runtime_count, last_generation;
static bool is_on;

/* ---- calls of libc ----------------------------------------------------- */

static inline bool has_failed(const struct error_call *what, uint64_t rax)
{
    switch (what->result) {
    case ERROR_INT:
        return (int32_t)rax == -1;
    case ERROR_LONG:
        return rax == UINT64_MAX;
    case ERROR_NULL:
        return rax == 0;
    case ERROR_NUMBER:
    case ERROR_CODE:
        return (int32_t)rax != 0;
    case ERROR_TEXT:
        return rax != 0;
    }
    return false;
}

/* What the program goes on with after a failure: something else was opened or
 * read. Of read() and its kin 0 is the end of a file. */
static bool is_work[CALLS];

static bool is_name(const char *a, const char *b);
static void find_work(void)
{
    static const char *const names[] = {"open", "openat",   "opendir",
                                        "read", "pread",    "readv",
                                        "recv", "recvfrom", "recvmsg"};
    for (uint32_t i = 0; i < CALLS; i++)
        for (uint32_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            is_work[i] |= is_name(calls[i].name, names[k]);
}

static void leave_call(struct shim_call *call, const struct shim_regs *regs)
{
    lane_assert(call->site < SHIM_SITE_MAX && call_of[call->site] < CALLS);
    const struct error_call *what = &calls[call_of[call->site]];
    if (__builtin_expect(has_failed(what, regs->rax), 0))
        error_note_call(call, regs->rax, what);
    else if (__builtin_expect(span_thread.has_crumbs, 0) &&
             is_work[call_of[call->site]] && regs->rax != 0)
        error_note_work();
}

static void enter_write(struct shim_call *call)
{
    if (__builtin_expect((int32_t)call->args.rdi == STDERR_FILENO, 0))
        error_note_stderr(call->args.rsi, call->args.rdx);
}

static void enter_writev(struct shim_call *call)
{
    if (__builtin_expect((int32_t)call->args.rdi == STDERR_FILENO, 0))
        error_note_stderr_parts(call->args.rsi, (uint32_t)call->args.rdx);
}

static bool is_name(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

static void watch_calls(void)
{
    lane_assert(runtime.map.session != NULL);
    /* what getopt() complains with */
    if (bind_internal("__write_nocancel", enter_write, NULL) == 0)
        runtime.sites[runtime.map.session->site_next - 1].flags |=
            SITE_MAY_PASS;
    for (uint32_t i = 0; i < CALLS; i++) {
        const char *name = calls[i].name;
        void (*enter)(struct shim_call *) = is_name(name, "write") ? enter_write
                                            : is_name(name, "writev")
                                                ? enter_writev
                                                : NULL;
        uint32_t site = runtime.map.session->site_next;
        if (bind_internal(name, enter, leave_call) != 0 ||
            site >= SHIM_SITE_MAX)
            continue;
        call_of[site] = (uint8_t)i;
        runtime.sites[site].flags |= SITE_MAY_PASS;
    }
}

/* ---- exceptions -------------------------------------------------------- */

static void enter_throw(struct shim_call *call)
{
    error_note_throw(LANE_THROW_NEW, call->args.rsi, call->args.rdi);
}

static long get_globals(long at, long unused)
{
    (void)unused;
    return ((long (*)(void))at)();
}

/* `throw;` names nothing: what is being handled is asked of the runtime. */
static void enter_rethrow(struct shim_call *call)
{
    lane_assert(runtime_count <= sizeof runtimes / sizeof *runtimes);
    uint64_t type = 0, object = 0, globals = 0;
    if (span_lane == NULL)
        return;
    for (uint32_t i = 0; i < runtime_count; i++)
        if (runtimes[i].site == call->site && runtimes[i].get_globals)
            globals = (uint64_t)shim_call_slow(
                get_globals, (long)runtimes[i].get_globals, 0);
    (void)exception_look(exception_caught(globals), &type, &object);
    error_note_throw(LANE_THROW_AGAIN, type, object);
}

/* std::rethrow_exception(std::exception_ptr): by reference, a pointer to the
 * object. */
static void enter_dependent(struct shim_call *call)
{
    uint64_t type = 0, object = exception_pointer(call->args.rdi, &type);
    error_note_throw(LANE_THROW_DEPENDENT, type, object);
}

static int watch_one(struct module *module, const char *name,
                     void (*enter)(struct shim_call *call))
{
    struct plan_symbol found;
    if (plan_image_find_symbol(&module->image, name, &found) != 0)
        return -ENOENT;
    return bind_internal_at(module, name, found.vaddr, enter, NULL);
}

static void watch_rethrow(struct module *module)
{
    struct plan_symbol found;
    uint32_t site = runtime.map.session->site_next;
    if (watch_one(module, "__cxa_rethrow", enter_rethrow) != 0 ||
        runtime_count == sizeof(runtimes) / sizeof(*runtimes) ||
        plan_image_find_symbol(&module->image, "__cxa_get_globals_fast",
                               &found) != 0)
        return;
    lane_assert(site < SHIM_SITE_MAX);
    runtimes[runtime_count].site = site;
    runtimes[runtime_count].get_globals = module->base + found.vaddr;
    /* release; pairs with enter_rethrow() */
    __atomic_store_n(&runtime_count, runtime_count + 1, __ATOMIC_RELEASE);
}

static bool has_throw(const struct module *module)
{
    struct plan_symbol found;
    return module->is_usable && module->is_loaded &&
           module->kind != MODULE_OWN &&
           plan_image_find_symbol(&module->image, "__cxa_throw", &found) == 0;
}

static void watch_exceptions(struct module *module)
{
    lane_assert(module->is_usable && module->kind != MODULE_OWN);
    (void)watch_one(module, "__cxa_throw", enter_throw);
    watch_rethrow(module);
    (void)watch_one(module,
                    "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_"
                    "ptrE",
                    enter_dependent);
}

/* ---- objects ----------------------------------------------------------- */

static void add_code(const struct module *module)
{
    lane_assert(module->is_usable && module->is_loaded);
    for (uint32_t i = 0; i < module->image.segment_count; i++) {
        const struct plan_segment *segment = &module->image.segments[i];
        uint64_t low = module->base + segment->vaddr;
        if (segment->flags & SEGMENT_EXECUTABLE)
            error_add_code(low, low + segment->memsz);
    }
}

static bool is_wanted(void)
{
    const char *test = config_get("HANDSPAN_TEST_ERRORS");
    return runtime.manifest && runtime.manifest->decl_count > 0 &&
           runtime.map.session && !(test && is_name(test, "off"));
}

static void find_abort_text(const struct module *module)
{
    struct plan_symbol found;
    if (module->kind == MODULE_LIBC &&
        plan_image_find_symbol(&module->image, "__abort_msg", &found) == 0)
        error_abort_text = module->base + found.vaddr;
}

void error_watch_start(void)
{
    is_on = is_wanted();
    error_place = bind_patched_place;
    if (!is_on)
        return;
    for (uint32_t i = 0; i < modules.count; i++) {
        if (!modules.at[i].is_usable)
            continue;
        add_code(&modules.at[i]);
        find_abort_text(&modules.at[i]);
        if (has_throw(&modules.at[i]))
            watch_exceptions(&modules.at[i]);
    }
    find_work();
    watch_calls();
    last_generation = modules.generation;
}

void error_watch_loaded(bool may_bind)
{
    if (!is_on || modules.generation == last_generation)
        return;
    last_generation = modules.generation;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_loaded || !module->is_usable ||
            module->generation != last_generation)
            continue;
        add_code(module);
        if (!may_bind || !has_throw(module) || bind_text_open(true) != 0)
            continue;
        watch_exceptions(module);
        shim_text_close();
    }
}

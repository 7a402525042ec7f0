/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: the open span becomes the parent of what the new program does.
 *
 * The hook makes the system call itself, with the edited environment on its
 * own stack or in a mapping of its own. If that fails (also: E2BIG for what we
 * added) the program's own call follows with its own environment, as if we
 * were not there. So nothing that lasts is needed in a child of vfork or
 * posix_spawn, which runs in its parent's memory: there only the session is
 * written to, never a word of the process.
 */
#include "preload/process/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane/format/owner.h"
#include "lane/x86_64/machine.h"
#include "preload/bind/bind.h"
#include "preload/settings/config.h"
#include "preload/call/error/error.h"
#include "preload/call/parallel.h"
#include "preload/call/thread/process.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/thread_start.h"
#include "lane/format/assert.h"

enum {
    SHARED_MODE = 02770 /* of a group's directory */
};

/* One of execve, execveat, fexecve. */
struct exec {
    int dir_fd;
    const char *path; /* NULL: dir_fd is the file */
    char *const *argv;
    char *const *env;
    int flags;
    bool is_at; /* execveat(2) */
};

/* What is known of it. */
struct plan {
    struct exec_env found;
    struct span_place place;
    enum lane_lost lost;
    bool drops_preload;
    bool is_edited;
};

static long raw(long number, long a, long b, long c, long d, long e)
{
    return machine_syscall(number, a, b, c, d, e, 0);
}

static void execute(const struct exec *exec, char *const *env)
{
    if (exec->is_at)
        raw(SYS_execveat, exec->dir_fd, (long)(exec->path ? exec->path : ""),
            (long)exec->argv, (long)env, exec->flags);
    else
        raw(SYS_execve, (long)exec->path, (long)exec->argv, (long)env, 0, 0);
}

/* execvp() tries one directory after the other. */
static bool is_there(const struct exec *exec)
{
    if (exec->path == NULL)
        return true;
    return raw(SYS_faccessat, exec->dir_fd, (long)exec->path, X_OK, 0, 0) == 0;
}

/* Where this thread calls posix_spawn: its child runs on a stack of its own. */
static __thread struct span_place spawn_place;

static struct span_place find_place(void)
{
    if (!process_is_guest())
        return span_here();
    if (spawn_place.parent != 0)
        return spawn_place;
    return span_of_host((uint64_t)__builtin_frame_address(0));
}

/* This process is not any more who it was at its start (setpriv, gosu), and who
 * it is may not use our directory; as lane/writer/place.h has it. */
static bool is_other_user(void)
{
    struct stat st;
    uint32_t uid = (uint32_t)raw(SYS_geteuid, 0, 0, 0, 0, 0);
    if (uid == config.uid)
        return false;
    long rc = raw(SYS_stat, (long)config.dir, (long)&st, 0, 0, 0);
    if (rc != 0)
        return rc == -EACCES;
    if ((st.st_mode & 07777) != SHARED_MODE)
        return st.st_uid != uid;
    return raw(SYS_faccessat2, AT_FDCWD, (long)config.dir, W_OK | X_OK,
               AT_EACCESS, 0) == -EACCES;
}

static void make_plan(const struct exec *exec, struct plan *plan)
{
    lane_assert(runtime.map.session != NULL && !sandboxed);
    *plan = (struct plan){.place = find_place()};
    bool is_known = exec_env_look(exec->env, &plan->found);
    plan->lost = exec_target_look(exec->dir_fd, exec->path);
    if (is_known && plan->lost == LANE_LOST_NOT && !plan->found.has_preload)
        plan->lost = LANE_LOST_CLEARED;
    bool is_there = !is_known || exec_env_preload_is_there(&plan->found);
    if (plan->lost == LANE_LOST_NOT && is_other_user())
        plan->lost = LANE_LOST_USER;
    if (plan->lost == LANE_LOST_NOT && !is_there)
        plan->lost = LANE_LOST_ROOT;
    /* else its loader would only complain */
    plan->drops_preload = plan->lost == LANE_LOST_FOREIGN ||
                          plan->lost == LANE_LOST_ROOT ||
                          (plan->lost == LANE_LOST_USER && !is_there);
    bool drops = plan->drops_preload && plan->found.preload;
    plan->found.is_timed = plan->lost == LANE_LOST_NOT;
    plan->is_edited = is_known && plan->found.is_ours &&
                      (!plan->found.keeps_parent || drops ||
                       plan->found.is_timed || plan->found.has_time);
}

/* ---- what the session learns ------------------------------------------ */

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

static void say_lost(struct lane_process *entry, const struct exec *exec,
                     enum lane_lost lost)
{
    lane_assert(lost != LANE_LOST_NOT && lost <= LANE_LOST_USER);
    const char *path = exec->path ? exec->path : "(open file)";
    entry->lost = (uint32_t)lost;
    if (lane_string_put(&runtime.map, path, (uint32_t)length(path),
                        &entry->target) != 0)
        entry->target = (struct lane_string){0, 0};
}

/* A child of vfork or posix_spawn that no session will tell of. */
static void add_lost_guest(const struct exec *exec, const struct plan *plan)
{
    lane_assert(plan->lost != LANE_LOST_NOT && process_is_guest());
    struct lane_map *map = &runtime.map;
    int64_t number = lane_process_take(map);
    if (number < 0) {
        __atomic_fetch_add(&map->session->lost_processes, 1, __ATOMIC_RELAXED);
        return;
    }
    struct lane_process *entry = &map->processes[LANE_PROCESS_SLOT(number)];
    const char *name = text_basename(exec->path ? exec->path : "?");
    for (size_t i = 0; name[i] && i + 1 < sizeof entry->name; i++)
        entry->name[i] = name[i];
    entry->pid = (uint32_t)raw(SYS_getpid, 0, 0, 0, 0, 0);
    entry->parent = runtime.process + 1;
    entry->context = plan->place.context;
    entry->parent_ref = plan->place.parent;
    entry->t0_ticks = entry->t1_ticks = lane_now(map);
    entry->marker = LANE_MARKER_EXEC;
    say_lost(entry, exec, plan->lost);
    lane_process_ready(map, (uint32_t)number, LANE_PROCESS_ENDED);
}

static void mark(const struct exec *exec, const struct plan *plan)
{
    if (process_is_guest()) {
        if (plan->lost != LANE_LOST_NOT)
            add_lost_guest(exec, plan);
        return;
    }
    struct lane_process *entry = process_entry();
    if (entry == NULL)
        return;
    if (plan->lost != LANE_LOST_NOT)
        say_lost(entry, exec, plan->lost);
    process_mark_end(LANE_MARKER_EXEC, 0, 0);
}

/* ---- the two ways ----------------------------------------------------- */

/* On the stack, which in a child of posix_spawn has 32 KiB. */
static __attribute__((noinline)) void execute_guest(const struct exec *exec,
                                                    const struct plan *plan)
{
    lane_assert(plan->is_edited && process_is_guest());
    char *env[EXEC_GUEST_MAX + 6];
    struct exec_texts texts;
    if (plan->found.count <= EXEC_GUEST_MAX &&
        exec_env_edit(exec->env, &plan->found, plan->place, plan->drops_preload,
                      &texts, env))
        execute(exec, env);
}

/* In a mapping: this may be a signal stack. */
static __attribute__((noinline)) void execute_own(const struct exec *exec,
                                                  const struct plan *plan)
{
    lane_assert(plan->is_edited && runtime.map.session != NULL);
    size_t len =
        sizeof(struct exec_texts) + (plan->found.count + 6) * sizeof(char *);
    long at = machine_syscall(SYS_mmap, 0, (long)len, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096)
        return;
    struct exec_texts *texts = (struct exec_texts *)at;
    if (exec_env_edit(exec->env, &plan->found, plan->place, plan->drops_preload,
                      texts, (char **)(texts + 1)))
        execute(exec, (char **)(texts + 1));
    raw(SYS_munmap, at, (long)len, 0, 0, 0);
}

static void hand_on(const struct exec *exec)
{
    struct plan plan;
    if (runtime.map.session == NULL || sandboxed || !is_there(exec))
        return;
    if (*runtime.alive == 0)
        thread_enter_child();
    make_plan(exec, &plan);
    mark(exec, &plan);
    if (!plan.is_edited)
        return;
    if (process_is_guest())
        execute_guest(exec, &plan);
    else
        execute_own(exec, &plan);
}

/* ---- hooks ------------------------------------------------------------ */

static void enter_execve(struct shim_call *call)
{
    struct exec exec = {.dir_fd = AT_FDCWD,
                        .path = (const char *)call->args.rdi,
                        .argv = (char *const *)call->args.rsi,
                        .env = (char *const *)call->args.rdx};
    hand_on(&exec);
}

static void enter_fexecve(struct shim_call *call)
{
    struct exec exec = {.dir_fd = (int)call->args.rdi,
                        .argv = (char *const *)call->args.rsi,
                        .env = (char *const *)call->args.rdx,
                        .flags = AT_EMPTY_PATH,
                        .is_at = true};
    hand_on(&exec);
}

static void enter_execveat(struct shim_call *call)
{
    struct exec exec = {.dir_fd = (int)call->args.rdi,
                        .path = (const char *)call->args.rsi,
                        .argv = (char *const *)call->args.rdx,
                        .env = (char *const *)call->args.rcx,
                        .flags = (int)call->args.r8,
                        .is_at = true};
    if (exec.flags & AT_EMPTY_PATH)
        exec.path = NULL;
    hand_on(&exec);
}

static long note_shared(long unused, long unused_too)
{
    static uint32_t is_said;
    (void)unused;
    (void)unused_too;
    if (__atomic_exchange_n(&is_said, 1, __ATOMIC_RELAXED) == 0) {
        note_line("threads",
                  "a task was made by clone() that shares memory and "
                  "is no thread of libc: its calls and those of who "
                  "made it are counted, without records");
        note_publish();
    }
    return 0;
}

/* clone(fn, stack, flags, ...) by hand: a task in our memory that is no thread
 * of libc, and has the TLS of who makes it. While a child of vfork runs its
 * parent waits. */
static void enter_clone(struct shim_call *call)
{
    uint64_t flags = call->args.rdx;
    if (!(flags & CLONE_VM) || (flags & (CLONE_SETTLS | CLONE_VFORK)) ||
        runtime.map.session == NULL || *runtime.alive == 0 ||
        (!sandboxed && process_is_guest()))
        return;
    shim_call_slow(note_shared, 0, 0);
    span_share();
}

static void enter_spawn(struct shim_call *call)
{
    (void)call;
    if (runtime.map.session)
        spawn_place = span_here();
}

static void leave_spawn(struct shim_call *call, const struct shim_regs *regs)
{
    (void)call;
    (void)regs;
    spawn_place.parent = 0;
}

/* As a first cause of an error; error_watch.c has the others. */
static const struct error_call failing_exec = {"execve", "spp", ERROR_INT};
static const struct error_call failing_fork = {"fork", "", ERROR_INT};
static const struct error_call failing_thread = {"pthread_create", "pppp",
                                                 ERROR_NUMBER};

static void leave_fork(struct shim_call *call, const struct shim_regs *regs)
{
    process_fork_leave(call, regs);
    if ((int32_t)regs->rax == -1)
        error_note_call(call, regs->rax, &failing_fork);
}

static void leave_thread(struct shim_call *call, const struct shim_regs *regs)
{
    thread_start_leave(call, regs);
    if ((int32_t)regs->rax != 0)
        error_note_call(call, regs->rax, &failing_thread);
}

static void leave_exec(struct shim_call *call, const struct shim_regs *regs)
{
    if (runtime.map.session == NULL || sandboxed || *runtime.alive == 0 ||
        process_entry() == NULL || process_is_guest())
        return;
    struct lane_process *process = process_entry();
    error_note_call(call, regs->rax, &failing_exec);
    if (process->marker == LANE_MARKER_EXEC)
        process_goes_on();
}

/* What opens a parallel region in libgomp. */
static void watch_regions(struct module *module)
{
    lane_assert(module->is_usable);
    static const char *const names[] = {
        "GOMP_parallel",
        "GOMP_parallel_sections",
        "GOMP_parallel_reductions",
        "GOMP_parallel_loop_static",
        "GOMP_parallel_loop_dynamic",
        "GOMP_parallel_loop_guided",
        "GOMP_parallel_loop_runtime",
        "GOMP_parallel_loop_nonmonotonic_dynamic",
        "GOMP_parallel_loop_nonmonotonic_guided",
        "GOMP_parallel_loop_nonmonotonic_runtime",
        "GOMP_parallel_loop_maybe_nonmonotonic_runtime"};
    struct plan_symbol found;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (plan_image_find_symbol(&module->image, names[i], &found) == 0)
            (void)bind_internal_at(module, names[i], found.vaddr,
                                   parallel_enter, parallel_leave);
}

static void watch_threads(void)
{
    if (bind_internal("pthread_create", thread_start_enter, leave_thread) != 0)
        note_line("threads", "pthread_create cannot be seen: threads start "
                             "below their process");
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_usable)
            continue;
        if (module->kind == MODULE_LIBC)
            thread_start_libc(module->low, module->high);
    }
}

/* without a handler there is nothing that a thread could belong to */
static bool has_handlers(void)
{
    return runtime.manifest && runtime.manifest->decl_count > 0;
}

void exec_watch_regions(void)
{
    for (uint32_t i = 0; has_handlers() && i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (module->is_usable &&
            strncmp(text_basename(module->path), "libgomp.so", 10) == 0)
            watch_regions(module);
    }
}

void exec_watch(void)
{
    exec_env_start();
    exec_target_start();
    (void)bind_internal("execve", enter_execve, leave_exec);
    (void)bind_internal("execveat", enter_execveat, leave_exec);
    (void)bind_internal("fexecve", enter_fexecve, leave_exec);
    (void)bind_internal("posix_spawn", enter_spawn, leave_spawn);
    (void)bind_internal("posix_spawnp", enter_spawn, leave_spawn);
    (void)bind_internal("fork", process_fork_enter, leave_fork);
    (void)bind_internal("clone", enter_clone, NULL);
    if (has_handlers())
        watch_threads();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names say about an entry patch: functions that must not get a frame
 * between themselves and their caller, parts of functions, resolvers, and
 * labels inside the bytes that would be displaced.
 */
#include "shim/plan/patch/patch_internal.h"
#include "shim/plan/image/image_internal.h"
#include "shim/plan/image/unwind.h"

/* They save, restore or share the caller's very frame, or run before or
 * below any frame. */
static const char *const excluded[] = {
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "longjmp",
    "_longjmp",
    "__longjmp",
    "____longjmp_chk",
    "__longjmp_chk",
    "siglongjmp",
    "__libc_longjmp",
    "__libc_siglongjmp",
    "_longjmp_unwind",
    "vfork",
    "__vfork",
    "__libc_vfork",
    "clone",
    "__clone",
    "__clone2",
    "clone3",
    "__clone3",
    "__clone_internal",
    "getcontext",
    "__getcontext",
    "setcontext",
    "__setcontext",
    "swapcontext",
    "__swapcontext",
    "makecontext",
    "__makecontext",
    "__start_context",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__libc_start_call_main",
    "_start",
    "_init",
    "_fini",
    "__restore_rt",
    "_dl_start",
    "_dl_start_user",
    "_dl_runtime_resolve",
    "_dl_runtime_profile",
    "_dl_tlsdesc_return",
    "__morestack",
    "mcount",
    "_mcount",
    "__fentry__",
};

/* Compilers' own: entered by a jump, with no return address on the stack. */
static bool is_thunk(const char *name)
{
    static const char *const prefixes[] = {
        "__x86_indirect_thunk",  "__x86_indirect_alt_call_thunk",
        "__x86_indirect_branch", "__x86_return_thunk",
        "__llvm_retpoline_",     "__llvm_lvi_thunk_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool is_excluded(const char *name)
{
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        if (strcmp(name, excluded[i]) == 0)
            return true;
    return strncmp(name, "_dl_runtime_resolve_", 20) == 0;
}

/* Boost's: called as C is, though no unwind table has it; it takes the
 * addresses of its labels for the fiber that it makes, and jumps nowhere. */
static bool is_known(const char *name)
{
    return strcmp(name, "make_fcontext") == 0;
}

bool patch_is_part(const char *name)
{
    const char *cold = strstr(name, ".cold");
    return (cold != NULL && (cold[5] == '\0' || cold[5] == '.')) ||
           strstr(name, ".part.") != NULL;
}

/* camlModule__function_12, camlModule.function_12. */
static bool is_ocaml(const char *name)
{
    return strncmp(name, "caml", 4) == 0 && name[4] >= 'A' && name[4] <= 'Z';
}

static enum plan_verdict check_own_name(struct patch_job *job,
                                        const struct plan_symbol *symbol)
{
    if (symbol->is_ifunc)
        return PLAN_IFUNC_RESOLVER;
    if (patch_is_part(symbol->name))
        return PLAN_PART;
    if (is_thunk(symbol->name))
        return PLAN_THUNK;
    if (is_ocaml(symbol->name))
        return PLAN_COLLECTED;
    job->is_excluded |= is_excluded(symbol->name);
    job->is_known |= is_known(symbol->name);
    return PLAN_OK;
}

static bool is_code_label(const struct patch_job *job, const Elf64_Sym *raw)
{
    unsigned type = ELF64_ST_TYPE(raw->st_info);
    return raw->st_shndx != SHN_UNDEF && raw->st_shndx != SHN_ABS &&
           (type == STT_FUNC || type == STT_NOTYPE || type == STT_OBJECT ||
            type == STT_GNU_IFUNC) &&
           image_is_executable(job->reader.image, raw->st_value);
}

struct label_check {
    struct patch_job *job;
    uint64_t next; /* the first label behind the entry */
};

static int check_label(void *context, bool dynamic, const Elf64_Sym *raw)
{
    struct label_check *check = context;
    struct patch_job *job = check->job;
    struct plan_symbol symbol;
    if (raw->st_value - job->vaddr >= check->next - job->vaddr ||
        !is_code_label(job, raw))
        return PLAN_OK;
    if (raw->st_value > job->vaddr)
        check->next = raw->st_value;
    else if (image_symbol_describe(job->reader.image, dynamic, raw, &symbol))
        return (int)check_own_name(job, &symbol);
    return PLAN_OK;
}

enum plan_verdict patch_check_names(struct patch_job *job)
{
    const struct plan_image *image = job->reader.image;
    struct label_check check = {job, plan_fde_next_start(image, job->vaddr)};
    int verdict =
        image_each_label(image, job->vaddr, &check.next, check_label, &check);
    if (verdict != PLAN_OK)
        return (enum plan_verdict)verdict;
    uint64_t room = image_bytes_from(image, job->vaddr);
    job->limit =
        check.next - job->vaddr < room ? check.next : job->vaddr + room;
    return PLAN_OK;
}

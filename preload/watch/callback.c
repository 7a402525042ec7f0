/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a function pointer to a site. The path of a registration (any thread,
 * signal handlers, general registers only) is one look into a table; only a
 * pointer that was never seen goes on, through shim_call_slow() and the lock
 * of whoever binds. What was refused is remembered, too: it is said once.
 */
#include "preload/watch/callback.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "manifest/run/eval.h"
#include "preload/bind/bind_lock.h"
#include "preload/bind/bind_site.h"
#include "preload/call/flow.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/record/span.h"
#include "lane/format/assert.h"

enum {
    SEEN_MAX = 4096, /* power of two */
    SEEN_MOST = SEEN_MAX * 3 / 4,
    NAME_BYTES = 256,
};

/* ---- what was seen ------------------------------------------------------ */

struct seen {
    uint64_t address; /* 0: free; stored last, never changes back */
    const struct manifest_decl *rules; /* NULL: its object is gone */
    uint64_t stub; /* what the program gets instead; 0: what it has */
};
static struct seen *seen; /* SEEN_MAX of them, if there are callbacks */
static uint32_t seen_count;

static const struct seen *find_seen(uint64_t address,
                                    const struct manifest_decl *rules)
{
    lane_assert(rules != NULL);
    uint64_t i =
        ((address ^ (uint64_t)rules) * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
    for (uint32_t n = 0; n < SEEN_MAX; n++, i++) {
        const struct seen *entry = &seen[i & (SEEN_MAX - 1)];
        /* acquire; pairs with remember() */
        uint64_t at = __atomic_load_n(&entry->address, __ATOMIC_ACQUIRE);
        if (at == 0 || (at == address && entry->rules == rules))
            return entry;
    }
    return NULL;
}

static void remember(uint64_t address, const struct manifest_decl *rules,
                     uint64_t stub)
{
    lane_assert(address != 0);
    struct seen *entry = (struct seen *)(uintptr_t)find_seen(address, rules);
    if (!entry || entry->address != 0 || seen_count == SEEN_MOST)
        return;
    lane_assert(seen_count < SEEN_MOST);
    seen_count++;
    entry->rules = rules;
    entry->stub = stub;
    /* release; pairs with find_seen() */
    __atomic_store_n(&entry->address, address, __ATOMIC_RELEASE);
}

void callback_forget(const struct module *module)
{
    for (uint32_t i = 0; seen_count && i < SEEN_MAX; i++) {
        if (seen[i].address >= module->low && seen[i].address < module->high)
            seen[i].rules = NULL;
    }
}

/* ---- what it is --------------------------------------------------------- */

/* In a program of fixed addresses a pointer may lead to its PLT: where that
 * leads. A slot that is not resolved yet leads back into the PLT. */
static uint64_t follow_plt(const struct module *module, uint64_t address)
{
    lane_assert(module->is_usable &&
                address - module->base <= module->high - module->base);
    static const uint8_t endbr[4] = {0xf3, 0x0f, 0x1e, 0xfa};
    const uint8_t *at =
        plan_image_at(&module->image, address - module->base, 16);
    int32_t distance;
    uint64_t target;
    uint64_t pc = address;
    if (!at)
        return address;
    if (memcmp(at, endbr, sizeof(endbr)) == 0) {
        at += sizeof(endbr);
        pc += sizeof(endbr);
    }
    if (*at == 0xf2) { /* bnd */
        at++;
        pc++;
    }
    if (at[0] != 0xff || at[1] != 0x25)
        return address;
    memcpy(&distance, at + 2, sizeof(distance));
    const void *slot = plan_image_at(
        &module->image, pc + 6 + (uint64_t)(int64_t)distance - module->base,
        sizeof(target));
    if (!slot)
        return address;
    memcpy(&target, slot, sizeof(target));
    return target;
}

struct name {
    char bytes[NAME_BYTES];
    const char *symbol; /* NULL: it has none */
};

/* "f", or "libx.so+0x1a40" where no table knows it. */
static void name_function(struct module *module, uint64_t address,
                          struct name *name)
{
    lane_assert(address >= module->base && module->is_usable);
    struct plan_symbol symbol;
    struct text text = {name->bytes, 0, sizeof(name->bytes)};
    uint64_t vaddr = address - module->base;
    int err = plan_image_symbol_at(&module->image, vaddr, &symbol);
    if (err) {
        module_add_symtab(module);
        err = plan_image_symbol_at(&module->image, vaddr, &symbol);
    }
    name->symbol = err || symbol.vaddr != vaddr ? NULL : name->bytes;
    if (name->symbol) {
        text_put(&text, symbol.name);
        return;
    }
    text_put(&text, text_basename(module->path));
    text_put(&text, "+0x");
    text_put_hex(&text, vaddr, 1);
}

/* ---- binding it --------------------------------------------------------- */

static bool wants_rewrite(const struct flow_pointer *pointer)
{
    return pointer->flow->rules->settings.rewrite_pointers ||
           pointer->site->decl->settings.rewrite_pointers;
}

/* Instead of the pointer the program gets the stub: only where the pointer is
 * an argument that is still to be handed on. */
static bool substitute(const struct flow_pointer *pointer, uint64_t stub)
{
    lane_assert(stub != 0);
    uint32_t ireg, size;
    bool is_signed;
    if (!manifest_expr_is_register(pointer->flow->key, &ireg, &size,
                                   &is_signed) ||
        ireg > 5)
        return false;
    (&pointer->call->args.rdi)[ireg] = stub;
    pointer->call->flags |= SHIM_CALL_ARGS;
    return true;
}

static uint64_t bind_pointer(const struct flow_pointer *pointer,
                             const char *name, const char *own_name)
{
    lane_assert(pointer->flow->rules != NULL);
    uint64_t stub;
    if (!wants_rewrite(pointer) ||
        bind_site_pointer(pointer->flow->rules, name, own_name,
                          pointer->address, &stub) != 0)
        return 0;
    return stub;
}

static uint64_t bind_function(const struct flow_pointer *pointer,
                              struct module *module, uint64_t address,
                              const struct bind_hold *hold)
{
    lane_assert(module->is_usable && module->kind != MODULE_OWN);
    const struct manifest_decl *rules = pointer->flow->rules;
    struct name name;
    uint64_t stub = 0;
    name_function(module, address, &name);
    if (module->kind == MODULE_LIBC || module->kind == MODULE_LOADER) {
        char bytes[NAME_BYTES + 32];
        struct text reason = {bytes, 0, sizeof(bytes)};
        text_put(&reason, name.bytes);
        text_put(&reason, " is a function of libc");
        bind_site_unbound(rules, name.bytes, address - module->base, bytes);
    } else {
        int err = bind_site_late(rules, module, name.bytes, name.symbol,
                                 address - module->base, hold);
        if (err && err != -EEXIST)
            stub = bind_pointer(pointer, name.bytes, name.symbol);
    }
    modules_drop_files();
    return stub;
}

static void bind(const struct flow_pointer *pointer,
                 const struct bind_hold *hold)
{
    const struct manifest_decl *rules = pointer->flow->rules;
    const struct seen *entry = find_seen(pointer->address, rules);
    if (!entry || entry->address != 0)
        return; /* another thread was first */
    uint64_t address = pointer->address, stub = 0;
    struct module *module = modules_find(address);
    if (module && module->is_usable) {
        address = follow_plt(module, address);
        module = modules_find(address);
    }
    if (module && module->kind == MODULE_OWN)
        return;
    if (sandboxed) {
        bind_site_unbound(rules, rules->name, pointer->address,
                          "live: the process has locked itself in (seccomp)");
    } else if (seen_count == SEEN_MOST - 1) {
        bind_site_unbound(rules, rules->name, pointer->address,
                          "more than 3,000 functions were registered: the "
                          "others are not traced");
    } else if (module && module->is_usable) {
        stub = bind_function(pointer, module, address, hold);
    } else {
        stub = bind_pointer(pointer, rules->name, NULL);
        if (stub == 0)
            bind_site_unbound(rules, rules->name, pointer->address,
                              "its code lies in no object: it was made at run "
                              "time");
    }
    remember(pointer->address, rules, stub);
}

static long register_slow(long a, long b)
{
    const struct flow_pointer *pointer = (const struct flow_pointer *)a;
    struct bind_hold hold;
    (void)b;
    int saved = errno;
    span_busy++;
    if (bind_lock(&hold)) {
        bind(pointer, &hold);
        bind_unlock(&hold);
    } else {
        __atomic_fetch_add(&runtime.map.session->lost_sites, 1,
                           __ATOMIC_RELAXED);
    }
    span_busy--;
    errno = saved;
    return 0;
}

static void on_pointer(struct flow_pointer *pointer)
{
    const struct manifest_decl *rules = pointer->flow->rules;
    if (!rules || shim_stub_site(pointer->address) != 0)
        return; /* the program hands on what we gave it */
    const struct seen *entry = find_seen(pointer->address, rules);
    if (entry && entry->address == 0 && seen_count < SEEN_MOST) {
        shim_call_slow(register_slow, (long)pointer, 0);
        entry = find_seen(pointer->address, rules);
    }
    if (entry && entry->address != 0 && entry->stub != 0)
        (void)substitute(pointer, entry->stub);
}

void callback_start(const struct manifest *manifest)
{
    bool has_any = false;
    for (uint32_t i = 0; manifest && i < manifest->decl_count; i++)
        has_any |= (manifest->decls[i].roles & MANIFEST_CALLBACK) != 0;
    if (!has_any)
        return;
    void *at = mmap(NULL, SEEN_MAX * sizeof(*seen), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        note_line("binding", "no memory: callbacks are not traced");
        return;
    }
    seen = at;
    flow_callback = on_pointer;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of objects. dl_iterate_phdr's own counters say whether anything
 * changed, so that a notification without news costs one callback.
 */
#include "preload/objects/branches.h"
#include "lane/format/assert.h"
#include <link.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct modules modules;

static enum module_kind kind_of(const struct module *module, const char *path)
{
    if ((uint64_t)&modules >= module->low && (uint64_t)&modules < module->high)
        return MODULE_OWN;
    return (enum module_kind)bind_kind_of(path);
}

static void take_extent(struct module *module, const struct dl_phdr_info *info)
{
    module->low = module->text_low = UINT64_MAX;
    module->high = module->text_high = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        if (phdr->p_type != PT_LOAD)
            continue;
        uint64_t low = info->dlpi_addr + phdr->p_vaddr;
        if (low < module->low)
            module->low = low;
        uint64_t high = low + phdr->p_memsz;
        if (high > module->high)
            module->high = high;
        if (!(phdr->p_flags & PF_X))
            continue;
        if (low < module->text_low)
            module->text_low = low;
        if (high > module->text_high)
            module->text_high = high;
    }
}

const char *module_whole_path(const struct module *module, char *whole,
                              size_t cap_bytes)
{
    const char *path = module->path;
    if (*path == '/' || !strchr(path, '/') || !getcwd(whole, cap_bytes))
        return path;
    size_t len = strlen(whole), more = strlen(path);
    if (len + 1 + more >= cap_bytes)
        return path;
    whole[len] = '/';
    memcpy(whole + len + 1, path, more + 1);
    return whole;
}

/* A fresh entry, or that of an object that left before this refresh. */
static struct module *take_entry(void)
{
    lane_assert(modules.count <= modules.most && modules.at != NULL);
    for (uint32_t i = 1; i < modules.count; i++) {
        if (!modules.at[i].is_loaded)
            return &modules.at[i];
    }
    if (modules.count == modules.most) {
        modules.lost++;
        return NULL;
    }
    return &modules.at[modules.count++];
}

static void name_self(const struct module *module)
{
    lane_assert(module->kind == MODULE_OWN);
    struct text self = {config.self, 0, sizeof(config.self)};
    if ((uint64_t)&modules < module->low || (uint64_t)&modules >= module->high)
        return;
    text_put(&self, module->path);
    runtime.self_low = module->low;
    runtime.self_high = module->high;
}

static void add_module(const struct dl_phdr_info *info)
{
    const char *why;
    bool is_main = modules.count == 0; /* the loader lists it first */
    struct module *module = take_entry();
    if (!module)
        return;
    memset(module, 0, sizeof(*module));
    module->base = info->dlpi_addr;
    module->path = info->dlpi_name ? info->dlpi_name : "";
    take_extent(module, info);
    module->kind = kind_of(module, module->path);
    if (is_main) {
        module->kind = MODULE_MAIN;
        if (*module->path == '\0')
            module->path = config.exe;
    }
    if (module->kind == MODULE_OWN)
        name_self(module);
    module->is_usable =
        plan_image_map(&module->image, info->dlpi_addr, info->dlpi_phdr,
                       info->dlpi_phnum, &why) == 0;
    module->is_loaded = module->is_seen = true;
    module->generation = modules.generation;
}

struct pass {
    bool is_first, is_same;
    uint32_t next; /* entry behind the one that was found last */
};

/* The entry of an object that was there before. The loader lists them in the
 * order in which they came, and so do we but where an entry was used again: so
 * it is mostly the next one. */
static struct module *entry_of(struct pass *pass,
                               const struct dl_phdr_info *info)
{
    for (uint32_t n = 0; n < modules.count; n++) {
        uint32_t i = pass->next + n;
        i -= i < modules.count ? 0 : modules.count;
        struct module *module = &modules.at[i];
        if (!module->is_loaded || module->base != info->dlpi_addr ||
            (i > 0 && module->path != info->dlpi_name))
            continue;
        pass->next = i + 1 < modules.count ? i + 1 : 0;
        return module;
    }
    return NULL;
}

static int see_module(struct dl_phdr_info *info, size_t size, void *context)
{
    struct pass *pass = context;
    (void)size;
    if (pass->is_first) {
        pass->is_first = false;
        pass->is_same = modules.count > 0 && modules.adds == info->dlpi_adds &&
                        modules.subs == info->dlpi_subs;
        if (pass->is_same)
            return 1;
        modules.adds = info->dlpi_adds;
        modules.subs = info->dlpi_subs;
    }
    struct module *module = entry_of(pass, info);
    if (module)
        module->is_seen = true;
    else
        add_module(info);
    return 0;
}

/* Address space for all that may come, where there is enough of it. */
static uint32_t most_modules(void)
{
    struct rlimit limit;
    bool is_limited =
        getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return is_limited ? MODULE_MAX / 8 : MODULE_MAX;
}

void modules_forget(void)
{
    if (modules.at)
        munmap(modules.at, modules.most * sizeof(struct module));
    modules.at = NULL;
    modules.count = 0;
}

bool modules_refresh(void (*gone)(struct module *module))
{
    struct pass pass = {true, false, 0};
    if (!modules.at) {
        modules.most = most_modules();
        void *at = mmap(NULL, modules.most * sizeof(struct module),
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return false;
        modules.at = at;
    }
    for (uint32_t i = 0; i < modules.count; i++)
        modules.at[i].is_seen = false;
    modules.generation++;
    dl_iterate_phdr(see_module, &pass);
    if (pass.is_same)
        return false;
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_loaded || module->is_seen)
            continue;
        module->is_loaded = module->is_usable = false;
        module_drop_branches(module);
        if (gone)
            gone(module);
        module->path = ""; /* the loader freed it */
    }
    return true;
}

/* The loader keeps "./libx.so" as it was asked for; the sidecar stands
 * elsewhere and could not open it. */
static int put_path(const struct module *module, struct lane_string *string)
{
    char whole[PATH_MAX];
    const char *path = module_whole_path(module, whole, sizeof(whole));
    return lane_string_put(&runtime.map, path, (uint32_t)strlen(path), string);
}

static void record_module(struct module *module, struct lane_module *record)
{
    lane_assert(module->record == 0 && module->is_loaded);
    lane_assert(record != NULL);
    const struct plan_image *image = &module->image;
    record->process = runtime.process + 1;
    record->base = module->base;
    record->end = module->high;
    if (put_path(module, &module->path_string) == 0)
        record->path = module->path_string;
    if (module->is_usable && image->build_id_len <= sizeof(record->build_id)) {
        memcpy(record->build_id, image->build_id, image->build_id_len);
        record->build_id_bytes = image->build_id_len;
    }
    record->loaded_ticks = lane_now(&runtime.map);
    /* release; pairs with the reader's acquire */
    __atomic_store_n(&record->state, 1, __ATOMIC_RELEASE);
}

void modules_record(void)
{
    struct lane_session *session = runtime.map.session;
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < modules.count; i++)
        fresh += modules.at[i].is_loaded && modules.at[i].record == 0;
    if (fresh == 0)
        return;
    int64_t at = lane_table_take(&runtime.map, LANE_TABLE_MODULES,
                                 &session->module_next, fresh);
    for (uint32_t i = 0; at >= 0 && i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (!module->is_loaded || module->record != 0)
            continue;
        record_module(module, &runtime.map.modules[at]);
        module->record = (uint32_t)++at;
    }
}

struct module *modules_find(uint64_t address)
{
    for (uint32_t i = 0; i < modules.count; i++) {
        struct module *module = &modules.at[i];
        if (module->is_loaded && address >= module->low &&
            address < module->high)
            return module;
    }
    return NULL;
}

struct bind_object module_object(const struct module *module)
{
    return (struct bind_object){(enum bind_kind)module->kind, module->path,
                                &module->image};
}

const char *modules_collector(void)
{
    static const char *found;
    static uint32_t looked; /* at this generation */
    if (found || looked == modules.generation)
        return found;
    looked = modules.generation;
    for (uint32_t i = 0; i < modules.count && !found; i++) {
        const struct module *module = &modules.at[i];
        if (module->is_loaded && module->is_usable)
            found = plan_image_collector(&module->image);
    }
    return found;
}

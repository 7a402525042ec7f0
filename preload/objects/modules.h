/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of this process, as the planner reads them. Made in the
 * constructor, changed only under the loader's lock (from its notification).
 */
#pragma once
#include "bind/scope.h"
#include "preload/settings/config.h"
#include <sys/stat.h>

enum {
    MODULE_MAX = 2048
};

enum module_kind {
    MODULE_PLAIN = BIND_PLAIN,
    MODULE_MAIN = BIND_MAIN,
    MODULE_LIBC = BIND_LIBC,
    MODULE_LOADER = BIND_LOADER,
    MODULE_OWN = BIND_OWN,
};
struct module {
    uint64_t base, low, high; /* load bias; extent in memory */
    uint64_t text_low, text_high;
    const char *path; /* never NULL; the loader's until unloaded */
    struct plan_image image;
    enum module_kind kind;
    bool is_usable; /* image is valid */
    bool is_loaded;
    bool is_seen;        /* by the refresh that runs */
    bool has_symtab;     /* symtab was looked for */
    uint32_t record;     /* index of its lane_module + 1 */
    uint32_t generation; /* of the refresh that found it */
    const void *file;    /* its file while .symtab is in use */
    size_t file_bytes;
    const void *text_file; /* its file while its text is compared */
    size_t text_file_bytes;
    struct stat text_stat;
    bool has_text_file; /* it was looked for */
    uint32_t planned;   /* functions, this round */
    void *labels;       /* memory of image.labels, this round */
    size_t labels_bytes;
    void *branches; /* memory of image.branches, as long as it is loaded */
    size_t branches_bytes;
    struct lane_string path_string;
};
struct modules {
    struct module *at; /* `most` entries of address space */
    uint32_t most;     /* MODULE_MAX, less where it is limited */
    uint32_t count;    /* entries in use, unloaded ones among them */
    uint32_t generation;
    uint64_t adds, subs; /* the loader's counters at the last refresh */
    uint64_t lost;
};
extern HIDDEN struct modules modules;

/* Compare with the loader's list. True if something changed; new objects
 * carry modules.generation; `gone` is called for each one that left. */
HIDDEN bool modules_refresh(void (*gone)(struct module *module));
/* Give the list's memory back: nothing is traced. [constructor] */
HIDDEN void modules_forget(void);
/* Tell the session about modules it does not know yet. */
HIDDEN void modules_record(void);
/* Why Z may carry no function of this process (plan_image_collector), NULL. */
HIDDEN const char *modules_collector(void);
/* The loaded module that holds a run-time address, or NULL. */
HIDDEN struct module *modules_find(uint64_t address);
/* Its path from the root on, in `whole` where it is made; a name without a
 * slash stays one. */
HIDDEN const char *module_whole_path(const struct module *module, char *whole,
                                     size_t cap_bytes);
/* As the search for functions sees it. */
HIDDEN struct bind_object module_object(const struct module *module);

/* ---- module_file.c: its file, while a round needs it --------------------- */

/* Where its file is, as the kernel or the loader say (`whole`: room for it);
 * NULL: it has none that could be opened. */
HIDDEN const char *module_file_path(const struct module *module, char *whole,
                                    size_t cap_bytes);
/* Read .symtab of its file, once. */
HIDDEN void module_add_symtab(struct module *module);
/* Before a function of it is planned: after some functions it gets an index. */
HIDDEN void module_index_labels(struct module *module);
/* Map the file that it was mapped from, as far as anything can tell:
 * module->text_file, once a round. */
HIDDEN void module_open_text(struct module *module);
/* Are the n bytes of text at vaddr other ones than in its file, and not for
 * the sake of relocations? False, too: there is no file to compare with. */
HIDDEN bool module_is_changed(struct module *module, uint64_t vaddr, size_t n);
/* Unmap what a round needed: files read for their .symtab, indexes. */
HIDDEN void modules_drop_files(void);

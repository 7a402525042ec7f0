/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF object as the planner sees it: dynamic symbols, the function table
 * of .eh_frame_hdr, segments. Pure: decides on bytes alone, never on the
 * running process, so that `handspan check` and the preload say the same. No
 * malloc; x86-64, little endian. Every offset read from the object is hostile
 * until it was checked against the segment it must lie in.
 *
 * Two ways to make one: from a mapped object of this process (plan_image_map:
 * program headers, the dynamic section, .gnu.hash; no section headers, no
 * file), and from a file (plan_image_file: the file's bytes in memory, read
 * with its own section headers when there are any, so also .symtab).
 * A mapped image can be given its file's .symtab later (static functions).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_segment {
    uint64_t vaddr, memsz, filesz, offset;
    uint32_t flags; /* PF_R PF_W PF_X */
};

enum {
    PLAN_SEGMENT_MAX = 24,
    PLAN_BUILD_ID_MAX = 32
};

/* Code labels by address, see plan_image_index_labels(). */
struct plan_labels {
    uint64_t low, high; /* of the code */
    uint32_t shift, parts;
    uint32_t *start, *label; /* NULL: no index */
    uint32_t *reach; /* where the functions of a part and of those before end */
};

/* Who leads into the first bytes of a function, see
 * plan_image_find_branches(). */
#define PLAN_BRANCH_WORD UINT64_C(0x80000000)
struct plan_branches {
    uint64_t low;       /* start of the code: targets count from here */
    uint64_t place_low; /* start of the object: places of words count from
                           here, those in code from `low` */
    const uint64_t *at; /* target << 32 | place, in order; of a word
                           PLAN_BRANCH_WORD | place */
    uint32_t count;
    bool is_known;    /* false: nobody looked */
    bool is_cut;      /* there are more than there was room for */
    bool with_symtab; /* functions that only .symtab knows were looked at */
};

struct plan_image {
    /* How a link-time address is turned into bytes: for a mapped object
     * base + vaddr; for a file the segment's offset. plan_image_at() hides
     * it. */
    const uint8_t *bytes;
    uint64_t len_bytes; /* of a file; unused for a mapped object */
    bool is_mapped;
    uint64_t base; /* load bias of a mapped object, else 0 */
    struct plan_segment segments[PLAN_SEGMENT_MAX];
    uint32_t segment_count;
    uint8_t build_id[PLAN_BUILD_ID_MAX];
    uint32_t build_id_len;
    bool is_pie;               /* DF_1_PIE, or ET_DYN with an interpreter */
    bool is_static;            /* no interpreter and nothing needed */
    bool has_static_pie_flag;  /* both of the above */
    bool is_go;                /* .gopclntab, or a note of owner "Go" */
    bool is_symbolic;          /* DF_SYMBOLIC: binds to itself first */
    bool has_text_relocations; /* the loader writes into its code */
    /* Set by the caller, after the image was made: the process that runs this
     * object has a shadow stack (calls in a prologue are refused then). */
    bool under_shadow_stack;
    const char *soname, *interpreter; /* NULL: none */
    /* dynamic symbols */
    const void *dynsym;
    uint64_t dynsym_count;
    const char *dynstr;
    uint64_t dynstr_len;
    const uint32_t *gnu_hash; /* maybe unaligned in a file */
    uint64_t gnu_hash_words;
    const void *versym; /* one 16-bit word per dynamic symbol, or NULL */
    uint64_t verdef, verdef_count, verneed, verneed_count; /* 0: none */
    /* full symbols, if there are any */
    const void *symtab;
    uint64_t symtab_count;
    const char *strtab;
    uint64_t strtab_len;
    /* .eh_frame_hdr, .eh_frame (link-time addresses; 0: none) */
    uint64_t eh_frame_hdr, eh_frame_hdr_len;
    uint64_t eh_frame, eh_frame_len;
    uint64_t fde_table, fde_count; /* sorted table of .eh_frame_hdr */
    /* dynamic relocations (link-time addresses and byte lengths) */
    uint64_t rela, rela_len, jmprel, jmprel_len, relr, relr_len;
    uint64_t dynamic, dynamic_len; /* PT_DYNAMIC */
    uint64_t relro, relro_len;     /* read-only once relocated */
    struct plan_labels labels;
    struct plan_branches branches;
    /* NULL: the text is as it was loaded. Set by who changes text: put back
     * into `bytes`, which were read at vaddr, what stood there before. */
    void (*restore)(const struct plan_image *image, uint64_t vaddr,
                    uint8_t *bytes, uint64_t n);
};

/* 0, or -ENOEXEC (not an ELF object we know; `*why` says what is wrong with
 * it), -EINVAL (truncated or contradicting itself). */
int plan_image_map(struct plan_image *image, uint64_t base, const void *phdr,
                   size_t phdr_count, const char **why)
    __attribute__((warn_unused_result));
int plan_image_file(struct plan_image *image, const void *bytes,
                    size_t len_bytes, const char **why)
    __attribute__((warn_unused_result));
/* Take .symtab of the same object's file. Build ids must agree: -ESTALE; where
 * neither has one it is for the caller to know that it is the same file
 * (`is_same`). */
int plan_image_add_symtab(struct plan_image *image, const void *file_bytes,
                          size_t len_bytes, bool is_same)
    __attribute__((warn_unused_result));
/* Take .symtab of the object's debug file: of the same build id, or where the
 * object has none of this CRC-32. -ESTALE: it is another build's. -ENOENT: it
 * has no symbols. */
int plan_image_add_debug(struct plan_image *image, const void *file_bytes,
                         size_t len_bytes, uint32_t crc)
    __attribute__((warn_unused_result));
/* The name of its debug file that an object's file gives (.gnu_debuglink), and
 * that one's CRC-32; NULL: none. Points into the file's bytes. */
const char *plan_file_debuglink(const void *file_bytes, size_t len_bytes,
                                uint32_t *crc);
/* The same symbols from what an object's own file has packed (MiniDebugInfo):
 * unpacked, so nothing has to prove that they are of this build. -ENOENT. */
int plan_image_add_debugdata(struct plan_image *image, const void *bytes,
                             size_t len_bytes)
    __attribute__((warn_unused_result));
/* What is packed there: xz, `size` bytes in the file's; NULL: nothing. */
const void *plan_file_debugdata(const void *file_bytes, size_t len_bytes,
                                uint64_t *size);

/* `n` bytes at a link-time address, or NULL if they are not all there. */
const void *plan_image_at(const struct plan_image *image, uint64_t vaddr,
                          uint64_t n);

/* ---- symbols --------------------------------------------------------- */

struct plan_symbol {
    const char *name;           /* points into the object */
    uint64_t vaddr, size_bytes; /* size 0: unknown */
    bool is_function, is_ifunc, is_local, is_weak, is_exported;
    uint64_t index; /* in its table; set where versions are told */
};
/* By exact name: .gnu.hash (the default version where there are several),
 * then .symtab. Only defined symbols. -ENOENT. */
int plan_image_find_symbol(const struct plan_image *image, const char *name,
                           struct plan_symbol *out)
    __attribute__((warn_unused_result));
/* By exact name among the dynamic symbols alone. -ENOENT. */
int plan_image_find_dynamic(const struct plan_image *image, const char *name,
                            struct plan_symbol *out)
    __attribute__((warn_unused_result));
/* Every definition of that exact name among the dynamic symbols: one of each
 * version. `each` returns non-zero to stop; that is returned. */
int plan_image_each_version(const struct plan_image *image, const char *name,
                            int (*each)(void *context,
                                        const struct plan_symbol *symbol),
                            void *context);
/* The name of a dynamic symbol's version, by its index (plan_symbol.index,
 * plan_slot.index): as the object defines or demands it. NULL: it has none. */
const char *plan_image_version(const struct plan_image *image, uint64_t index);
/* Every defined function symbol, in table order, dynamic ones first, a name
 * at an address once. `each` returns non-zero to stop; that is returned. */
int plan_image_each_function(const struct plan_image *image,
                             int (*each)(void *context,
                                         const struct plan_symbol *symbol),
                             void *context);
/* The same of those whose name is wanted. Few should be: what else there is to
 * know of a symbol costs more than its name (NULL: all are). */
int plan_image_each_wanted(const struct plan_image *image,
                           bool (*is_wanted)(void *context, const char *name),
                           int (*each)(void *context,
                                       const struct plan_symbol *symbol),
                           void *context);
/* The same of .symtab alone, with the source file that a local symbol came
 * from (NULL: a global one, or the table does not tell). */
int plan_image_each_in_file(const struct plan_image *image,
                            int (*each)(void *context,
                                        const struct plan_symbol *symbol,
                                        const char *file),
                            void *context);
/* A function symbol that starts exactly at vaddr; exported ones first. Linear
 * in the number of symbols. -ENOENT. */
int plan_image_symbol_at(const struct plan_image *image, uint64_t vaddr,
                         struct plan_symbol *out)
    __attribute__((warn_unused_result));
/* Every function symbol that starts exactly at vaddr; exported ones first.
 * Linear without an index of labels. `each` returns non-zero to stop; that is
 * returned. */
int plan_image_each_at(const struct plan_image *image, uint64_t vaddr,
                       int (*each)(void *context,
                                   const struct plan_symbol *symbol),
                       void *context);
/* The function symbol in the code whose extent holds pc; exported ones first.
 * Linear without an index of labels. -ENOENT. */
int plan_image_symbol_around(const struct plan_image *image, uint64_t pc,
                             struct plan_symbol *out)
    __attribute__((warn_unused_result));
/* Extent of the function that starts at vaddr: FDE first, else symbol size.
 * -ENOENT: no function is known to start there. */
int plan_image_function_extent(const struct plan_image *image, uint64_t vaddr,
                               uint64_t *end)
    __attribute__((warn_unused_result));

/* For who plans many functions of one image: an index of its labels, in memory
 * of the caller's (plan_image_labels_bytes; 0: nothing to index) that must last
 * as long as the image is asked. It is of the tables as they are: give another
 * when .symtab came or went. */
size_t plan_image_labels_bytes(const struct plan_image *image);
void plan_image_index_labels(struct plan_image *image, uint32_t *memory);

/* Why Z, which takes the caller's rbp out of the stack, may carry no function
 * of a process that has this object: a phrase. NULL: nothing is known against
 * it. */
const char *plan_image_collector(const struct plan_image *image);
/* Has the object unwind tables, beyond those of the start files and of a C
 * library's static parts? Then compiled C is in them. */
bool plan_image_has_unwind(const struct plan_image *image);

/*
 * Who leads into the first bytes of a function: one pass over the code and
 * the relocated words of the object finds every branch, every address that
 * code takes and every word whose target lies within the 22 bytes behind a
 * function's start, whosever it is. On raw bytes, so it sees more than there
 * is; what is in a function's way is decoded when that one is planned.
 *
 * To be done before any text of the object is changed, and once: the answer
 * is for every function that the unwind table or a symbol table knows by then.
 * Memory is the caller's, zeroed (plan_image_branches_bytes; 0: the code
 * cannot be looked at, and nothing will be patched). Returns how much of its
 * start must last as long as the image is asked; the rest may be given back.
 */
size_t plan_image_branches_bytes(const struct plan_image *image);
size_t plan_image_find_branches(struct plan_image *image, void *memory);
/* False: it has to be done, or done anew, to plan the function at vaddr. */
bool plan_image_has_branches(const struct plan_image *image, uint64_t vaddr);

/* ---- slots: words that the loader fills with an address --------------- */

struct plan_slot {
    uint64_t vaddr;   /* of the word */
    uint32_t type;    /* R_X86_64_JUMP_SLOT, _GLOB_DAT, _64, _RELATIVE, ... */
    const char *name; /* of the symbol; NULL for _RELATIVE and _IRELATIVE */
    uint64_t addend;
    uint64_t index;       /* of the dynamic symbol; 0: none */
    bool is_defined_here; /* the symbol has a definition in this object, */
    uint64_t definition;  /* which is this (link-time address); it may be
                             interposed all the same, unless ... */
    bool is_bound_here;   /* ... it is protected, hidden or the object is
                             symbolic, or the relocation is relative */
};
/* Every relocation of JMPREL, then RELA that fills one word; DT_RELR words
 * are relative and not told: see plan_image_each_word(). `each` returns
 * non-zero to stop. */
int plan_image_each_slot(const struct plan_image *image,
                         int (*each)(void *context,
                                     const struct plan_slot *slot),
                         void *context);
/* The one that fills the word at vaddr. -ENOENT. */
int plan_image_find_slot(const struct plan_image *image, uint64_t vaddr,
                         struct plan_slot *out)
    __attribute__((warn_unused_result));
/* Every word that will hold an address in this object, as far as the object
 * itself says: of every kind of relocation, and in a program that is not
 * relocated whatever looks like one in its data. */
void plan_image_each_word(const struct plan_image *image,
                          void (*each)(void *context, uint64_t place,
                                       uint64_t target),
                          void *context);

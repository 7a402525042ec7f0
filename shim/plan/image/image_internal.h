/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files that read an object: unaligned, checked reads and the
 * steps that a mapped object and a file have in common. Private to shim/plan.
 */
#pragma once
#include "shim/plan/image/image.h"

#include <elf.h>
#include <string.h>

/* A value at a link-time address; false if it is not all there. */
static inline bool image_read(const struct plan_image *image, uint64_t vaddr,
                              void *out, size_t n)
{
    const void *at = plan_image_at(image, vaddr, n);
    if (at == NULL)
        return false;
    memcpy(out, at, n);
    return true;
}

/* How many bytes there are from vaddr to the end of its segment. */
uint64_t image_bytes_from(const struct plan_image *image, uint64_t vaddr);
bool image_is_executable(const struct plan_image *image, uint64_t vaddr);
/* Nothing changes this word once the object is loaded. */
bool image_is_constant(const struct plan_image *image, uint64_t vaddr);

/* Program headers, one by one: segments, notes, the dynamic section's and
 * the unwind table's place. -EINVAL with *why. */
int image_take_phdrs(struct plan_image *image, const Elf64_Phdr *phdr,
                     size_t count, const char **why);
int image_take_dynamic(struct plan_image *image, const char **why);
void image_take_notes(struct plan_image *image, const Elf64_Phdr *phdr);
void image_take_eh_frame_hdr(struct plan_image *image);

/* Sections of a file: the header at an index, its bytes (NULL: none), its
 * symbols into the image. */
bool image_section_get(const struct plan_image *image, const Elf64_Ehdr *header,
                       uint64_t index, Elf64_Shdr *out);
const void *image_section_bytes(const struct plan_image *image,
                                const Elf64_Shdr *section);
void image_take_symtab(struct plan_image *image, const Elf64_Ehdr *header,
                       const Elf64_Shdr *section);

/* The length of a string table up to its last NUL: below it every offset
 * names a terminated string. */
uint64_t image_strings_len(const char *strings, uint64_t len);

/* The symbol of that index in .dynsym (`dynamic`) or .symtab; false: there is
 * none. */
bool image_symbol_get(const struct plan_image *image, bool dynamic,
                      uint64_t index, Elf64_Sym *out);
/* It as planners see it: its name is the image's. False: it is not defined here
 * or has no name that can be read. */
bool image_symbol_describe(const struct plan_image *image, bool dynamic,
                           const Elf64_Sym *symbol, struct plan_symbol *out);

/* Every symbol whose value is in [from, *to), and maybe others; dynamic ones
 * first at one address. `*to` may become less on the way. `each` returns
 * non-zero to stop. */
typedef int image_label_fn(void *context, bool dynamic, const Elf64_Sym *raw);
int image_each_label(const struct plan_image *image, uint64_t from,
                     const uint64_t *to, image_label_fn *each, void *context);

/* As plan_image_symbol_around(), by the index of labels, that is there; pc is
 * in the code. */
bool image_label_around(const struct plan_image *image, uint64_t pc,
                        struct plan_symbol *out);
/* Does this symbol, a function, hold pc? Described then. One of .symtab that
 * .dynsym told already does not. */
bool image_symbol_holds(const struct plan_image *image, bool dynamic,
                        const Elf64_Sym *raw, uint64_t pc,
                        struct plan_symbol *out);

/* Where the code is: [*low, *high). False: there is none. */
bool image_code_range(const struct plan_image *image, uint64_t *low,
                      uint64_t *high);
/* Not relocated when it is loaded: addresses are constants in its code. */
bool image_is_fixed(const struct plan_image *image);

/* ---- raw code: every place where a branch or an address may stand -------- */

enum image_field_kind {
    IMAGE_FIELD_CALL,
    IMAGE_FIELD_JUMP,    /* jmp, jcc with 32 bits */
    IMAGE_FIELD_LEA,     /* lea disp(%rip) */
    IMAGE_FIELD_ADDRESS, /* another operand disp(%rip) */
};
/* One bit for each of the 16 bytes at `p` that a 32-bit distance may follow;
 * p[-1] must be readable. */
uint32_t image_field_mask(const uint8_t *p);
/* What the byte at p, whose bit was set, says that it is. */
enum image_field_kind image_field_kind(const uint8_t *p);

/* A stretch of code to look at. */
struct image_code {
    const uint8_t *bytes;
    uint64_t len;
    uint64_t span; /* of all the code, at most 2^30: what leads further may be
                      left out */
    bool is_wide;  /* image_code_is_wide() */
};
enum {
    IMAGE_FIELDS_MAX = 512
};
/* Places of a stretch where a distance may stand: of the byte before it. */
struct image_fields {
    uint32_t count;
    uint64_t at[IMAGE_FIELDS_MAX];
};
/* Has this CPU AVX2, and what came with it? */
bool image_code_is_wide(void);
/* The next places from *from (0 at first), which goes on. False: that was
 * all. */
bool image_code_next(const struct image_code *code, uint64_t *from,
                     struct image_fields *out);
/* As image_code_next(), of every word, wherever it begins, that may be in
 * [low, low + span]; some others are told as well. */
bool image_code_next_constant(const struct image_code *code, uint64_t low,
                              uint64_t *from, struct image_fields *out);

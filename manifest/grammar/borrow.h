/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the debug information knows, as C that was made of it outside of the
 * traced process: read before the manifest, which wins over it. What is missing
 * is asked for, by name, so that no more of it need be written than is used;
 * whoever checks a manifest is told where the two contradict each other.
 */
#pragma once
#include "manifest/grammar/grammar.h"

/* ---- borrow.c: asking, keeping ---------------------------------------- */

/* A type or constant of this name is not known, or is to be compared: the host
 * is asked for it. Nothing happens where nobody asks. */
void borrow_want(struct parser *p, enum manifest_want_kind kind,
                 const char *name);
/* The same for any question. */
void borrow_ask(struct parser *p, const struct manifest_want *want);
/* host->types: keep it under the name it was wanted by. */
void borrow_keep(struct parser *p, const struct declaration *d);

/* ---- compare.c: contradictions; each is a message --------------------- */

/* Would one be read as the other is? An opaque one is not judged. */
bool borrow_is_alike(const struct manifest_type *a,
                     const struct manifest_type *b);
/* The manifest's record stands for elements, of which the size matters. */
void borrow_compare_size(struct parser *p, struct mark at,
                         const struct manifest_type *type);
/* Would the parameters of this function type be those of `said`? */
bool borrow_fits(const struct manifest_type *function, const struct name *said);
/* Or those of any of that name? */
bool borrow_any_fits(const struct manifest_type *function,
                     const struct name *said);
/* A member of the manifest against the borrowed record of the same tag. */
void borrow_compare_member(struct parser *p, const struct type *borrowed,
                           const struct manifest_member *member,
                           struct mark at);
/* A typedef or an enum constant of the manifest against the borrowed one of the
 * same name; a prototype against that of the function it names. */
void borrow_compare_typedef(struct parser *p, struct name *name,
                            const struct declarator *d);
void borrow_compare_constant(struct parser *p, struct mark at,
                             const struct name *name, int64_t value);
void borrow_compare_prototype(struct parser *p, const struct declaration *d,
                              const struct name *name);

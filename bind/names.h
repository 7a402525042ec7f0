/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a declaration says which function it means, and what compilers make of
 * a function's name. Pure. [any thread]
 */
#pragma once
#include "manifest/manifest.h"

/* "ns::load(int)": as people read C++ and Rust, not as symbol tables have it.
 */
bool bind_is_readable(const char *name);
/* The plain symbol name that it asks for; NULL: it asks otherwise. */
const char *bind_exact_name(const struct manifest_decl *decl);
/* The readable name that it gives; NULL: it asks otherwise. */
const char *bind_readable_name(const struct manifest_decl *decl);
/* The glob on readable names that it gives; NULL: it asks otherwise. */
const char *bind_readable_glob(const struct manifest_decl *decl);
/* What it asks for as it is written: glob, symbol, identifier, else label; ""
 * if it has none of them. Never NULL. */
const char *bind_written_name(const struct manifest_decl *decl);

/* Do its calls become spans? Else it carries, links, hands out ... */
bool bind_makes_spans(const struct manifest_decl *decl);

/* "work.constprop.0": made by the compiler, with arguments of its own. */
bool bind_is_clone(const char *symbol);
/*
 * Is `symbol` what a compiler made of the whole function `name`: a clone, or
 * the same under another name (".llvm.123", ".__uniq.123")? Its parts (.cold,
 * .part.0) are not, nor what has a suffix that nobody here knows.
 */
bool bind_is_made_of(const char *symbol, const char *name);
/* The identifier of a function of C++ that is in no namespace and no template,
 * "load" of "_Z4loadi": its bytes, not terminated; NULL: it is none. clang
 * names static functions of C like that, too (-funique-internal-linkage-names).
 */
const char *bind_global_part(const char *symbol, size_t *len);
/* Is it such a function of this name, whole? */
bool bind_is_global(const char *symbol, const char *name);
/* Can its prototype, if it has one, be that of such a function? False: what it
 * says of how many and what is contradicted by the symbol. */
bool bind_global_fits(const char *symbol, const struct manifest_decl *decl);
/* From a dot on: suffixes of whole functions alone? */
bool bind_is_whole(const char *dot);
/* The bytes of the name of the function whose cold half this is; 0: it is
 * none. Calls never go there. */
size_t bind_cold_half_of(const char *symbol);
/* Cut off what a demangler says of suffixes (" [clone .llvm.1]") where the
 * symbol is a whole function all the same. */
void bind_cut_suffix(const char *symbol, char *readable);
/* Does a readable name match a glob: whole, without the type that a template's
 * instance returns, or without its parameters? */
bool bind_match_readable(const char *glob, const char *readable);
/* An identifier that stands whole in every readable name that matches, and so
 * in its mangled name; NULL: there is none. Not terminated. */
const char *bind_glob_part(const char *glob, size_t *len);

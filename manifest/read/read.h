/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest from its first byte to its last; the contract of manifest_parse()
 * is in manifest.h. Only manifest/read includes it. */
#pragma once
#include "manifest/meaning/meaning.h"

/* parse.c: a file, of the manifest or that it includes, or the types of the
 * debug information. What is wrong in it is reported; an included one leaves
 * the tokens and the scope as they were. */
void parse_source(struct parser *p, const struct source *src);
/* statements.c: `[[directive, attribute...]];` from the `;` on. False:
 * reported, and the `;` is not behind us. */
bool parse_statement(struct parser *p, const struct attribute *attrs);
/* "of any object": the scope before the first [[object(...)]]. */
extern const struct manifest_object statement_any_object;

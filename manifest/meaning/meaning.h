/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the tree to the compiled form that manifest.h has: what a declaration
 * and its attributes mean, where its parameters are, the code of its
 * expressions. Only manifest/ includes it; errors and memory as
 * manifest/text/parser.h has them.
 */
#pragma once
#include "manifest/grammar/grammar.h"

/* ---- expressions ------------------------------------------------------ */

/* compile.c: names and types; the code for eval.c */
enum expr_use {
    USE_INPUT, /* no return, no errno */
    USE_OUTPUT,
    USE_CONDITION, /* after the call, a number */
    USE_KEY,       /* carry and its like: a number or address */
    USE_PROGRAM,   /* exit and constants only */
};
struct compiled {
    const struct manifest_expr *expr;
    const struct manifest_type *ctype;
    const struct manifest_type *record; /* a whole one: by its members */
    bool is_unknown; /* its place is not known: drop it, no error */
};
/* compile_item.c. False: reported. True with out->is_unknown: it goes without.
 */
bool compile_expression(struct parser *p, const struct manifest_decl *decl,
                        const struct node *node, enum expr_use use,
                        struct compiled *out);
/* The value of a whole parameter (index) or of the return value (-1), as
 * it is captured without being named: no text. NULL: not a scalar. */
const struct manifest_expr *compile_implied(struct parser *p,
                                            const struct manifest_decl *decl,
                                            int32_t index, bool with_text);
/* Is every name in it known? Reports the first that is not. */
bool compile_check_names(struct parser *p, const struct manifest_decl *decl,
                         const struct node *node);

/* ---- declarations ----------------------------------------------------- */

/* declare.c: append it to the manifest. `p->failed` makes it a disabled one. */
void declare(struct parser *p, const struct declaration *d);
/* The same for an annotated typedef, which is not in the manifest. */
const struct manifest_decl *declare_rules(struct parser *p,
                                          const struct declaration *d);
/* True if it was a setting; a bad value is reported. */
bool settings_apply(struct parser *p, struct manifest_settings *settings,
                    const struct attribute *attr);
/* captures.c: items, rules and secrets of a declaration */
bool declare_captures(struct parser *p, const struct attribute *attrs,
                      struct manifest_decl *decl);
bool declare_flows(struct parser *p, const struct attribute *attrs,
                   struct manifest_decl *decl);
/* fails or benign; decl NULL: of a program */
bool declare_rules_of(struct parser *p, const struct attribute *attrs,
                      enum attribute_kind kind,
                      const struct manifest_decl *decl, enum expr_use use,
                      const struct manifest_rule **rules, uint32_t *count);
/* prototype.c: the prototype of `d`, from the types or compared with them. What
 * is said of its functions, or NULL. */
const struct name *borrow_prototype(struct parser *p, struct declaration *d,
                                    struct manifest_decl *decl);

/* ---- places ----------------------------------------------------------- */

/* place.c: psABI 3.2.3: fills in every place. */
void place_function(const struct manifest_type *result,
                    struct manifest_place *result_place,
                    struct manifest_param *params, uint32_t param_count);
/* placement.c: where the compiler put the parameters, of which `params` has
 * the psABI's places. */
void placement_apply(struct parser *p, const struct declaration *d,
                     struct manifest_decl *decl, struct manifest_param *params,
                     const struct name *said);

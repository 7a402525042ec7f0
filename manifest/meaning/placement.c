/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the compiler put the parameters of a function, as its debug
 * information says, against where psABI 3.2.3 has them. Compilers drop and
 * move parameters of functions that nobody else can call. Where the two
 * differ there is no value, and a message says why. Of several functions of
 * one name those that differ from the first that fits have none.
 *
 * What is said (tools/dwarf/types_function.c) is a text, "?: rdi, -, +8": the
 * result, then each parameter.
 */
#include "manifest/grammar/borrow.h"
#include "manifest/meaning/meaning.h"

#include <string.h>

enum said_kind {
    SAID_NOTHING, /* "?" */
    SAID_ABSENT,  /* "-" */
    SAID_LATER,   /* "~" */
    SAID_MEMORY,  /* "=" */
    SAID_KEPT,    /* "%" */
    SAID_FOREIGN, /* "^" */
    SAID_PLACE,
};
struct said {
    enum said_kind kind;
    struct manifest_place place;
    const char *text; /* not ended */
    uint32_t len;
    bool is_weak;                   /* "!": it may come there only later */
    bool lacks_first, lacks_second; /* 8 bytes of 16: "-:rsi", "rdi:-" */
};
enum verdict {
    VERDICT_FINE,
    VERDICT_TAKEN, /* only the debug information knows: believed */
    VERDICT_SECOND_ONLY,
    VERDICT_FIRST_ONLY,
    VERDICT_LATER,
    VERDICT_UNFILLED, /* on the stack, perhaps not written by the caller */
    VERDICT_ABSENT,
    VERDICT_MOVED,
    VERDICT_FOREIGN,
    VERDICT_DOUBTFUL, /* not told, but others were moved */
};
enum {
    NO_REGISTER = 99 /* one that passes no parameters */
};
/* Of one function, each parameter. */
struct verdicts {
    uint8_t of[LIMIT_PARAMS];
    bool has_no_result, has_foreign_result, is_broken;
};

/* ---- the text ----------------------------------------------------------- */

static bool is_text(const char *text, uint32_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool read_number(const char *text, uint32_t len, uint32_t *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || n > 1 << 26)
            return false;
        n = n * 10 + (uint32_t)(text[i] - '0');
    }
    *out = n;
    return len != 0;
}

static void read_register(const char *text, uint32_t len,
                          enum manifest_place_kind *kind, uint32_t *index)
{
    static const char *const names[] = {"rdi", "rsi", "rdx", "rcx", "r8", "r9"};
    *kind = MANIFEST_IREG;
    *index = NO_REGISTER;
    for (uint32_t i = 0; i < 6; i++)
        if (is_text(text, len, names[i]))
            *index = i;
    if (len > 3 && memcmp(text, "xmm", 3) == 0 &&
        read_number(text + 3, len - 3, index))
        *kind = MANIFEST_FREG;
}

static struct said read_one(const char *text, uint32_t len)
{
    bool is_weak = len && *text == '!';
    text += is_weak;
    len -= is_weak;
    struct said said = {
        .kind = SAID_PLACE, .text = text, .len = len, .is_weak = is_weak};
    struct manifest_place *place = &said.place;
    uint32_t first = 0;
    while (first < len && text[first] != ':')
        first++;
    bool is_pointer = len && *text == '*';
    if (!len || is_text(text, len, "?")) {
        said.kind = SAID_NOTHING;
    } else if (is_text(text, len, "-")) {
        said.kind = SAID_ABSENT;
    } else if (is_text(text, len, "~")) {
        said.kind = SAID_LATER;
    } else if (is_text(text, len, "=")) {
        said.kind = SAID_MEMORY;
    } else if (is_text(text, len, "%")) {
        said.kind = SAID_KEPT;
    } else if (is_text(text, len, "^")) {
        said.kind = SAID_FOREIGN;
    } else if (*text == '+') {
        place->kind = MANIFEST_STACK;
        if (!read_number(text + 1, len - 1, &place->index))
            said.kind = SAID_NOTHING;
    } else {
        read_register(text + is_pointer, first - is_pointer, &place->kind,
                      &place->index);
        if (first < len)
            read_register(text + first + 1, len - first - 1,
                          &place->second_kind, &place->second_index);
        said.lacks_first = first == 1 && *text == '-';
        said.lacks_second = first + 2 == len && text[len - 1] == '-';
    }
    return said;
}

/* The next part of `*at`, up to `end` or the text's end. */
static struct said next_said(const char **at, char end)
{
    const char *start = *at;
    uint32_t len = 0;
    while (*start == ' ')
        start++;
    while (start[len] && start[len] != end)
        len++;
    *at = start + len + (start[len] == end);
    return read_one(start, len);
}

/* ---- verdicts ----------------------------------------------------------- */

static bool is_scalar(const struct manifest_type *t)
{
    return (t->kind == MANIFEST_INT || t->kind == MANIFEST_BOOL ||
            t->kind == MANIFEST_POINTER || t->kind == MANIFEST_FLOAT) &&
           t->size_bytes <= 8;
}

/* One half of a record in registers: its other one is where the psABI has it?
 */
static enum verdict judge_half(const struct manifest_place *here,
                               const struct said *said)
{
    const struct manifest_place *there = &said->place;
    bool is_first = said->lacks_second;
    uint32_t index = is_first ? there->index : there->second_index;
    enum manifest_place_kind kind = is_first ? there->kind : there->second_kind;
    if (here->kind == MANIFEST_STACK)
        return VERDICT_UNFILLED;
    /* each half is an argument of its own to clang: where one is dropped the
     * next may have moved into its register */
    if (index == NO_REGISTER)
        return VERDICT_DOUBTFUL;
    if (kind != (is_first ? here->kind : here->second_kind) ||
        index != (is_first ? here->index : here->second_index))
        return VERDICT_MOVED;
    return is_first ? VERDICT_FIRST_ONLY : VERDICT_SECOND_ONLY;
}

static enum verdict judge(const struct manifest_param *param,
                          const struct said *said)
{
    const struct manifest_place *here = &param->place, *there = &said->place;
    if (said->kind == SAID_FOREIGN)
        return VERDICT_FOREIGN;
    if (here->kind == MANIFEST_NOWHERE || said->kind == SAID_NOTHING)
        return VERDICT_FINE;
    if (said->kind == SAID_KEPT)
        return here->kind == MANIFEST_STACK ? VERDICT_LATER : VERDICT_FINE;
    if (said->kind == SAID_MEMORY)
        return here->kind == MANIFEST_STACK ? VERDICT_UNFILLED : VERDICT_FINE;
    if (said->kind != SAID_PLACE)
        return said->kind == SAID_LATER ? VERDICT_LATER : VERDICT_ABSENT;
    if (here->kind == MANIFEST_UNKNOWN)
        return is_scalar(param->type) && !said->is_weak &&
                       !there->second_kind && there->index != NO_REGISTER
                   ? VERDICT_TAKEN
                   : VERDICT_FINE;
    if (said->lacks_first || said->lacks_second)
        return judge_half(here, said);
    bool is_same = here->kind == there->kind && here->index == there->index;
    bool is_second_same = here->second_kind == there->second_kind &&
                          here->second_index == there->second_index;
    return is_same && (!there->second_kind || is_second_same) ? VERDICT_FINE
                                                              : VERDICT_MOVED;
}

static void judge_all(const struct manifest_param *params, uint32_t count,
                      const char *args, struct verdicts *out)
{
    const char *at = args ? args : "";
    bool is_told[LIMIT_PARAMS];
    *out = (struct verdicts){.is_broken = false};
    struct said result = next_said(&at, ':');
    out->has_foreign_result = result.kind == SAID_FOREIGN;
    out->has_no_result = result.kind == SAID_ABSENT || out->has_foreign_result;
    for (uint32_t i = 0; i < count; i++) {
        struct said said = next_said(&at, ',');
        out->of[i] = (uint8_t)judge(&params[i], &said);
        is_told[i] = (said.kind != SAID_NOTHING && said.kind != SAID_MEMORY &&
                      said.kind != SAID_KEPT) ||
                     params[i].place.kind == MANIFEST_NOWHERE;
        out->is_broken |=
            out->of[i] == VERDICT_ABSENT || out->of[i] == VERDICT_MOVED;
    }
    /* where nobody else can call it, halves of 128 bits go without a word */
    bool is_doubtful = out->is_broken || out->has_no_result;
    for (uint32_t i = 0; i < count && is_doubtful; i++)
        if (!is_told[i] || out->of[i] == VERDICT_TAKEN)
            out->of[i] = VERDICT_DOUBTFUL;
}

static const char *why_not(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ABSENT:
        return " has no value: it is not passed, says the debug information";
    case VERDICT_LATER:
        return " has no value: the debug information does not say where it is "
               "when the function is called, only later";
    case VERDICT_FOREIGN:
        return " has no value: the function has a calling convention of its "
               "own, says the debug information";
    case VERDICT_UNFILLED:
        return " has no value: it is passed in memory, which clang does not "
               "fill where the function does not read it";
    default:
        return " has no value: the compiler may have changed the arguments, "
               "and "
               "where this one is is not told";
    }
}

static void tell(struct parser *p, const struct declaration *d,
                 const struct manifest_param *param, uint32_t index,
                 enum verdict verdict, const struct said *said)
{
    char digits[21];
    const struct type *function = type_of(d->type);
    struct mark at = function->marks ? function->marks[index] : d->at;
    const char *name =
        param->name ? param->name : parser_decimal(index + 1u, digits);
    const char *place = parser_copy(p, said->text, said->len);
    if (at.src != d->at.src)
        at = d->at; /* the manifest has the name alone */
    if (!place)
        return;
    if (verdict == VERDICT_FIRST_ONLY || verdict == VERDICT_SECOND_ONLY)
        parser_report(p, MANIFEST_NOT_YET, at, "the ",
                      verdict == VERDICT_FIRST_ONLY ? "last" : "first",
                      " 8 bytes of parameter ", name,
                      " have no value: they are not passed, says the debug "
                      "information",
                      NULL);
    else if (verdict == VERDICT_MOVED)
        parser_report(p, MANIFEST_NOT_YET, at, "parameter ", name,
                      " has no value: the compiler changed its arguments, the "
                      "debug information has it in ",
                      place, NULL);
    else
        parser_report(p, MANIFEST_NOT_YET, at, "parameter ", name,
                      why_not(verdict), NULL);
}

static void set_absent(struct manifest_place *place, enum verdict verdict)
{
    if (verdict == VERDICT_FIRST_ONLY)
        place->second_kind = MANIFEST_ABSENT;
    else if (verdict == VERDICT_SECOND_ONLY)
        place->kind = MANIFEST_ABSENT;
    else
        *place = (struct manifest_place){.kind = MANIFEST_ABSENT};
}

static void apply(struct parser *p, const struct declaration *d,
                  struct manifest_decl *decl, struct manifest_param *params,
                  const struct name *said)
{
    struct verdicts verdicts;
    const char *at = said->args ? said->args : "";
    judge_all(params, decl->param_count, said->args, &verdicts);
    (void)next_said(&at, ':');
    for (uint32_t i = 0; i < decl->param_count; i++) {
        struct said one = next_said(&at, ',');
        enum verdict verdict = verdicts.of[i];
        if (verdict == VERDICT_TAKEN)
            params[i].place = one.place;
        if (verdict <= VERDICT_TAKEN)
            continue;
        set_absent(&params[i].place, verdict);
        tell(p, d, &params[i], i, verdict, &one);
    }
    if (!verdicts.has_no_result || decl->return_place.kind == MANIFEST_NOWHERE)
        return;
    decl->return_place = (struct manifest_place){.kind = MANIFEST_ABSENT};
    parser_report(p, MANIFEST_NOT_YET, d->at, "the result of '", decl->name,
                  verdicts.has_foreign_result
                      ? "' has no value: the function has a calling convention "
                        "of its own"
                      : "' has no value: nobody uses it, so the compiler may "
                        "have left it away",
                  NULL);
}

/* ---- several functions -------------------------------------------------- */

/* "libx.so:0x1150" */
static bool read_where(struct parser *p, const char *where,
                       struct manifest_other *out)
{
    const char *colon = where ? strstr(where, ":0x") : NULL;
    if (!colon)
        return false;
    out->vaddr = 0;
    for (const char *at = colon + 3; *at; at++)
        out->vaddr = out->vaddr << 4 |
                     (uint64_t)(*at >= 'a' ? *at - 'a' + 10 : *at - '0');
    out->object = parser_copy(p, where, (size_t)(colon - where));
    return out->object != NULL;
}

static bool is_same(const struct verdicts *a, const struct verdicts *b,
                    uint32_t count)
{
    return a->has_no_result == b->has_no_result &&
           memcmp(a->of, b->of, count) == 0;
}

static void set_others(struct parser *p, const struct declaration *d,
                       struct manifest_decl *decl,
                       const struct manifest_param *params,
                       const struct name *first, const struct name *chosen)
{
    struct verdicts wanted, verdicts;
    uint32_t count = 0;
    for (const struct name *n = first; n; n = n->more)
        count++;
    struct manifest_other *others =
        parser_alloc_array(p, count, sizeof *others);
    if (!others)
        return;
    judge_all(params, decl->param_count, chosen->args, &wanted);
    decl->others = others;
    for (const struct name *n = first; n; n = n->more) {
        struct manifest_other *other = &others[decl->other_count];
        judge_all(params, decl->param_count, n->args, &verdicts);
        bool is_other_type = !borrow_fits(d->type, n);
        bool is_like =
            !is_other_type && is_same(&wanted, &verdicts, decl->param_count);
        if ((n == chosen || is_like) && (is_other_type || !decl->symbol))
            continue;
        other->why = is_like ? NULL
                     : is_other_type
                         ? "its parameters differ from this prototype"
                         : "the compiler changed its arguments";
        decl->other_count += read_where(p, n->where, other);
    }
}

bool manifest_decl_other(const struct manifest_decl *decl,
                         const char *object_basename, uint64_t vaddr,
                         const char **why)
{
    *why = NULL;
    for (uint32_t i = 0; i < decl->other_count; i++)
        if (decl->others[i].vaddr == vaddr &&
            strcmp(decl->others[i].object, object_basename) == 0) {
            *why = decl->others[i].why;
            return true;
        }
    return false;
}

void placement_apply(struct parser *p, const struct declaration *d,
                     struct manifest_decl *decl, struct manifest_param *params,
                     const struct name *said)
{
    const struct name *chosen = said;
    while (chosen && !borrow_fits(d->type, chosen))
        chosen = chosen->more;
    if (!said || decl->param_count > LIMIT_PARAMS)
        return;
    if (!chosen) /* a contradiction; the manifest wins, but for several */
        chosen = said;
    if (said->more || decl->match || decl->symbol)
        set_others(p, d, decl, params, said, chosen);
    if (borrow_fits(d->type, chosen))
        apply(p, d, decl, params, chosen);
}

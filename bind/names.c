/* SPDX-License-Identifier: Apache-2.0 */
/* See names.h. */
#include "bind/names.h"
#include "shim/plan/names/cxx_name.h"
#include <string.h>

bool bind_is_readable(const char *name)
{
    return strchr(name, '(') || strstr(name, "::") || strchr(name, ' ');
}

const char *bind_exact_name(const struct manifest_decl *decl)
{
    const char *name = decl->symbol ? decl->symbol : decl->ident;
    if (decl->has_at || decl->match || !name ||
        (decl->symbol && bind_is_readable(name)))
        return NULL;
    return name;
}

const char *bind_readable_name(const struct manifest_decl *decl)
{
    return !decl->has_at && !decl->match && decl->symbol &&
                   bind_is_readable(decl->symbol)
               ? decl->symbol
               : NULL;
}

const char *bind_readable_glob(const struct manifest_decl *decl)
{
    return !decl->has_at && decl->match && bind_is_readable(decl->match)
               ? decl->match
               : NULL;
}

const char *bind_written_name(const struct manifest_decl *decl)
{
    return decl->match    ? decl->match
           : decl->symbol ? decl->symbol
           : decl->ident  ? decl->ident
           : decl->name   ? decl->name
                          : "";
}

bool bind_makes_spans(const struct manifest_decl *decl)
{
    return (decl->roles & (MANIFEST_SPAN | MANIFEST_ROOT | MANIFEST_BEGIN)) !=
           0;
}

/* ---- suffixes ------------------------------------------------------------ */

/* GCC: gcc/cgraphclones.cc, ipa-*.cc. LLVM: Transforms/IPO. */
enum suffix {
    SUFFIX_UNKNOWN,
    SUFFIX_RENAMED, /* the same function, with the same arguments */
    SUFFIX_CLONE,   /* the same body, with other arguments */
    SUFFIX_PIECE,   /* a part of the body */
};
static const struct {
    const char *word;
    enum suffix kind;
} suffixes[] = {
    {".constprop", SUFFIX_CLONE},     {".isra", SUFFIX_CLONE},
    {".lto_priv", SUFFIX_RENAMED},    {".specialized", SUFFIX_CLONE},
    {".argprom", SUFFIX_CLONE},       {".argelim", SUFFIX_CLONE},
    {".retelim", SUFFIX_CLONE},       {".llvm", SUFFIX_RENAMED},
    {".__uniq", SUFFIX_RENAMED},      {".localalias", SUFFIX_RENAMED},
    {".local_alias", SUFFIX_RENAMED}, {".part", SUFFIX_PIECE},
    {".cold", SUFFIX_PIECE},          {".__part", SUFFIX_PIECE},
};

/* What stands at `at` (a dot), and where it ends: behind its number, if it has
 * one. */
static enum suffix read_suffix(const char **at)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        size_t len = strlen(suffixes[i].word);
        if (strncmp(*at, suffixes[i].word, len) != 0 ||
            ((*at)[len] != '.' && (*at)[len] != '\0'))
            continue;
        *at += len;
        if ((*at)[0] == '.' && (*at)[1] >= '0' && (*at)[1] <= '9')
            *at += 1 + strspn(*at + 1, "0123456789");
        return suffixes[i].kind;
    }
    return SUFFIX_UNKNOWN;
}

bool bind_is_clone(const char *symbol)
{
    for (const char *at = symbol; (at = strchr(at, '.')); at++) {
        const char *behind = at;
        enum suffix kind = at > symbol ? read_suffix(&behind) : SUFFIX_UNKNOWN;
        bool is_cold = strncmp(at, ".cold", 5) == 0;
        if (kind == SUFFIX_CLONE || (kind == SUFFIX_PIECE && !is_cold))
            return true;
    }
    return false;
}

bool bind_is_whole(const char *at)
{
    if (*at != '.')
        return false;
    while (*at == '.') {
        enum suffix kind = read_suffix(&at);
        if (kind != SUFFIX_CLONE && kind != SUFFIX_RENAMED)
            return false;
    }
    return *at == '\0';
}

bool bind_is_made_of(const char *symbol, const char *name)
{
    size_t len = strlen(name);
    return strncmp(symbol, name, len) == 0 && bind_is_whole(symbol + len);
}

void bind_cut_suffix(const char *symbol, char *readable)
{
    const char *dot = strchr(symbol, '.');
    char *said =
        dot && bind_is_whole(dot) ? strstr(readable, " [clone ") : NULL;
    if (said)
        *said = '\0';
}

size_t bind_cold_half_of(const char *symbol)
{
    const char *at = symbol;
    while ((at = strstr(at + (at != symbol), ".cold")))
        if (at > symbol && (at[5] == '\0' || at[5] == '.'))
            return (size_t)(at - symbol);
    return 0;
}

/* ---- readable names -------------------------------------------------------
 */

enum {
    SPELLED_BYTES = 1024, /* of a name; longer ones match as a whole alone */
    GLOB_BYTES = 512,
};

static bool match_between(const char *glob, const char *from, const char *end)
{
    char text[SPELLED_BYTES];
    size_t len = (size_t)(end - from);
    if (len >= sizeof(text))
        return false;
    memcpy(text, from, len);
    text[len] = '\0';
    return manifest_match_glob(glob, text);
}

/* Without blanks and ABI tags, in the name and in the glob. */
static bool match_spelled(const char *glob, const char *from, const char *end)
{
    char text[SPELLED_BYTES];
    return name_spell(from, end, text, sizeof(text)) < sizeof(text) &&
           manifest_match_glob(glob, text);
}

bool bind_match_readable(const char *glob, const char *readable)
{
    char spelled[GLOB_BYTES];
    const char *untyped = name_skip_return_type(readable);
    const char *params = name_parameters(untyped);
    const char *end = params + strlen(params);
    if (manifest_match_glob(glob, readable) ||
        manifest_match_glob(glob, untyped) ||
        match_between(glob, untyped, params))
        return true;
    return name_spell(glob, glob + strlen(glob), spelled, sizeof(spelled)) <
               sizeof(spelled) &&
           (match_spelled(spelled, readable, end) ||
            match_spelled(spelled, untyped, end) ||
            match_spelled(spelled, untyped, params));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9');
}

/* "ns::" or "ns(": before a star an identifier may go on. `std` and its like
 * have letters of their own in mangled names, so the longest one counts. */
const char *bind_glob_part(const char *glob, size_t *len)
{
    const char *best = NULL;
    *len = 3;
    if (strchr(glob, '[') || strchr(glob, '{') || strchr(glob, '\\') ||
        strstr(glob, "operator"))
        return NULL;
    for (const char *at = glob; *at;) {
        size_t n = 0;
        while (is_letter(at[n]))
            n++;
        bool is_whole_word = (at[n] == ':' || at[n] == '(' || at[n] == '<') &&
                             (at == glob || !strchr("*?", at[-1]));
        if (n > *len && is_whole_word && !name_is_abbreviated(at, n)) {
            best = at;
            *len = n;
        }
        at += n ? n : 1;
    }
    return best;
}

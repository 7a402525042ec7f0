/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Globs of match(), object() and program(), and which programs a declaration
 * is for. One place to return to (the last star) makes it linear in the
 * product of both lengths; no recursion.
 */
#include "manifest/manifest.h"

/* A class behind '[': *pattern moves behind ']'. False: it is no class. */
static bool match_class(const char **pattern, char c, bool *matches)
{
    const char *at = *pattern;
    bool invert = *at == '!' || *at == '^', found = false;
    at += invert;
    for (bool first = true; *at != ']' || first; first = false) {
        if (*at == '\0')
            return false;
        unsigned char low = (unsigned char)*at++, high = low;
        if (at[0] == '-' && at[1] != ']' && at[1] != '\0') {
            high = (unsigned char)at[1];
            at += 2;
        }
        found |= (unsigned char)c >= low && (unsigned char)c <= high;
    }
    *pattern = at + 1;
    *matches = found != invert;
    return true;
}

/* One character; *pattern moves on if it matched. */
static bool match_one(const char **pattern, char c)
{
    const char *at = *pattern;
    bool matches;
    if (*at == '[') {
        const char *behind = at + 1;
        if (match_class(&behind, c, &matches)) {
            *pattern = behind;
            return matches;
        }
    }
    if (*at == '\\' && at[1] != '\0')
        at++;
    else if (*at == '?') {
        *pattern = at + 1;
        return true;
    }
    *pattern = at + 1;
    return *at != '\0' && *at == c;
}

bool manifest_match_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        const char *next = pattern;
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern && match_one(&next, *text)) {
            pattern = next;
            text++;
        } else if (star) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool manifest_decl_applies(const struct manifest_decl *decl,
                           const char *program_basename)
{
    for (uint32_t i = 0; i < decl->program_count; i++)
        if (manifest_match_glob(decl->programs[i].pattern, program_basename))
            return true;
    return decl->program_count == 0;
}

static bool is_named(const struct manifest *manifest, const char *program)
{
    for (uint32_t i = 0; i < manifest->program_count; i++)
        if (manifest_match_glob(manifest->programs[i].pattern, program))
            return true;
    return manifest->program_count == 0;
}

const char *manifest_program_name(const struct manifest *manifest,
                                  const char *called, const char *executable)
{
    return is_named(manifest, called)       ? called
           : is_named(manifest, executable) ? executable
                                            : NULL;
}

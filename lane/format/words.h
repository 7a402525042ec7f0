/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word of the environment that both halves read the same way. No libc: the
 * preload asks before libc is set up.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

static inline bool lane_is_word(const char *text, const char *word)
{
    size_t i = 0;
    for (; text[i] && word[i]; i++) {
        char c =
            text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
        if (c != word[i])
            return false;
    }
    return text[i] == word[i];
}

/* HANDSPAN_DISABLED: whoever sets it wants nothing to happen, so all but a
 * plain no is a yes. NULL and "": not set. */
static inline bool lane_is_disabled(const char *value)
{
    static const char *const no[] = {"", "0", "n", "no", "off", "f", "false"};
    for (size_t i = 0; value && i < sizeof no / sizeof *no; i++)
        if (lane_is_word(value, no[i]))
            return false;
    return value != NULL;
}

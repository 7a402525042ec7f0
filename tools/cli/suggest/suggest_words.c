/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name says: work (read, decode, dispatch) or a helper (get, free,
 * strdup). Words are parts between underscores and changes of case, without
 * digits at their end.
 */
#include "tools/cli/suggest/suggest.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* In order: they are searched. Work counts 2, a helper -1. */
static const struct word {
    char text[12];
    int score;
} words[] = {
    {"accept", 2},    {"alloc", -1},      {"build", 2},    {"callback", 2},
    {"calloc", -1},   {"cb", 2},          {"class", -1},   {"clear", -1},
    {"clone", -1},    {"close", 2},       {"cmp", -1},     {"commit", 2},
    {"compare", -1},  {"compile", 2},     {"compress", 2}, {"connect", 2},
    {"consume", 2},   {"convert", 2},     {"copy", -1},    {"count", -1},
    {"create", -1},   {"debug", -1},      {"decode", 2},   {"decompress", 2},
    {"deflate", 2},   {"delete", -1},     {"demux", 2},    {"destroy", -1},
    {"dispatch", 2},  {"download", 2},    {"dump", -1},    {"dup", -1},
    {"encode", 2},    {"equal", -1},      {"error", -1},   {"escape", -1},
    {"exec", 2},      {"execute", 2},     {"export", 2},   {"extract", 2},
    {"fetch", 2},     {"filter", 2},      {"find", 2},     {"flush", 2},
    {"free", -1},     {"from", -1},       {"get", -1},     {"handle", 2},
    {"handler", 2},   {"has", -1},        {"hash", -1},    {"help", -1},
    {"import", 2},    {"inflate", 2},     {"insert", 2},   {"is", -1},
    {"iter", -1},     {"iterator", -1},   {"launch", 2},   {"launchv", 2},
    {"len", -1},      {"length", -1},     {"list", -1},    {"load", 2},
    {"lock", -1},     {"log", -1},        {"malloc", -1},  {"merge", 2},
    {"message", -1},  {"mutex", -1},      {"mux", 2},      {"name", -1},
    {"names", -1},    {"new", -1},        {"next", -1},    {"open", 2},
    {"opt", -1},      {"option", -1},     {"options", -1}, {"parse", 2},
    {"peek", -1},     {"perform", 2},     {"pop", 2},      {"predict", 2},
    {"prepare", 2},   {"prev", -1},       {"print", -1},   {"printf", -1},
    {"process", 2},   {"publish", 2},     {"pull", 2},     {"push", 2},
    {"quark", -1},    {"read", 2},        {"realloc", -1}, {"receive", 2},
    {"recognize", 2}, {"recv", 2},        {"ref", -1},     {"register", -1},
    {"render", 2},    {"request", 2},     {"reset", -1},   {"respond", 2},
    {"run", 2},       {"save", 2},        {"scale", 2},    {"scan", 2},
    {"search", 2},    {"send", 2},        {"shutdown", 2}, {"size", -1},
    {"sort", 2},      {"split", 2},       {"stage", 2},    {"start", 2},
    {"state", 2},     {"step", 2},        {"stop", 2},     {"store", 2},
    {"str", -1},      {"strerror", -1},   {"string", -1},  {"submit", 2},
    {"sync", 2},      {"time", -1},       {"to", -1},      {"train", 2},
    {"transform", 2}, {"type", -1},       {"types", -1},   {"unlock", -1},
    {"unref", -1},    {"unregister", -1}, {"update", 2},   {"upload", 2},
    {"usage", -1},    {"version", -1},    {"wait", 2},     {"warn", -1},
    {"warning", -1},  {"work", 2},        {"write", 2},
};

static int compare_words(const void *a, const void *b)
{
    return strcmp(((const struct word *)a)->text,
                  ((const struct word *)b)->text);
}

static int score_word(const char *at, size_t len)
{
    struct word wanted = {0};
    if (len == 0 || len >= sizeof wanted.text)
        return 0;
    for (size_t i = 0; i < len; i++)
        wanted.text[i] = (char)tolower((unsigned char)at[i]);
    const struct word *found =
        bsearch(&wanted, words, sizeof words / sizeof *words, sizeof *words,
                compare_words);
    return found ? found->score : 0;
}

/* A capital after a small letter, or the last one of an acronym: GDAL|Open. */
static bool begins_word(const char *at)
{
    return isupper((unsigned char)at[0]) &&
           (islower((unsigned char)at[-1]) ||
            (isupper((unsigned char)at[-1]) && islower((unsigned char)at[1])));
}

/* The word at `at`: up to what is no letter, or the next word. */
static size_t word_len(const char *at)
{
    size_t n = 0;
    while (isalpha((unsigned char)at[n]) && !(n && begins_word(at + n)))
        n++;
    return n;
}

/* libstdc++'s; its header is C++. */
char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

static int score_words(const char *name);

/* Of a C++ name what stands before the parameters. */
int suggest_score_name(const char *name)
{
    int status = -1, score = 0;
    char *text = strncmp(name, "_Z", 2) == 0
                     ? __cxa_demangle(name, NULL, NULL, &status)
                     : NULL;
    if (text && status == 0) {
        text[strcspn(text, "(<")] = 0;
        score = *text ? score_words(text) : 0;
    } else {
        score = score_words(name);
    }
    free(text);
    return score;
}

static int score_words(const char *name)
{
    int score = 0, count = 0;
    if (strncmp(name, "__", 2) == 0 || strncmp(name, "_fini", 5) == 0 ||
        strncmp(name, "_init", 5) == 0 || strcmp(name, "_start") == 0 ||
        strcmp(name, "main") == 0 || strncmp(name, "yy", 2) == 0)
        return -10;
    for (const char *at = name; *at;) {
        size_t n = word_len(at);
        score += score_word(at, n);
        count += n > 0;
        at += n ? n : 1;
    }
    /* what the work is made of has short names */
    return score > 1 ? score + (count <= 3) + (count <= 4) - (count > 5) +
                           (count == 2)
                     : score;
}

bool suggest_is_plumbing(const struct object *object)
{
    static const char *const names[] = {
        "libstdc++",   "libgcc_s",     "libm.so",      "libmvec",
        "libglib-2",   "libgobject-2", "libgmodule-2", "libgthread-2",
        "libpcre",     "libffi",       "linux-vdso",   "libtinfo",
        "libncurses",  "libdl",        "libresolv",    "libcap",
        "libtsan",     "libasan",      "libatomic",    "libanl",
        "libjemalloc", "libtcmalloc",  "libmimalloc",  "libhandspan"};
    if (object->kind == OBJECT_LIBC || object->kind == OBJECT_LOADER)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(object->name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name says: work (read, decode, dispatch) or a helper (get, free,
 * strdup). Words are parts between underscores and changes of case, without
 * digits at their end.
 */
#include "tools/cli/suggest.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const work[] = {
    "open",     "close",    "read",     "write",   "load",      "store",
    "save",     "send",     "receive",  "recv",    "push",      "pull",
    "pop",      "parse",    "run",      "exec",    "execute",   "process",
    "decode",   "encode",   "compress", "inflate", "deflate",   "decompress",
    "dispatch", "handle",   "render",   "step",    "commit",    "prepare",
    "connect",  "sort",     "convert",  "scan",    "flush",     "launch",
    "launchv",  "state",    "fetch",    "extract", "transform", "publish",
    "consume",  "request",  "respond",  "perform", "work",      "handler",
    "stage",    "import",   "export",   "sync",    "update",    "search",
    "build",    "compile",  "train",    "predict", "recognize", "filter",
    "merge",    "split",    "accept",   "wait",    "start",     "stop",
    "submit",   "callback", "cb",       "find",    "scale",     "mux",
    "demux",    "shutdown", "insert",   "upload",  "download"};
static const char *const helpers[] = {
    "get",    "is",      "has",      "free",       "unref",    "ref",
    "alloc",  "malloc",  "realloc",  "calloc",     "copy",     "clone",
    "dup",    "cmp",     "compare",  "equal",      "strerror", "version",
    "name",   "names",   "type",     "types",      "print",    "printf",
    "log",    "debug",   "warn",     "warning",    "size",     "length",
    "len",    "hash",    "iterator", "iter",       "next",     "prev",
    "quark",  "destroy", "delete",   "clear",      "reset",    "str",
    "string", "to",      "from",     "escape",     "time",     "lock",
    "unlock", "mutex",   "register", "unregister", "usage",    "help",
    "new",    "create",  "dump",     "error",      "message",  "opt",
    "option", "options", "list",     "class",      "count",    "peek"};

static bool is_in(const char *const *words, size_t count, const char *word,
                  size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0)
            return true;
    return false;
}

/* The word at `at`: up to an underscore, a capital after a small letter, or a
 * digit. */
static size_t word_len(const char *at)
{
    size_t n = 0;
    while (isalpha((unsigned char)at[n]) &&
           !(n && isupper((unsigned char)at[n]) &&
             islower((unsigned char)at[n - 1])))
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
    int score = 0, words = 0;
    if (strncmp(name, "__", 2) == 0 || strncmp(name, "_fini", 5) == 0 ||
        strncmp(name, "_init", 5) == 0 || strcmp(name, "_start") == 0 ||
        strcmp(name, "main") == 0 || strncmp(name, "yy", 2) == 0)
        return -10;
    for (const char *at = name; *at;) {
        size_t n = word_len(at);
        if (is_in(work, sizeof work / sizeof *work, at, n))
            score += 2;
        else if (is_in(helpers, sizeof helpers / sizeof *helpers, at, n))
            score -= 1;
        words += n > 0;
        at += n ? n : 1;
    }
    /* what the work is made of has short names */
    return score > 1 ? score + (words <= 3) + (words <= 4) - (words > 5)
                     : score;
}

bool suggest_is_plumbing(const struct object *object)
{
    static const char *const names[] = {
        "libstdc++",  "libgcc_s",     "libm.so",      "libmvec",
        "libglib-2",  "libgobject-2", "libgmodule-2", "libgthread-2",
        "libpcre",    "libffi",       "linux-vdso",   "libtinfo",
        "libncurses", "libdl",        "libresolv",    "libcap",
        "libtsan",    "libasan",      "libatomic",    "libanl",
        "libhandspan"};
    if (object->kind == OBJECT_LIBC || object->kind == OBJECT_LOADER)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(object->name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

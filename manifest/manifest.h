/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest as a parsed and typed tree.
 *
 * Used by the preload (inside somebody else's process, before main) and by
 * the tools (`handspan check`). So: no malloc (everything lives in an arena
 * that the caller hands in), no stdio, no locale, no global state, nothing of
 * the project included. Grammar and meaning: docs/manifest.md.
 *
 * All strings are NUL-terminated and live in the arena, as does every struct
 * reached from struct manifest; they live as long as the arena does.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A bump allocator over memory of the caller. */
struct manifest_arena {
    char *base;
    size_t used_bytes;
    size_t cap_bytes;
};

enum manifest_severity {
    MANIFEST_NOTE,    /* belongs to the message before it */
    MANIFEST_NOT_YET, /* right, but this version gives it no meaning */
    MANIFEST_WARNING,
    MANIFEST_ERROR,
};

struct manifest_position {
    const char *file; /* as it was opened */
    uint32_t line;    /* from 1 */
    uint32_t column;  /* from 1, in bytes */
    uint32_t length;  /* bytes to underline, at least 1 */
};

/*
 * One message. `text` is without position ("no parameter 'pth' in 'decode';
 * did you mean 'path'?"); `line` is the source line without its newline, for
 * the caret. manifest_format_diagnostic() makes the usual three lines.
 */
struct manifest_diagnostic {
    enum manifest_severity severity;
    struct manifest_position at;
    const char *text;
    const char *line;
};

/* ---- types ---------------------------------------------------------- */

enum manifest_type_kind {
    MANIFEST_VOID,
    MANIFEST_BOOL,
    MANIFEST_INT,   /* also char and enum; size and is_signed tell */
    MANIFEST_FLOAT, /* size 4 or 8; 16 = long double (x87) */
    MANIFEST_POINTER,
    MANIFEST_ARRAY,
    MANIFEST_RECORD, /* struct, union, class */
    MANIFEST_FUNCTION,
    MANIFEST_OPAQUE, /* a name that the manifest does not define */
    MANIFEST_VECTOR, /* __m128 and its like, also _Float128: its size is known,
                        it is no value */
};

struct manifest_type {
    enum manifest_type_kind kind;
    uint64_t size_bytes; /* 0: unknown or incomplete */
    uint32_t align_bytes;
    bool is_signed;
    bool is_char; /* plain char: a pointer to it is text */
    bool is_union;
    const char *name;               /* tag or typedef name, NULL if none */
    const struct manifest_type *to; /* pointee, element or return type */
    uint64_t count;                 /* elements of an array */
    const struct manifest_member *members; /* of a record */
    uint32_t member_count;
    const struct manifest_enum *constants; /* of an enum, for names */
    uint32_t constant_count;
};
struct manifest_member {
    const char *name;
    const struct manifest_type *type;
    uint64_t offset_bytes;
    uint32_t bit_offset, bit_width; /* bit_width 0: no bit field */
};
struct manifest_enum {
    const char *name;
    int64_t value;
};

/* ---- where a parameter or a return value lives ---------------------- */

enum manifest_place_kind {
    MANIFEST_NOWHERE, /* void, or a class the psABI rules do not settle */
    MANIFEST_IREG,    /* integer register number `index`: rdi rsi rdx rcx r8 r9
                         for a parameter; rax rdx for a return value */
    MANIFEST_FREG,    /* xmm number `index` */
    MANIFEST_STACK,   /* `index` bytes above the first stack argument */
    MANIFEST_X87,     /* st0 */
    MANIFEST_HIDDEN,  /* returned in memory, pointer in rdi */
    MANIFEST_UNKNOWN, /* by-value type that the manifest does not define, or
                         behind one: times only; the message says the cure */
    MANIFEST_ABSENT,  /* the debug information has it elsewhere, or nowhere: it
                         has no value; a message says so */
};
/* psABI 3.2.3. A record passed or returned in two registers has its second
 * eightbyte in `second_kind` (IREG or FREG, else NOWHERE), `second_index`. */
struct manifest_place {
    enum manifest_place_kind kind;
    uint32_t index;
    enum manifest_place_kind second_kind;
    uint32_t second_index;
};
struct manifest_param {
    const char *name; /* NULL if unnamed */
    const struct manifest_type *type;
    struct manifest_place place;
};

/* ---- what is captured ------------------------------------------------ */

struct manifest_expr; /* opaque: manifest/run/eval.h evaluates it */

enum manifest_direction {
    MANIFEST_INPUT,     /* read when the handler is entered */
    MANIFEST_OUTPUT,    /* read when it has returned */
    MANIFEST_ATTRIBUTE, /* as an input, shown apart */
};
/* How the bytes of a captured value are to be read later: lane/format/layout.h
 * gives the same numbers to enum lane_value_type. */
enum manifest_value_type {
    MANIFEST_VALUE_SIGNED = 1, /* 8 bytes, sign-extended */
    MANIFEST_VALUE_UNSIGNED,   /* 8 bytes */
    MANIFEST_VALUE_BOOL,       /* 8 bytes, 0 or 1 */
    MANIFEST_VALUE_POINTER,    /* 8 bytes, an address */
    MANIFEST_VALUE_F32,        /* 4 bytes */
    MANIFEST_VALUE_F64,        /* 8 bytes */
    MANIFEST_VALUE_F80,        /* 16 bytes, x87 extended */
    MANIFEST_VALUE_TEXT,       /* bytes up to a NUL, which is not kept */
    MANIFEST_VALUE_BYTES,      /* raw bytes */
    MANIFEST_VALUE_ENUM,       /* as SIGNED; names in the type */
};
struct manifest_item {
    enum manifest_direction direction;
    const char *key;
    const struct manifest_expr *expr;
    const char *source; /* the expression as it was written */
    enum manifest_value_type type;
    const struct manifest_type *ctype;
    struct manifest_position at;
    bool implied; /* of capture("named"): nobody wrote it */
};
struct manifest_rule {
    const struct manifest_expr *condition;
    const struct manifest_expr *code; /* second argument of fails, or NULL */
    const char *source;               /* the condition as it was written */
    struct manifest_position at;
    bool is_secret; /* it reads a secret: keep its values out of reports */
};

/* ---- declarations ---------------------------------------------------- */

enum manifest_capture {
    MANIFEST_CAPTURE_NONE,
    MANIFEST_CAPTURE_NAMED,
    MANIFEST_CAPTURE_ALL,
};
struct manifest_settings {
    enum manifest_capture capture;
    uint32_t cap_bytes; /* of one input or output, serialized; <= 50,000 */
    bool locals;
    bool rewrite_pointers;
};

enum manifest_role { /* bits: a declaration can have several */
    MANIFEST_SPAN = 1 << 0,
    MANIFEST_ROOT = 1 << 1,
    MANIFEST_EVENT = 1 << 2,
    MANIFEST_CARRY = 1 << 3,
    MANIFEST_ADOPT = 1 << 4,
    MANIFEST_FORGET = 1 << 5,
    MANIFEST_LINK = 1 << 6,
    MANIFEST_BEGIN = 1 << 7,
    MANIFEST_END = 1 << 8,
    MANIFEST_CALLBACK = 1 << 9,
    /* those that need the function to be bound */
    MANIFEST_BOUND = MANIFEST_SPAN | MANIFEST_ROOT | MANIFEST_EVENT |
                     MANIFEST_CARRY | MANIFEST_ADOPT | MANIFEST_FORGET |
                     MANIFEST_LINK | MANIFEST_BEGIN | MANIFEST_END |
                     MANIFEST_CALLBACK,
};

enum manifest_object_kind {
    MANIFEST_OBJECT_ANY,      /* every object but libc, loader and ours */
    MANIFEST_OBJECT_MAIN,     /* the executable */
    MANIFEST_OBJECT_BASENAME, /* glob on basename or SONAME */
    MANIFEST_OBJECT_PATH,     /* glob on the whole path (it has a slash) */
};
struct manifest_object {
    enum manifest_object_kind kind;
    const char *pattern;  /* for BASENAME and PATH */
    const char *build_id; /* hex prefix, or NULL */
};
struct manifest_program {
    const char *pattern;               /* glob on the basename */
    const struct manifest_rule *fails; /* on `exit`; array */
    uint32_t fails_count;
};

struct manifest_decl;
/* One use of carry, adopt, forget, link, begin, end, callback. */
struct manifest_flow {
    enum manifest_role role;
    const char *name;                       /* begin, end */
    const struct manifest_expr *key;        /* the pointer, for callback;
                                               NULL: it cannot be read */
    const struct manifest_expr *many_count; /* carry(fn, data): the data */
    bool is_many;
    uint8_t element_bytes; /* link of an array: of its elements, at most 255;
                              0: the key is one number */
    const struct manifest_decl *rules; /* callback: of the typedef */
    bool is_out; /* callback: behind a pointer to a pointer, which the call
                    fills in: there is nothing to read before it returned */
    struct manifest_position at;
};

/* One of several functions that a declaration names. */
struct manifest_other {
    const char *object; /* basename */
    uint64_t vaddr;
    const char *why; /* it has no values: other parameters, or elsewhere; NULL:
                        it has */
};

struct manifest_decl {
    uint32_t roles;     /* enum manifest_role; 0: only describes types */
    const char *name;   /* of the span: span("x"), else the declared name */
    bool is_named;      /* it is the former */
    const char *ident;  /* the declared identifier, NULL if none */
    const char *match;  /* glob on symbol names, or NULL */
    const char *symbol; /* exact, mangled or demangled, or NULL */
    const char *file;   /* source file of a static function, or NULL */
    bool has_at;
    uint64_t at;                             /* address in the object */
    const struct manifest_object *object;    /* never NULL */
    const struct manifest_program *programs; /* any of these */
    uint32_t program_count;                  /* 0: every program */
    bool has_prototype;
    bool is_variadic;
    const struct manifest_type *return_type;
    struct manifest_place return_place;
    const struct manifest_param *params;
    uint32_t param_count;
    const struct manifest_item *items; /* explicit and implied ones */
    uint32_t item_count;
    const struct manifest_rule *fails;
    uint32_t fails_count;
    const struct manifest_rule *benign;
    uint32_t benign_count;
    struct manifest_settings settings;
    uint64_t slow_ns, overdue_ns; /* 0: not said */
    bool overdue_stop;
    const struct manifest_flow *flows;
    uint32_t flow_count;
    const char *const *secrets; /* expressions that must not be shown */
    uint32_t secret_count;
    bool return_is_secret; /* the return value is one of them */
    const struct manifest_other *others;
    uint32_t other_count;
    bool disabled;         /* an error here: it binds to nothing */
    bool capture_disabled; /* a prototype fault: times only */
    struct manifest_position at_source;
};

struct manifest {
    const struct manifest_decl *decls;
    uint32_t decl_count;
    const struct manifest_program *programs; /* all program() of the file */
    uint32_t program_count;
    uint32_t error_count, warning_count, not_yet_count;
    bool has_secret; /* turns stderr and locals capture off */
};

/* ---- the parser ------------------------------------------------------ */

/* What the manifest does not say itself and the debug information may know. */
enum manifest_want_kind {
    MANIFEST_WANT_TYPE,     /* a tag or another name of a type */
    MANIFEST_WANT_CONSTANT, /* of an enum */
    MANIFEST_WANT_FUNCTION, /* the prototype of `decl` */
};
struct manifest_want {
    enum manifest_want_kind kind;
    const char *name; /* FUNCTION: what the answer is to be called */
    /* FUNCTION: where it is, how it was declared; not whole yet */
    const struct manifest_decl *decl;
    bool is_placement; /* the prototype is here; wanted is where the compiler
                          put its parameters. Nothing is left open by it */
    bool is_pasted; /* C++ by its qualified name: its symbol is wanted, too */
    const char *pasted; /* as a demangler tells its name; NULL: is_pasted as in
                           a header, or not at all */
    const char *qualifiers; /* is_pasted: " const &" behind its parameters; "":
                               none, or it has no parameters */
    bool has_params;
    const struct manifest_param *params; /* if it was pasted with them */
    uint32_t param_count;
};
/*
 * The answers: C, as tools/dwarf writes it. Types and constants as in a
 * manifest; `[[symbol("ns::job<int>")]] typedef struct t t;` for a name that
 * is none in C; `[[span("NAME"), symbol("SYMBOL"), file("OBJECT:0xADDRESS"),
 * args("?: rdi")]] int f(void *self);` for each function that was wanted as
 * NAME (manifest/grammar/placement.c); `[[span("NAME"), symbol("SYMBOL"),
 * args("?")]] int f;` for one of which only the symbol is known. The manifest
 * wins over all of it, but for where parameters are.
 */
struct manifest_types {
    const char *file; /* for messages */
    const char *text;
    size_t len_bytes;
};

/* What the parser needs of the world. */
struct manifest_host {
    void *context;
    /* Load an included file. `from` is the including file's name, `name` the
     * text in include("..."). On success the bytes (any content) and the
     * name to show (it also tells a file that includes itself); both live
     * until manifest_parse() returns. A relative `name` is meant relative to
     * the folder of `from`. 0 or -errno. NULL: include is an error. */
    int (*load)(void *context, const char *from, const char *name,
                const char **text, size_t *len_bytes, const char **shown);
    /* One message; in the order of the source but for what is found out only
     * at the end of its declaration. The strings live in the arena. NULL:
     * dropped. */
    void (*report)(void *context, const struct manifest_diagnostic *d);
    const struct manifest_types *types; /* NULL: none */
    /* Something is missing; may come several times. NULL: nobody asks. */
    void (*want)(void *context, const struct manifest_want *want);
    bool is_pending; /* there are no types now, a later run has them: what
                        needs them is left out and is no error */
    bool compares;   /* a contradiction to the types is an error; all that
                        could contradict is wanted, too */
};

/*
 * Parse `text` (len_bytes bytes, any bytes) named `file`. An error in one
 * declaration switches off that declaration alone; the result is usable
 * whenever 0 is returned. The arena wants about 32 KiB and 32 times the text.
 * -ENOMEM: the arena is too small (call again with a
 * larger one), -E2BIG: a limit of docs/manifest.md was passed. [any thread]
 */
int manifest_parse(const char *file, const char *text, size_t len_bytes,
                   const struct manifest_host *host,
                   struct manifest_arena *arena, const struct manifest **out)
    __attribute__((warn_unused_result));

/* Does the debug information say where the parameters of the function at
 * `vaddr` of this object are? `why`: it has no values, though others of `decl`
 * have; NULL: it has. */
bool manifest_decl_other(const struct manifest_decl *decl,
                         const char *object_basename, uint64_t vaddr,
                         const char **why);

/* True if a program with this basename is in the scope of `decl`. */
bool manifest_decl_applies(const struct manifest_decl *decl,
                           const char *program_basename);

/* The basename by which a program counts for program(): the one it was called
 * by, or where the manifest names only that one, its file's. NULL: the manifest
 * is for other programs. */
const char *manifest_program_name(const struct manifest *manifest,
                                  const char *called, const char *executable);

/* A pointer to a member of a class of C++? It is a RECORD of which no value is
 * made. */
static inline bool manifest_is_member_pointer(const struct manifest_type *type)
{
    return type->kind == MANIFEST_RECORD && type->member_count == 1 &&
           type->members[0].name &&
           strcmp(type->members[0].name, "handspan_to_member") == 0;
}

/* fnmatch-like: `*`, `?`, `[a-z]`; no special dot or slash. */
bool manifest_match_glob(const char *pattern, const char *text);

/*
 * A function of C++ as nm -C, gdb and c++filt print it, "int ns::f<int>(int)":
 * where its qualified name begins, where the parenthesis before its parameters
 * is, and what is behind them. False: it is none.
 */
struct manifest_cxx_name {
    size_t name, params, behind;
    size_t conversion; /* where the type of a conversion operator is; 0: it is
                          none */
};
bool manifest_cxx_name(const char *text, size_t len,
                       struct manifest_cxx_name *out);
/* Of what stands behind the parameters, the bytes that belong to the name:
 * " const &" of " const & noexcept". */
size_t manifest_cxx_qualifiers(const char *text, size_t len);
/* The bytes of the parameter that begins there, up to its comma or the closing
 * parenthesis. */
size_t manifest_cxx_param(const char *text, size_t len);

/*
 * "file:1:2: error: text\n  1 | line\n    |  ^~~\n" into buf, always
 * NUL-terminated. Returns the length it would have had, as snprintf.
 */
size_t manifest_format_diagnostic(const struct manifest_diagnostic *d,
                                  char *buf, size_t cap_bytes);

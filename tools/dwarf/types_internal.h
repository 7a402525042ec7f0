/* SPDX-License-Identifier: Apache-2.0 */
/* Between types.c (what is asked for), types_find.c (where it is) and
 * types_write.c (how it is written). */
#pragma once
#include "tools/common/text/buf.h"
#include "tools/dwarf/debug_internal.h"
#include "tools/dwarf/types.h"

enum {
    TYPES_DEPTH = 8,      /* of records by value in each other */
    TYPES_PEEL = 2048,    /* of typedefs and qualifiers */
    TYPES_MEMBERS = 2000, /* of a record: with gaps 4096 at most */
    TYPES_NAME = 512,     /* bytes of a name; longer ones are none */
    TYPES_TEXT = 4 << 20, /* bytes of all text */
    TYPES_RECORDS = 4096, /* written or named */
    TYPES_CANDIDATES = 8, /* of one name */
    TYPES_WANTS = 8192,
    TYPES_CONSTANTS = 16384,
};

struct types_object {
    char *path;
    struct debug *debug; /* NULL: none */
    bool is_split_told;
    bool has_lower, is_lower_known; /* types_size() */
    int64_t lower;                  /* what arrays are counted from */
};
enum types_kind {
    TYPES_TYPE,
    TYPES_CONSTANT,
    TYPES_FUNCTION,
};
struct types_want {
    enum types_kind kind;
    char *name;       /* canonical: types_canonical() */
    const char *last; /* its part behind the last "::" */
    bool is_done;
    int rank; /* of the candidates: 0 the name itself, 1 its last part */
    Dwarf_Die candidates[TYPES_CANDIDATES];
    size_t count;
    /* FUNCTION */
    size_t object;
    uint64_t vaddr;
    char *symbol;
    char **params;
    size_t param_count;
    bool is_symbol_enough, is_result_unsure; /* debug_types_want_function() */
};
/* A tag of ours and what it stands for. */
struct types_record {
    char *tag;
    Dwarf_Die die;
    bool is_written, is_begun; /* begun: it contains itself, if met again */
};
struct types_constant {
    char *name;
    int64_t value;
};
struct debug_types {
    struct types_object *objects;
    size_t object_count;
    struct types_want *wants;
    size_t want_count;
    struct types_record *records;
    size_t record_count;
    struct types_constant *constants;
    size_t constant_count;
    struct buf text, remarks;
    unsigned serial; /* of the tags that we make up */
    uint64_t left;   /* entries that may still be looked at */
    bool failed;     /* no memory */
};

/* "ns::pair<int,long>" of "ns::pair<int, long int>". */
void types_canonical(const char *name, char out[TYPES_NAME]);
/* Through qualifiers and, with `typedefs`, other names. False: void, or no
 * end. */
bool types_peel(Dwarf_Die *die, bool typedefs);
bool types_of(Dwarf_Die *die, Dwarf_Die *type);
/* The bytes of a type, also of an array in a unit of dwz's, which has no
 * language. False: not known. */
bool types_size(struct debug_types *t, Dwarf_Die *type, uint64_t *bytes);
/* How many elements a dimension has. False: not told, or not as a number. */
bool types_elements(struct debug_types *t, Dwarf_Die *range, uint64_t *count);
/* What arrays are counted from where nothing else is said. False: not known. */
bool types_lower(struct debug_types *t, Dwarf_Die *die, int64_t *out);
bool types_is_record(int tag);
bool types_is_flag(Dwarf_Die *die, unsigned attribute);
bool types_is_cxx(Dwarf_Die *die);
/* "etl::job" or "job"; "" if it has none. */
void types_qualified_name(Dwarf_Die *die, char out[TYPES_NAME]);
/* Without its scope: "pair<int,long>". */
void types_own_name(Dwarf_Die *die, char out[TYPES_NAME]);
/* " / * job.h:12 * /" without the blanks */
void types_put_place(struct buf *out, Dwarf_Die *die);

/* types_same.c: are these two entries one type, as each unit has its own? By
 * file name, line, size and members, up to TYPES_MEMBERS of them, or because
 * they are made of the same, down to what their pointers lead to. */
bool types_is_same(Dwarf_Die *a, Dwarf_Die *b);

/* types_write.c: append to t->text. False: nothing that C could say. */
bool types_write_type(struct debug_types *t, const struct types_want *w,
                      Dwarf_Die *die);
/* In quotes, as the manifest's strings are. */
void types_put_string(struct buf *out, const char *text);
/* types_function.c */
bool types_write_function(struct debug_types *t, const struct types_want *w,
                          Dwarf_Die *die);
/* That nothing is known of it but its symbol. */
void types_write_symbol(struct debug_types *t, const struct types_want *w);
/* types_record.c: the tag of a record that is used by value: written before;
 * or only named. NULL: it cannot be. */
const char *types_record(struct debug_types *t, Dwarf_Die *die, bool by_value,
                         int depth);
const char *types_enum(struct debug_types *t, Dwarf_Die *die);
/* "struct job *", "int [4]" split around the name. False: no C for it. */
struct types_declared {
    char before[TYPES_NAME], after[64];
};
bool types_declare(struct debug_types *t, Dwarf_Die *type, int depth,
                   struct types_declared *out);
/* types_alike.c: a parameter or result of a type that C has no word for, as one
 * that is passed alike. False: none is. */
bool types_declare_alike(Dwarf_Die *type, struct types_declared *out);
/* Of a pointer to a member; gcc does not say. */
int types_member_pointer_bytes(Dwarf_Die *type);
/* Is it passed as integers are, at whatever offset? */
bool types_is_integers(Dwarf_Die *type);
/* types_language.c: how the language of this entry passes parameters. */
enum types_language {
    LANGUAGE_C,       /* as the psABI has it: C, C++, assembler and others */
    LANGUAGE_FORTRAN, /* by address, unless it has VALUE */
    LANGUAGE_RUST,    /* records in ways of its own */
    LANGUAGE_UNKNOWN,
};
enum types_language types_language(Dwarf_Die *die);
/* How many integer registers Rust passes it in, the same as C (0: a floating
 * register or nothing); TYPES_OWN_WAY: perhaps otherwise than C. */
enum {
    TYPES_OWN_WAY = -1
};
int types_rust_registers(Dwarf_Die *type, int depth);
/* Fortran: is what is passed the address of a descriptor of an array? */
bool types_is_descriptor(Dwarf_Die *type);
/* "std::string", "std::vector<int>"; NULL: no container that the manifest
 * knows. */
const char *types_container(Dwarf_Die *record, char out[TYPES_NAME]);

/* types_class.c: how a class is passed and returned. */
enum types_passing {
    BY_VALUE,
    BY_REFERENCE, /* a pointer to a copy, which the source does not show */
    NOT_TOLD,
};
enum types_passing types_passing(Dwarf_Die *type);

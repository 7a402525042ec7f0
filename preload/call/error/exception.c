/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See exception.h. Everything is read as memory that may not be there.
 *
 * A std::type_info is {vtable, name}, that of a class with one base {.., base},
 * with several {.., u32 flags, u32 count, {base, offset << 8 | flags}...}
 * (Itanium C++ ABI 2.9.5). Which of them it is says the type_info of the
 * type_info, found before its vtable.
 */
#include "preload/call/error/exception.h"
#include "preload/call/record/process_self.h"

#include "preload/call/memory/read.h"
#include "preload/call/record/runtime.h"
#include "lane/format/assert.h"

enum {
    HEADER_TYPE = 80,   /* a __cxa_exception's type below _Unwind_Exception */
    PRIMARY_TYPE = 112, /* the same below the thrown object */
    OBJECT = 32,        /* of a primary exception, above it */
    BASES_MAX = 8,
    DEPTH_MAX = 8,
    NAME_PIECE = 64,
    BASE_VIRTUAL = 1,
    STRING_MOST = 1 << 20,
    MEMBERS_BYTES = 48, /* of an exception, that are looked through */
};

static size_t read_safely(void *to, uint64_t from, size_t len)
{
    const struct reader reader = {.pid = process_self()};
    return read_bytes(&reader, to, from, len);
}

static uint64_t read_word(uint64_t from)
{
    uint64_t word = 0;
    return read_safely(&word, from, sizeof word) == sizeof word ? word : 0;
}

bool exception_look(uint64_t exception, uint64_t *type, uint64_t *object)
{
    uint64_t class = read_word(exception);
    uint64_t vendor = class >> 8;
    if (vendor != 0x474e5543432b2bULL && vendor != 0x434c4e47432b2bULL)
        return false; /* neither GNUCC++ nor CLNGC++ */
    uint64_t word = read_word(exception - HEADER_TYPE);
    /* a dependent exception has the object where others have the type */
    *object = class & 0xff ? word : exception + OBJECT;
    *type = class & 0xff ? read_word(word - PRIMARY_TYPE) : word;
    return *type != 0;
}

uint64_t exception_caught(uint64_t globals)
{
    uint64_t header = globals ? read_word(globals) : 0;
    return header ? header + HEADER_TYPE : 0;
}

uint64_t exception_pointer(uint64_t exception_ptr, uint64_t *type)
{
    uint64_t object = read_word(exception_ptr);
    *type = object ? read_word(object - PRIMARY_TYPE) : 0;
    return object;
}

/* Bytes before the NUL, read in pieces: the text may end at the last byte of a
 * page. */
static size_t read_name(char *to, uint64_t at, size_t most)
{
    lane_assert(most != 0);
    size_t len = 0;
    while (len < most) {
        size_t piece = NAME_PIECE - (at + len) % NAME_PIECE;
        if (piece > most - len)
            piece = most - len;
        size_t got = read_safely(to + len, at + len, piece);
        for (size_t i = 0; i < got; i++)
            if (to[len + i] == 0)
                return len + i;
        len += got;
        if (got < piece)
            break;
    }
    return len;
}

size_t exception_type_name(uint64_t type, char name[EXCEPTION_TYPE_BYTES])
{
    uint64_t at = read_word(type + 8);
    if (at == 0)
        return 0;
    /* a leading '*' means "compare by address" */
    if (read_safely(name, at, 1) == 1 && name[0] == '*')
        at++;
    return read_name(name, at, EXCEPTION_TYPE_BYTES);
}

/* ---- what it says ------------------------------------------------------ */

static bool is_text(const char *name, size_t len, const char *text)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] != text[i] || text[i] == '\0')
            return false;
    return text[len] == '\0';
}

static bool is_named(uint64_t type, const char *text)
{
    char name[EXCEPTION_TYPE_BYTES];
    size_t len = exception_type_name(type, name);
    return len != 0 && is_text(name, len, text);
}

/* The kind of a type_info: the type_info that its vtable names. */
static bool is_kind(uint64_t type, const char *kind)
{
    return is_named(read_word(read_word(type) - 8), kind);
}

struct search {
    uint64_t text; /* where the text is, 0: not found */
};

static void find_text(uint64_t type, uint64_t object, int depth,
                      struct search *search);

static void look_into_bases(uint64_t type, uint64_t object, int depth,
                            struct search *search)
{
    lane_assert(depth < DEPTH_MAX && search->text == 0);
    uint32_t count = 0;
    if (read_safely(&count, type + 20, sizeof count) != sizeof count)
        return;
    for (uint32_t i = 0; i < count && i < BASES_MAX && !search->text; i++) {
        uint64_t base = read_word(type + 24 + 16ull * i);
        uint64_t where = read_word(type + 32 + 16ull * i);
        uint64_t offset = (uint64_t)((int64_t)where >> 8);
        if (where & BASE_VIRTUAL) /* then it is told by the object's vtable */
            offset = read_word(read_word(object) + offset);
        find_text(base, object + offset, depth + 1, search);
    }
}

/* std::runtime_error and std::logic_error: a pointer to the text behind the
 * vtable. */
static void find_text(uint64_t type, uint64_t object, int depth,
                      struct search *search)
{
    lane_assert(depth >= 0 && depth <= DEPTH_MAX);
    if (type == 0 || object == 0 || depth == DEPTH_MAX)
        return;
    if (is_named(type, "St13runtime_error") ||
        is_named(type, "St11logic_error"))
        search->text = read_word(object + 8);
    else if (is_kind(type, "N10__cxxabiv120__si_class_type_infoE"))
        find_text(read_word(type + 16), object, depth + 1, search);
    else if (is_kind(type, "N10__cxxabiv121__vmi_class_type_infoE"))
        look_into_bases(type, object, depth, search);
}

/* Is it a class of the kind that has one base, and in the end that one? */
static bool derives_from(uint64_t type, const char *base)
{
    for (int depth = 0; type != 0 && depth < DEPTH_MAX; depth++) {
        if (is_named(type, base))
            return true;
        if (!is_kind(type, "N10__cxxabiv120__si_class_type_infoE"))
            return false;
        type = read_word(type + 16);
    }
    return false;
}

/* A std::string as it must look: its text ends with a NUL, lies in itself
 * where it is short, and no longer than there is room for. */
static bool is_string(uint64_t at)
{
    uint64_t word[3];
    char end = 1;
    if (read_safely(word, at, sizeof word) != sizeof word || word[1] == 0 ||
        word[1] > STRING_MOST)
        return false;
    bool is_short = word[0] == at + 16 && word[1] < 16;
    bool is_long = word[0] != at + 16 && word[2] >= word[1] &&
                   word[2] <= STRING_MOST && word[2] >= 16;
    return (is_short || is_long) &&
           read_safely(&end, word[0] + word[1], 1) == 1 && end == 0;
}

/* What derives from std::exception alone keeps its text itself (parquet's,
 * arrow's): its first member that is a std::string with a text. */
static uint64_t find_own_string(uint64_t type, uint64_t object)
{
    if (!derives_from(type, "St9exception"))
        return 0;
    for (uint64_t at = 8; at <= MEMBERS_BYTES; at += 8)
        if (is_string(object + at))
            return object + at;
    return 0;
}

static size_t print_number(int64_t number, char *to)
{
    char digits[24];
    size_t count = 0, len = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    lane_assert(count > 0 && count <= 20);
    if (number < 0)
        to[len++] = '-';
    while (count > 0)
        to[len++] = digits[--count];
    return len;
}

static size_t read_number(uint64_t object, bool is_long, char *to)
{
    lane_assert(to != NULL);
    uint64_t word = 0;
    size_t size = is_long ? 8 : 4;
    if (read_safely(&word, object, size) != size)
        return 0;
    return print_number(is_long ? (int64_t)word : (int32_t)word, to);
}

/* {char *, size_t length, ...} */
static size_t read_string(uint64_t object, char *to)
{
    uint64_t len = read_word(object + 8);
    if (len > EXCEPTION_MESSAGE_BYTES)
        len = EXCEPTION_MESSAGE_BYTES;
    return read_safely(to, read_word(object), len);
}

size_t exception_message(uint64_t type, uint64_t object,
                         char message[EXCEPTION_MESSAGE_BYTES],
                         bool *has_message)
{
    static const char string[] =
        "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
    char name[EXCEPTION_TYPE_BYTES];
    struct search search = {0};
    size_t len = exception_type_name(type, name);
    *has_message = true;
    if (len == 1 && (name[0] == 'i' || name[0] == 'l'))
        return read_number(object, name[0] == 'l', message);
    if (is_text(name, len, string))
        return read_string(object, message);
    if (is_text(name, len, "PKc") || is_text(name, len, "Pc"))
        search.text = read_word(object);
    else
        find_text(type, object, 0, &search);
    if (search.text != 0)
        return read_name(message, search.text, EXCEPTION_MESSAGE_BYTES);
    uint64_t own = find_own_string(type, object);
    if (own != 0)
        return read_string(own, message);
    *has_message = false;
    return 0;
}

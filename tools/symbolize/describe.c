/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address as people read it: function, file, line, and the functions that
 * were inlined there (DWARF's scopes). Without DWARF the symbol that covers
 * the address; where none does, the object and the offset in it alone.
 */
#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/common/system.h"
#include "tools/common/text/text.h"
#include "tools/symbolize/modules_internal.h"

/* libstdc++'s and libiberty's, which the tools link */
char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);
char *rust_demangle(const char *mangled, int options);

enum {
    DIES_DEEP = 24,
    NAME_BYTES = 64 << 10,
};

struct place {
    const char *file; /* NULL: not known */
    int line;         /* 0: not known */
};

static void add_text(cJSON *frame, const char *key, const char *text)
{
    struct buf valid; /* a broken file may hold anything */
    buf_init(&valid, NAME_BYTES);
    if (text)
        text_valid(&valid, text);
    if (valid.len_bytes)
        cJSON_AddStringToObject(frame, key, buf_get(&valid));
    else
        cJSON_AddNullToObject(frame, key);
    buf_free(&valid);
}

static void add_function(cJSON *frame, const char *name)
{
    int status = -1;
    bool is_mangled = name && name[0] == '_' && name[1] == 'Z';
    /* both of Rust's ways; not C++'s */
    char *text = name && name[0] == '_' ? rust_demangle(name, 0) : NULL;
    if (!text && is_mangled)
        text = __cxa_demangle(name, NULL, NULL, &status);
    add_text(frame, "function", text ? text : name);
    free(text);
}

/* Assembler's code has no lines although its object's debug file is there. */
static bool has_debug(struct object_file *file)
{
    Dwarf_Addr bias;
    return file->module && dwfl_module_getdwarf(file->module, &bias) != NULL;
}

static cJSON *add_frame(const struct object *object, uint64_t address,
                        const char *function, struct place place,
                        bool is_inlined, bool is_guess, cJSON *frames)
{
    char text[48];
    cJSON *frame = cJSON_CreateObject();
    add_function(frame, function);
    add_text(frame, "file", place.file);
    if (place.line > 0)
        cJSON_AddNumberToObject(frame, "line", place.line);
    else
        cJSON_AddNullToObject(frame, "line");
    add_text(frame, "object", object ? object->path : NULL);
    snprintf(text, sizeof text, "0x%" PRIx64,
             object ? address - object->bias : address);
    cJSON_AddStringToObject(frame, "offset", text);
    char hex[41] = "";
    for (uint32_t i = 0; object && i < object->build_id_bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", object->build_id[i]);
    add_text(frame, "build_id", hex);
    cJSON_AddBoolToObject(frame, "inlined", is_inlined);
    if (is_guess)
        cJSON_AddBoolToObject(frame, "guess", true);
    if (!place.file && object && has_debug(object->file))
        cJSON_AddBoolToObject(frame, "debug", true); /* it knows no line here */
    if (object && object->file->trouble)
        cJSON_AddStringToObject(frame, "trouble", object->file->trouble);
    cJSON_AddItemToArray(frames, frame);
    return frame;
}

/* ---- values -------------------------------------------------------------- */

/* Those of libc and its kin say nothing about the program. */
static bool has_values(const struct object *object, bool is_guess)
{
    return object->all->values && !is_guess && !system_has_object(object->path);
}

/* What an address's scopes have in common: the place. */
static void set_place(struct values *values, Dwarf_Die *scopes, int count,
                      uint64_t pc, Dwarf_Attribute *base)
{
    values->place.pc = pc;
    values->place.base = NULL;
    values->place.function = NULL;
    for (int i = 0; i < count && !values->place.function; i++) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_subprogram)
            continue;
        values->place.function = &scopes[i];
        values->place.base =
            dwarf_attr_integrate(&scopes[i], DW_AT_frame_base, base);
    }
}

/* ---- DWARF --------------------------------------------------------------- */

static const char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attr;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
        return dwarf_formstring(&attr);
    return dwarf_diename(die);
}

static struct place line_of(struct object_file *file, uint64_t address)
{
    struct place place = {NULL, 0};
    Dwfl_Line *line = dwfl_module_getsrc(file->module, address);
    if (line)
        place.file = dwfl_lineinfo(line, NULL, &place.line, NULL, NULL, NULL);
    return place;
}

/* Where an inlined function was called from. */
static struct place call_of(Dwarf_Die *cu, Dwarf_Die *inlined)
{
    struct place place = {NULL, 0};
    Dwarf_Attribute attr;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &line) ==
        0)
        place.line = (int)line;
    if (dwarf_getsrcfiles(cu, &files, &count) == 0 &&
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &file) ==
            0)
        place.file = dwarf_filesrc(files, file, NULL, NULL);
    return place;
}

/* The innermost function or block at a pc; also of a lambda, whose DIE stands
 * in one of another function that is elsewhere: dwarf_getscopes() stops
 * there. */
static bool find_innermost(Dwarf_Die *in, Dwarf_Addr pc, int depth,
                           Dwarf_Die *out)
{
    Dwarf_Die child;
    for (int rc = depth < DIES_DEEP ? dwarf_child(in, &child) : 1; rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        bool is_code = tag == DW_TAG_subprogram ||
                       tag == DW_TAG_lexical_block ||
                       tag == DW_TAG_inlined_subroutine;
        bool is_around = tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
                         tag == DW_TAG_structure_type;
        bool is_here = is_code && dwarf_haspc(&child, pc) > 0;
        if (is_here)
            *out = child;
        if ((is_code || is_around) &&
            find_innermost(&child, pc, depth + 1, out))
            return true;
        if (is_here)
            return true;
    }
    return false;
}

/* Scopes around a pc, innermost first; malloc'ed. Their number. */
static int scopes_at(Dwarf_Die *cu, Dwarf_Addr pc, Dwarf_Die **scopes)
{
    Dwarf_Die *inner = NULL, nested;
    int count = 0;
    int found = dwarf_getscopes(cu, pc, &inner);
    if (found > 1) /* more than the unit */
        count = dwarf_getscopes_die(inner, scopes);
    else if (found >= 0 && find_innermost(cu, pc, 0, &nested))
        count = dwarf_getscopes_die(&nested, scopes);
    free(inner);
    return count;
}

/* The frames by DWARF at a link-time address. Number, 0: it knows nothing. */
static int add_scopes(struct object *object, uint64_t address,
                      uint64_t shown_at, bool is_guess, cJSON *frames)
{
    Dwarf_Addr bias;
    Dwarf_Die *cu = dwfl_module_addrdie(object->file->module, address, &bias);
    Dwarf_Die *scopes = NULL;
    int count = cu ? scopes_at(cu, address - bias, &scopes) : 0;
    if (count <= 0)
        return 0;
    struct place place = line_of(object->file, address);
    Dwarf_Attribute base;
    struct values *values =
        has_values(object, is_guess) ? object->all->values : NULL;
    int added = 0, first_block = 0;
    if (values) {
        values->place.bias = object->bias + bias;
        set_place(values, scopes, count, address - bias, &base);
    }
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        bool is_inlined = tag == DW_TAG_inlined_subroutine;
        cJSON *frame = add_frame(object, shown_at, name_of(&scopes[i]), place,
                                 is_inlined, is_guess, frames);
        if (values)
            values_add(values,
                       &(struct values_scope){&scopes[i], scopes + first_block,
                                              i - first_block},
                       frame);
        first_block = i + 1;
        added++;
        if (!is_inlined)
            break;
        place = call_of(cu, &scopes[i]);
    }
    free(scopes);
    return added;
}

/* ---- symbols ------------------------------------------------------------- */

static const char *symbol_of(struct object_file *file, uint64_t address)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(file->module, address, &offset,
                                            &symbol, NULL, NULL, NULL);
    /* the nearest one below is no answer: static functions have no name */
    return name && (offset == 0 || offset < symbol.st_size) ? name : NULL;
}

/* Not a return address: `handspan symbolize` must know it. */
static void mark_exact(cJSON *frames, int first)
{
    cJSON *frame;
    int i = 0;
    cJSON_ArrayForEach(frame, frames) if (i++ >= first)
        cJSON_AddBoolToObject(frame, "exact", true);
}

void modules_describe(struct modules *modules, uint64_t address, bool is_call,
                      bool is_guess, cJSON *frames)
{
    struct object *object = modules_at(modules, address);
    uint64_t in =
        (is_call ? address - 1 : address) - (object ? object->bias : 0);
    struct place nowhere = {NULL, 0};
    int first = cJSON_GetArraySize(frames);
    if (!object || !object->file->module)
        add_frame(object, address, NULL, nowhere, false, is_guess, frames);
    else if (add_scopes(object, in, address, is_guess, frames) == 0) {
        struct object_file *file = object->file;
        object_file_doubt(file);
        add_frame(object, address, symbol_of(file, in), line_of(file, in),
                  false, is_guess, frames);
    }
    if (!is_call)
        mark_exact(frames, first);
}

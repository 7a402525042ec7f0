/* SPDX-License-Identifier: Apache-2.0 */
/* See entry.h. A call site counts only if it calls this function by name, and
 * the function has no tail calls: else it could have been entered again since
 * with other arguments. */
#include "tools/symbolize/entry.h"
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>
#include "tools/symbolize/modules_internal.h"
#include "tools/symbolize/unwind.h"

enum {
    DEPTH = 12, /* of blocks in a function */
};

static bool is_call_site(Dwarf_Die *die)
{
    return dwarf_tag(die) == DW_TAG_call_site ||
           dwarf_tag(die) == DW_TAG_GNU_call_site;
}

static bool has_either(Dwarf_Die *die, unsigned name, unsigned gnu,
                       Dwarf_Attribute *attr)
{
    return dwarf_attr(die, name, attr) || dwarf_attr(die, gnu, attr);
}

/* The call site that returns to `pc`; with pc 0 any tail call. */
static bool find_site(Dwarf_Die *in, uint64_t pc, int depth, Dwarf_Die *out)
{
    Dwarf_Die child;
    for (int rc = dwarf_child(in, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        Dwarf_Attribute attr;
        Dwarf_Addr at;
        int tag = dwarf_tag(&child);
        if (is_call_site(&child)) {
            bool is_it = pc == 0
                             ? has_either(&child, DW_AT_call_tail_call,
                                          DW_AT_GNU_tail_call, &attr)
                             : has_either(&child, DW_AT_call_return_pc,
                                          DW_AT_low_pc, &attr) &&
                                   dwarf_formaddr(&attr, &at) == 0 && at == pc;
            *out = child;
            if (is_it)
                return true;
        } else if ((tag == DW_TAG_lexical_block ||
                    tag == DW_TAG_inlined_subroutine) &&
                   depth < DEPTH && find_site(&child, pc, depth + 1, out)) {
            return true;
        }
    }
    return false;
}

static const char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attr;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr))
        return dwarf_formstring(&attr);
    return dwarf_diename(die);
}

static bool calls(Dwarf_Die *site, Dwarf_Die *function)
{
    Dwarf_Attribute attr;
    Dwarf_Die origin;
    if (!has_either(site, DW_AT_call_origin, DW_AT_abstract_origin, &attr) ||
        !dwarf_formref_die(&attr, &origin))
        return false;
    const char *a = name_of(&origin), *b = name_of(function);
    return a && b && strcmp(a, b) == 0;
}

/* The value that it gives for a register. */
static bool find_parameter(Dwarf_Die *site, uint64_t number,
                           Dwarf_Attribute *value)
{
    Dwarf_Die child;
    for (int rc = dwarf_child(site, &child); rc == 0;
         rc = dwarf_siblingof(&child, &child)) {
        Dwarf_Attribute where;
        Dwarf_Op *op;
        size_t count;
        if (dwarf_attr(&child, DW_AT_location, &where) &&
            dwarf_getlocation(&where, &op, &count) == 0 && count == 1 &&
            op->atom == DW_OP_reg0 + number)
            return has_either(&child, DW_AT_call_value,
                              DW_AT_GNU_call_site_value, value);
    }
    return false;
}

/* The function that holds a pc, as it stands in the file. */
static bool find_function(Dwarf_Die *cu, Dwarf_Addr pc, Dwarf_Die *function)
{
    Dwarf_Die *inner = NULL, *scopes = NULL;
    bool found = false;
    int count = dwarf_getscopes(cu, pc, &inner) > 0
                    ? dwarf_getscopes_die(inner, &scopes)
                    : 0;
    for (int i = 0; i < count && !found; i++) {
        found = dwarf_tag(&scopes[i]) == DW_TAG_subprogram;
        *function = scopes[i];
    }
    free(scopes);
    free(inner);
    return found;
}

bool entry_value(const struct location_place *place, uint64_t number,
                 uint64_t *value)
{
    const struct entry_chain *chain = place->chain;
    const struct unwind_frame *caller = chain->above;
    Dwarf_Die function, site;
    Dwarf_Attribute base, attr;
    Dwarf_Addr bias;
    if (chain->count == 0 || !caller->is_call || caller->is_guess ||
        number > 31 || find_site(place->function, 0, 0, &site))
        return false;
    struct object *object = modules_at(chain->modules, caller->address);
    uint64_t address = caller->address - (object ? object->bias : 0);
    Dwarf_Die *cu =
        object && object->file->module
            ? dwfl_module_addrdie(object->file->module, address - 1, &bias)
            : NULL;
    if (!cu || !find_function(cu, address - 1 - bias, &function) ||
        !find_site(&function, address - bias, 0, &site) ||
        !calls(&site, place->function) || !find_parameter(&site, number, &attr))
        return false;
    struct entry_chain above = {chain->modules, caller + 1, chain->count - 1};
    struct location_place at = *place;
    at.frame = &caller->at;
    at.pc = address - 1 - bias;
    at.bias = object->bias + bias;
    at.base = dwarf_attr_integrate(&function, DW_AT_frame_base, &base);
    at.function = &function;
    at.chain = &above;
    return location_evaluate(&at, &attr, value);
}

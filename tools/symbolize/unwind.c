/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libunwind over a copied stack: it asks for memory, registers and unwind
 * tables through the accessors here. Memory is the copy, and the bytes of the
 * objects' files; nothing of the process is touched.
 *
 * Calls that a trampoline of the preload carries have their return address
 * elsewhere: where a frame's slot is one of those, the walk goes on from what
 * the copy says of it (struct lane_stack_call).
 */
#include "tools/symbolize/unwind.h"
#include <errno.h>
#include <libunwind.h>
#include <string.h>

/* In libunwind's library for each target, in no header of it. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip,
                                       unw_dyn_info_t *di, unw_proc_info_t *pi,
                                       int need_unwind_info, void *arg);

struct walk {
    struct modules *modules;
    const struct unwind_input *in;
    uint64_t registers[LANE_STACK_REGISTERS];
    bool is_past_copy; /* this step asked for what lies beyond its end */
    bool has_no_table; /* for the frame of this step */
    bool is_before;    /* the cursor stands a byte before its address */
    uint64_t cfa;      /* of the frame that was left */
};

enum {
    DWARF_RBX = 3,
    DWARF_RBP = 6,
    DWARF_RSP = 7,
    DWARF_RIP = 16,
    KEPT = 1 << DWARF_RBX | 1 << DWARF_RBP | 1 << DWARF_RSP | 0xf << 12 |
           1 << DWARF_RIP,
    /* a value that is no address: libunwind asks for registers that it does
     * not need, and gives up where it gets none */
    NOT_KNOWN = 1,
    STACK_MOST = 8 << 20,
};

/* ---- accessors ----------------------------------------------------------- */

static int find_proc_info(unw_addr_space_t as, unw_word_t ip,
                          unw_proc_info_t *pi, int need_unwind_info, void *arg)
{
    struct walk *w = arg;
    struct module_tables tables;
    if (!modules_find_tables(w->modules, ip, &tables)) {
        w->has_no_table = true;
        return -UNW_ENOINFO;
    }
    unw_dyn_info_t info = {
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .start_ip = tables.low,
        .end_ip = tables.high,
    };
    info.u.rti.segbase = tables.segbase;
    info.u.rti.table_data = tables.table;
    /* in words, two 32-bit numbers an entry */
    info.u.rti.table_len = tables.table_entries * 8 / sizeof(unw_word_t);
    int rc = UNW_OBJ(dwarf_search_unwind_table)(as, ip, &info, pi,
                                                need_unwind_info, arg);
    if (rc < 0)
        w->has_no_table = true;
    return rc;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
    (void)as;
    (void)pi;
    (void)arg;
}

static int no_dynamic_info(unw_addr_space_t as, unw_word_t *out, void *arg)
{
    (void)as;
    (void)out;
    (void)arg;
    return -UNW_ENOINFO;
}

static bool in_copy(const struct walk *w, uint64_t address)
{
    uint64_t first = w->in->head->first_address;
    uint64_t len = w->in->head->stack_bytes;
    return address >= first && address - first < len;
}

/* On the same stack, as far as is known: other mappings may lie above. */
static bool is_above_copy(const struct walk *w, uint64_t address)
{
    uint64_t first = w->in->head->first_address;
    return address >= first && address - first < STACK_MOST &&
           !modules_is_code(w->modules, address);
}

static int access_mem(unw_addr_space_t as, unw_word_t address,
                      unw_word_t *value, int is_write, void *arg)
{
    struct walk *w = arg;
    (void)as;
    if (is_write)
        return -UNW_EINVAL;
    uint64_t at = address - w->in->head->first_address;
    if (in_copy(w, address)) {
        if (w->in->head->stack_bytes - at < sizeof *value) {
            w->is_past_copy = true;
            return -UNW_EINVAL;
        }
        memcpy(value, w->in->bytes + at, sizeof *value);
        return 0;
    }
    if (modules_read(w->modules, address, value, sizeof *value))
        return 0;
    /* the last bytes of a segment are read word by word, too */
    for (size_t len = sizeof *value - 1; len > 0; len--) {
        *value = 0;
        if (modules_read(w->modules, address, value, len))
            return 0;
    }
    w->is_past_copy |= is_above_copy(w, address);
    return -UNW_EINVAL;
}

static int register_of(unw_regnum_t number)
{
    /* libunwind numbers them as DWARF does */
    return number >= 0 && number < LANE_STACK_REGISTERS ? (int)number : -1;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t number,
                      unw_word_t *value, int is_write, void *arg)
{
    struct walk *w = arg;
    (void)as;
    int reg = register_of(number);
    if (reg < 0 || is_write)
        return -UNW_EBADREG;
    *value = w->registers[reg];
    return 0;
}

static int no_fpreg(unw_addr_space_t as, unw_regnum_t number, unw_fpreg_t *out,
                    int is_write, void *arg)
{
    (void)as;
    (void)number;
    (void)out;
    (void)is_write;
    (void)arg;
    return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
    (void)as;
    (void)cursor;
    (void)arg;
    return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t ip, char *out,
                   size_t cap_bytes, unw_word_t *offset, void *arg)
{
    (void)as;
    (void)ip;
    (void)out;
    (void)cap_bytes;
    (void)offset;
    (void)arg;
    return -UNW_ENOINFO;
}

/* ---- the walk ------------------------------------------------------------ */

/* The call whose return address stands at `slot`. */
static const struct lane_stack_call *call_at(const struct walk *w,
                                             uint64_t slot)
{
    for (uint16_t i = 0; i < w->in->head->call_count; i++)
        if (w->in->call[i].slot == slot)
            return &w->in->call[i];
    return NULL;
}

/* At a return address. What called and never comes back may be the last of its
 * function: the rule that holds is that of the call. */
static int go_on_at(struct walk *w, unw_addr_space_t as, unw_cursor_t *cursor,
                    uint64_t ip, uint64_t sp, uint64_t rbp)
{
    w->registers[DWARF_RIP] = ip - 1;
    w->registers[DWARF_RSP] = sp;
    w->registers[DWARF_RBP] = rbp;
    w->is_before = true;
    return unw_init_remote(cursor, as, w);
}

/* Go on at the caller that the trampoline will return to. */
static int cross_trampoline(struct walk *w, unw_addr_space_t as,
                            unw_cursor_t *cursor,
                            const struct lane_stack_call *call)
{
    for (int i = 0; i < LANE_STACK_REGISTERS; i++) {
        unw_word_t value;
        if (unw_get_reg(cursor, i, &value) == 0)
            w->registers[i] = value;
    }
    return go_on_at(w, as, cursor, call->ip, call->sp, call->rbp);
}

static bool is_ours(const struct walk *w, uint64_t address)
{
    return modules_has_id(w->modules, address, w->in->own_id, 20);
}

/* A return address follows a call: e8 and a distance, or ff /2. */
static bool is_return_address(struct walk *w, uint64_t address)
{
    uint8_t before[7] = {0};
    if (!modules_is_code(w->modules, address) ||
        !modules_read(w->modules, address - sizeof before, before,
                      sizeof before))
        return false;
    if (before[2] == 0xe8)
        return true;
    for (int len = 2; len <= 7; len++)
        if (before[7 - len] == 0xff && (before[8 - len] >> 3 & 7) == 2)
            return true;
    return false;
}

/* A library call that is watched for a first cause: its trampoline has kept
 * what is needed. */
static bool leave_frame_of_ours(struct walk *w, unw_addr_space_t as,
                                uint64_t from, unw_word_t *ip, unw_word_t *rbp)
{
    /* F: see LANE_KEPT_BELOW. What is watched has no stack arguments. */
    uint64_t a = from - 8 + LANE_KEPT_STRIDE;
    unw_word_t sp;
    return access_mem(as, a - LANE_KEPT_BELOW + LANE_KEPT_SP, &sp, 0, w) == 0 &&
           sp == a && access_mem(as, a, ip, 0, w) == 0 &&
           access_mem(as, a - 8, rbp, 0, w) == 0;
}

/*
 * Of a thread that was not stopped only rsp and rip are known, and this frame
 * is found by rbp. What it looked like is known: the saved rbp of its caller
 * and the return address, one after the other. The next such pair up the stack
 * is a guess; it cannot lie beyond a call that a trampoline carries.
 */
static int step_without_rbp(struct walk *w, unw_addr_space_t as,
                            unw_cursor_t *cursor, uint64_t from, uint32_t *site)
{
    unw_word_t rbp, ip;
    /* what called us may use its rbp for anything */
    bool is_own = unw_get_reg(cursor, UNW_REG_IP, &ip) == 0 && is_ours(w, ip);
    if (is_own && leave_frame_of_ours(w, as, from, &ip, &rbp))
        return go_on_at(w, as, cursor, ip, from + LANE_KEPT_STRIDE, rbp) == 0
                   ? 1
                   : -1;
    w->has_no_table = true;
    for (uint64_t at = from; access_mem(as, at + 8, &ip, 0, w) == 0; at += 8) {
        const struct lane_stack_call *call = call_at(w, at + 8);
        if (call) {
            *site = call->site;
            return cross_trampoline(w, as, cursor, call) == 0 ? 1 : -1;
        }
        if (!in_copy(w, at + 8) || access_mem(as, at, &rbp, 0, w) != 0)
            break;
        bool is_frame = rbp > at && in_copy(w, rbp) && rbp % 8 == 0;
        if ((is_frame || is_own) && is_return_address(w, ip))
            return go_on_at(w, as, cursor, ip, at + 16, rbp) == 0 ? 1 : -1;
    }
    return -1;
}

/* One frame up. 1, 0: there is none, <0: lost. */
static int step(struct walk *w, unw_addr_space_t as, unw_cursor_t *cursor,
                uint32_t *site)
{
    unw_word_t before, after, rbp = 0;
    *site = 0;
    w->has_no_table = w->is_past_copy = w->is_before = false;
    unw_get_reg(cursor, UNW_REG_SP, &before);
    (void)unw_get_reg(cursor, UNW_X86_64_RBP, &rbp);
    int rc = unw_step(cursor);
    /* where the table's rule finds nothing libunwind tries rbp */
    if (w->is_past_copy && !w->has_no_table && rbp != NOT_KNOWN)
        return -1;
    if (rc < 0 && rbp == NOT_KNOWN && w->in->head->reason == LANE_STACK_OVERDUE)
        return step_without_rbp(w, as, cursor, before, site);
    /* without tables it is the end only if rbp says so */
    if (rc == 0 && w->has_no_table && rbp != 0 && rbp != NOT_KNOWN)
        return -1;
    if (rc <= 0)
        return rc;
    unw_get_reg(cursor, UNW_REG_SP, &after);
    w->cfa = after;
    const struct lane_stack_call *call = call_at(w, after - 8);
    if (call) {
        *site = call->site;
        return cross_trampoline(w, as, cursor, call) == 0 ? 1 : -1;
    }
    return after > before ? 1 : -1;
}

static enum unwind_end end_of(const struct walk *w, int rc)
{
    if (rc == 0)
        return UNWIND_WHOLE;
    bool cut = (w->in->head->flags & LANE_STACK_TRUNCATED) != 0;
    return cut && w->is_past_copy ? UNWIND_TRUNCATED : UNWIND_LOST;
}

/* A jump to nowhere (a NULL function pointer): what called it stands on top of
 * the stack. True if the cursor is there now. */
static bool leave_nowhere(struct walk *w, unw_addr_space_t as,
                          unw_cursor_t *cursor)
{
    unw_word_t to;
    unw_word_t sp = w->registers[DWARF_RSP];
    if (w->in->head->reason != LANE_STACK_SIGNAL ||
        access_mem(as, sp, &to, 0, w) != 0 || !modules_is_code(w->modules, to))
        return false;
    return go_on_at(w, as, cursor, to, sp + 8, w->registers[DWARF_RBP]) == 0;
}

/* Its registers; above the first frame those that calls keep. */
static void note_registers(unw_cursor_t *cursor, uint32_t known,
                           struct location_frame *at)
{
    at->known = 0;
    for (int i = 0; i < LANE_STACK_REGISTERS; i++) {
        unw_word_t value;
        if (known >> i & 1 && unw_get_reg(cursor, i, &value) == 0) {
            at->registers[i] = value;
            at->known |= 1u << i;
        }
    }
}

static int walk_up(struct walk *w, unw_addr_space_t as, unw_cursor_t *cursor,
                   struct unwind_frame *out, enum unwind_end *end)
{
    bool is_call = w->in->head->reason != LANE_STACK_SIGNAL &&
                   w->in->head->reason != LANE_STACK_OVERDUE;
    bool is_guess = false;
    int count = 0, rc = 1;
    uint32_t known = w->in->head->known;
    *end = UNWIND_MOST;
    for (int steps = 0; steps < 2 * UNWIND_MAX && count < UNWIND_MAX; steps++) {
        unw_word_t ip;
        uint32_t site;
        if (unw_get_reg(cursor, UNW_REG_IP, &ip) != 0)
            break;
        ip += w->is_before;
        if (steps == 0 && !modules_is_code(w->modules, ip) &&
            leave_nowhere(w, as, cursor)) {
            out[count++] = (struct unwind_frame){.address = ip};
            is_call = true;
            continue;
        }
        if (ip == 0) {
            *end = UNWIND_WHOLE;
            break;
        }
        if (!modules_is_code(w->modules, ip)) {
            /* where it jumped to is worth knowing, where it would return not */
            if (steps == 0)
                out[count++] = (struct unwind_frame){.address = ip};
            *end = UNWIND_LOST;
            break;
        }
        int at = -1;
        if (!is_ours(w, ip)) {
            at = count++;
            out[at] = (struct unwind_frame){
                .address = ip, .is_call = is_call, .is_guess = is_guess};
            note_registers(cursor, known, &out[at].at);
            out[at].at.registers[DWARF_RIP] = ip;
        }
        bool is_signal = unw_is_signal_frame(cursor) > 0;
        rc = step(w, as, cursor, &site);
        if (at >= 0)
            out[at].site = site;
        if (rc <= 0) {
            *end = end_of(w, rc);
            break;
        }
        if (at >= 0)
            out[at].at.cfa = w->cfa;
        known = is_signal ? ~0u : KEPT;
        is_call = !is_signal;
        is_guess = is_guess || w->has_no_table;
    }
    return count;
}

int unwind_stack(struct modules *modules, const struct unwind_input *in,
                 struct unwind_frame *out, enum unwind_end *end)
{
    unw_accessors_t accessors = {
        .find_proc_info = find_proc_info,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = no_dynamic_info,
        .access_mem = access_mem,
        .access_reg = access_reg,
        .access_fpreg = no_fpreg,
        .resume = no_resume,
        .get_proc_name = no_name,
    };
    struct walk w = {.modules = modules, .in = in};
    memcpy(w.registers, in->head->registers, sizeof w.registers);
    for (int i = 0; i < LANE_STACK_REGISTERS; i++)
        if (in->head->reason == LANE_STACK_OVERDUE &&
            !(in->head->known >> i & 1))
            w.registers[i] = NOT_KNOWN;
    unw_addr_space_t as = unw_create_addr_space(&accessors, 0);
    unw_cursor_t cursor;
    int count = 0;
    *end = UNWIND_LOST;
    if (as && unw_init_remote(&cursor, as, &w) == 0)
        count = walk_up(&w, as, &cursor, out, end);
    if (as)
        unw_destroy_addr_space(as);
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that includes handspan.h has an empty function and a note that
 * leads to it (ELF gABI, "Note Section": name "handspan", type 2, the distance
 * from the word to the function). Its entry gets a site of ours, which answers.
 *
 * The hook runs as any: general registers only, no libc. What the program
 * gives is read as captures are: it may be anything.
 */
#include "preload/watch/ask.h"

#include <elf.h>
#include <errno.h>
#include <link.h>

#include "lane/format/context_frames.h"
#include "preload/watch/attribute_room.h"
#include "preload/bind/bind.h"
#include "preload/call/record/blind.h"
#include "preload/call/capture/capture_write.h"
#include "preload/call/carry/carry.h"
#include "preload/settings/config.h"
#include "preload/call/record/cpu.h"
#include "preload/process/exec.h"
#include "preload/objects/modules.h"
#include "lane/format/assert.h"

enum {
    NAME_BYTES = 9, /* "handspan" */
    NOTE_TYPE = 2,
    ROUND = 3,
};
/* As in include/handspan.h, which is compiled into programs. */
enum ask {
    ASK_TRACEPARENT = 1,
    ASK_TEXT,
    ASK_INTEGER,
    ASK_DOUBLE,
    ASK_CARRY,
    ASK_ADOPT,
    ASK_FORGET,
};
enum {
    VARIABLE_BYTES = sizeof "TRACEPARENT=" - 1,
};

static bool tell_traceparent(char *out)
{
    char text[EXEC_PARENT_BYTES];
    exec_env_traceparent(span_here(), text);
    for (size_t i = VARIABLE_BYTES; i < sizeof text; i++)
        *out++ = text[i];
    return true;
}

/* ---- attributes --------------------------------------------------------- */

static uint32_t read_value(const struct reader *reader,
                           enum lane_attribute_type type, uint64_t from,
                           uint8_t *out)
{
    if (type == LANE_ATTRIBUTE_TEXT)
        return (uint32_t)read_text(reader, out, from, LANE_ATTRIBUTE_VALUE_MAX)
            .len;
    return (uint32_t)read_bytes(reader, out, from, sizeof(uint64_t));
}

/* One frame of the lane; false: no room. */
static bool put_attribute(struct lane *lane, const struct shim_call *call,
                          uint64_t span, const uint8_t *bytes, uint32_t len)
{
    lane_assert(len <= LANE_ATTRIBUTES_MAX && call->site < SHIM_SITE_MAX);
    struct capture_frame frame;
    if (!capture_frame_open(lane, len, &frame)) {
        __atomic_fetch_add(&runtime.map.session->carry.frames, 1,
                           __ATOMIC_RELAXED);
        return false;
    }
    read_copy(frame.payload, bytes, len);
    capture_frame_commit(&frame, len, LANE_FRAME_ATTRIBUTE, 1, span,
                         (uint32_t)call->site);
    return true;
}

static bool set_attribute(const struct shim_call *call, struct lane *lane,
                          enum lane_attribute_type type)
{
    uint8_t bytes[LANE_ATTRIBUTE_MAX];
    struct reader reader;
    struct span_place place = span_find_place(lane, call->sp);
    if (config.capture_max == MANIFEST_CAPTURE_NONE)
        return false;
    if (LANE_REF_LANE(place.parent) != span_thread.window.index)
        return false; /* the process's, or open on another thread */
    uint32_t *used = attribute_room_of(lane, place.parent);
    if (!used)
        return false; /* of an item whose handler has ended */
    reader_start(&reader, runtime.pid, span_thread.stack_low,
                 span_thread.stack_high);
    struct lane_attribute head = {.type = (uint16_t)type};
    uint8_t *key = bytes + sizeof head;
    head.key_bytes = (uint16_t)read_text(&reader, key, call->args.rsi,
                                         LANE_ATTRIBUTE_KEY_MAX)
                         .len;
    head.value_bytes =
        read_value(&reader, type, call->args.rdx, key + head.key_bytes);
    __builtin_memcpy(bytes, &head, sizeof head);
    uint32_t len = (uint32_t)sizeof head + head.key_bytes + head.value_bytes;
    if (head.key_bytes == 0)
        return false;
    lane_assert(len <= sizeof bytes && *used <= LANE_ATTRIBUTES_MAX);
    if (len > LANE_ATTRIBUTES_MAX - *used) {
        (void)put_attribute(lane, call, place.parent, bytes, 0);
        return false;
    }
    if (!put_attribute(lane, call, place.parent, bytes, len))
        return false;
    *used += len;
    return true;
}

/* ---- work items --------------------------------------------------------- */

static void hand_over(uint64_t item, const struct shim_call *call,
                      struct lane *lane)
{
    lane_assert(span_is_own(lane));
    struct span_place place = span_find_place(lane, call->sp);
    struct carry_item carried = {
        .parent = place.parent, .ticks = span_now(), .context = place.context};
    if (item != 0)
        carry_table_put(carry_key(item), &carried);
}

/* As a pop does (carry_left()); this call stands where the pop's would. */
static bool take_up(uint64_t item, const struct shim_call *call,
                    struct lane *lane)
{
    lane_assert(span_is_own(lane));
    struct lane_carry_counts *losses = &runtime.map.session->carry;
    struct carry_item found;
    uint64_t now = span_now(), frame = 0;
    span_drop_contexts(lane, call->sp);
    if (item == 0)
        return false;
    enum carry_found how = carry_table_take(carry_key(item), now, &found);
    struct span_origin origin = span_orphan(
        how == CARRY_EXPIRED ? LANE_ORPHAN_EXPIRED : LANE_ORPHAN_NO_CARRIER);
    if (how == CARRY_FOUND)
        origin = (struct span_origin){.parent = found.parent,
                                      .context = found.context,
                                      .is_apart = true,
                                      .carried_ticks = found.ticks,
                                      .adopted_ticks = now};
    else
        __atomic_fetch_add(how == CARRY_EXPIRED ? &losses->expired
                                                : &losses->unmatched,
                           1, __ATOMIC_RELAXED);
    /* Z keeps the caller's rbp elsewhere */
    if (carry_find_frame && (call->flags & SHIM_CALL_ZERO_COPY) == 0)
        frame = carry_find_frame(call->sp);
    if (!span_push_context(lane, call->sp, frame, &origin))
        __atomic_fetch_add(&losses->frames, 1, __ATOMIC_RELAXED);
    return how == CARRY_FOUND;
}

/* ---- the call ----------------------------------------------------------- */

static bool answer(const struct shim_call *call, struct lane *lane)
{
    uint64_t what = call->args.rdi, item = call->args.rsi;
    span_settle(lane, call->sp, true);
    switch (what) {
    case ASK_TEXT:
        return set_attribute(call, lane, LANE_ATTRIBUTE_TEXT);
    case ASK_INTEGER:
        return set_attribute(call, lane, LANE_ATTRIBUTE_INTEGER);
    case ASK_DOUBLE:
        return set_attribute(call, lane, LANE_ATTRIBUTE_DOUBLE);
    case ASK_CARRY:
        hand_over(item, call, lane);
        return true;
    case ASK_ADOPT:
        return take_up(item, call, lane);
    case ASK_FORGET:
        carry_table_forget(item ? carry_key(item) : 0);
        return true;
    default:
        return false; /* of a later header */
    }
}

static void enter_ask(struct shim_call *call)
{
    int *done = (int *)call->args.rcx;
    if (runtime.map.session == NULL || blind)
        return;
    if (call->args.rdi == ASK_TRACEPARENT) {
        if (*runtime.alive != 0)
            *done = tell_traceparent((char *)call->args.rsi);
        return;
    }
    if (!runtime_is_recording())
        return;
    struct lane *lane = span_get_lane();
    if (lane != NULL)
        *done = answer(call, lane);
}

/* ---- finding ------------------------------------------------------------ */

static bool is_ours(const Elf64_Nhdr *note, const char *name)
{
    static const char ours[NAME_BYTES] = "handspan";
    if (note->n_namesz != NAME_BYTES || note->n_type != NOTE_TYPE ||
        note->n_descsz != sizeof(int64_t))
        return false;
    for (size_t i = 0; i < NAME_BYTES; i++)
        if (name[i] != ours[i])
            return false;
    return true;
}

struct search {
    uint32_t index; /* of the object that is looked at */
    bool only_new;
};

static void bind_ask(const struct search *search, uint64_t base,
                     uint64_t function)
{
    struct module *module = modules_find(function);
    if (module && module->is_usable && module->base == base &&
        (!search->only_new || module->generation == modules.generation) &&
        carry_table_start(cpu_ticks_of_ns(carry_age_ns)) == 0 &&
        attribute_room_start() == 0)
        (void)bind_internal_at(module, "handspan_ask", function - base,
                               enter_ask, NULL);
}

static void read_notes(const struct search *search, uint64_t base, uint64_t at,
                       uint64_t end)
{
    while (end - at >= sizeof(Elf64_Nhdr)) {
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;
        uint64_t name = at + sizeof *note;
        uint64_t data = name + ((note->n_namesz + (uint64_t)ROUND) & ~3ull);
        uint64_t next = data + ((note->n_descsz + (uint64_t)ROUND) & ~3ull);
        if (next > end || next <= at)
            return;
        if (is_ours(note, (const char *)name)) {
            int64_t distance;
            __builtin_memcpy(&distance, (const void *)data, sizeof distance);
            bind_ask(search, base, data + (uint64_t)distance);
        }
        at = next;
    }
}

/* The loader lists objects in the order in which they came: as long as none
 * left, those that were seen are the first. */
static struct {
    uint64_t subs;
    uint32_t count;
} seen;

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
    struct search *search = context;
    (void)size;
    if (search->index == 0 && info->dlpi_subs != seen.subs)
        seen.count = 0;
    seen.subs = info->dlpi_subs;
    if (search->index++ < seen.count)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *phdr = &info->dlpi_phdr[i];
        uint64_t at = info->dlpi_addr + phdr->p_vaddr;
        /* notes of 8-byte alignment are the compiler's properties */
        if (phdr->p_type == PT_NOTE && phdr->p_align <= 4)
            read_notes(context, info->dlpi_addr, at, at + phdr->p_memsz);
    }
    return 0;
}

void ask_watch(bool only_new)
{
    struct search search = {.only_new = only_new};
    if (!only_new)
        seen.count = 0;
    dl_iterate_phdr(look, &search);
    seen.count = search.index;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session as bytes: the one contract between a traced process and the
 * sidecar. docs/lane.md describes the same byte by byte.
 *
 * One sparse file is one exec image and its forked descendants. It is mapped
 * once, whole, by the process (writer); the sidecar reads it with pread:
 *
 *   header | processes | contexts | sites | items | counters | modules |
 *   anchors | strings | lanes | units
 *
 * The header holds offset, entry size and capacity of each table. Pages are
 * holes until they are used; whoever is about to use one makes it real first
 * (session.h), so that a full tmpfs is an error code and never a SIGBUS.
 *
 * A lane is what one thread writes: its open spans, and a log. The log is a
 * linear byte position that only grows. Bits 17 and up of a position number a
 * 128 KiB segment, the low 17 bits are the offset in it; the first segment is
 * the lane's own 48 KiB `home` (positions from 128 - 48 KiB on), each later
 * one a unit of the pool, named in lane.unit[segment % LANE_UNIT_RING]. Units
 * are so small that each of some hundred threads may hold one.
 *
 * The log consists of items, each a whole number of 64-byte lines, none across
 * a segment's end (a pad fills the rest). The first line of an item ends with
 * its commit word, stored last: (lane + 1) << 48 | position | type. Units go
 * from lane to lane, but no two lines of a session ever carry the same commit
 * word, so what is left of earlier use is never taken for new.
 *
 * Writer: the thread itself, and its signal handlers (a reservation is one
 * unlocked cmpxchg: atomic against signals of the same thread). Reader: trusts
 * nothing; copies an item, then validates the copy.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LANE_MAGIC "hspan\r\n\032" /* 8 bytes, no NUL */

enum {
    LANE_MAJOR = 3, /* another major: left in place and reported; but 2, */
    LANE_MAJOR_LEAST = 2, /* which has no LANE_SITE_VALUE, is read */
    LANE_MINOR = 10,      /* unknown frame kinds are skipped by length */

    LANE_MINOR_OWNER = 2,  /* `owner` of a lane, `generation` of a process */
    LANE_MINOR_WORDS = 3,  /* the table of words, `loaded_ticks` */
    LANE_MINOR_ROOM = 4,   /* `room` of the session, `growing` of a lane */
    LANE_MINOR_EXEC = 5,   /* `exec_ticks`, `loaded_cpu_ns` */
    LANE_MINOR_OFF = 6,    /* LANE_GATE_SOME, `process_off` */
    LANE_MINOR_SPOOL = 8,  /* `spool` of the session, LANE_POLICY_BRIEF */
    LANE_MINOR_SWITCH = 9, /* `switches` */

    LANE_LINE = 64,
    LANE_SEGMENT_SHIFT = 17,
    LANE_SEGMENT = 1 << LANE_SEGMENT_SHIFT,
    LANE_UNITS_A_MIB = (1 << 20) / LANE_SEGMENT,
    LANE_HOME = 48 * 1024,
    LANE_FIRST_POSITION = LANE_SEGMENT - LANE_HOME,
    LANE_UNIT_RING = 512,
    LANE_OPEN_MAX = 256,
    LANE_CAPTURE_MAX = 51200, /* raw bytes of one input or output */
    LANE_FRAME_MAX = LANE_LINE + LANE_CAPTURE_MAX + 1024,

    LANE_PROCESS_MAX = 4096,
    LANE_CONTEXT_MAX = 1 << 20, /* 24 bits in a record */
    LANE_SITE_MAX = 4096,
    LANE_ITEM_MAX = 32768,
    LANE_MODULE_MAX = 4096,
    LANE_ANCHOR_MAX = 1024,
    LANE_WORD_MAX = 4096,
    LANE_STRING_BYTES = 4 << 20,
    LANE_MAX = 1024,
    LANE_UNIT_DEFAULT = 64 * LANE_UNITS_A_MIB, /* budget: 64 MiB */
    LANE_UNIT_MAX = 4096 * LANE_UNITS_A_MIB,
    LANE_READY_RING = 128,
    LANE_SWITCH_RING = 64,

    LANE_NAME_BYTES = 16,
    /* Log histogram: 16 buckets an octave of ticks, so a value lies within
     * 1/32 of its bucket's middle. */
    LANE_HISTOGRAM_SUB = 4,
    LANE_HISTOGRAM_BUCKETS = 48 << LANE_HISTOGRAM_SUB,
};

/* Span reference: lane << 48 | counter, counter from 1. A process's own span:
 * LANE_PROCESS_LANE << 48 | process index + 1. 0: none. Unique in a session;
 * the W3C span id is derived from it and the session key (ids.h). */
#define LANE_REF(lane, counter) ((uint64_t)(lane) << 48 | (uint64_t)(counter))
#define LANE_REF_LANE(ref)      ((uint32_t)((uint64_t)(ref) >> 48))
#define LANE_REF_COUNTER(ref)   ((uint64_t)(ref)&0xffffffffffffULL)
enum {
    LANE_PROCESS_LANE = 0xffff
};

/* Commit words. */
#define LANE_COMMIT(lane, position, type)                                      \
    ((uint64_t)((lane) + 1) << 48 | (uint64_t)(position) | (type))
enum lane_item_type {
    LANE_ITEM_RECORD = 1,
    LANE_ITEM_FRAME = 2,
    LANE_ITEM_PAD = 3, /* the rest of this segment is empty */
};

/* ---- header ---------------------------------------------------------- */

struct lane_table { /* where a table lies; all in bytes from the file's start */
    uint64_t offset;
    uint32_t entry_bytes;
    uint32_t capacity; /* entries; of strings: bytes / entry_bytes */
};
enum lane_table_kind {
    LANE_TABLE_PROCESSES,
    LANE_TABLE_CONTEXTS,
    LANE_TABLE_SITES,
    LANE_TABLE_ITEMS,
    LANE_TABLE_COUNTERS,
    LANE_TABLE_MODULES,
    LANE_TABLE_ANCHORS,
    LANE_TABLE_STRINGS,
    LANE_TABLE_LANES,
    LANE_TABLE_UNITS,
    LANE_TABLE_WORDS, /* none before LANE_MINOR_WORDS */
    LANE_TABLES,
};

enum lane_clock {
    LANE_CLOCK_TSC = 1,       /* rdtsc; anchors say what a tick is */
    LANE_CLOCK_MONOTONIC = 2, /* CLOCK_MONOTONIC ns from the vDSO */
};
enum lane_policy {
    LANE_POLICY_DROP = 0,
    LANE_POLICY_WAIT = 1,
    LANE_POLICY_BRIEF = 2, /* drop; but for moments, while `spool` says SOON */
};
enum lane_spool {        /* will there be room in a moment? */
    LANE_SPOOL_SOON = 1, /* full segments are set aside on a disk, or the
                            sidecar that will do it is starting */
    LANE_SPOOL_NO = 2,   /* the sidecar says so; 0: nobody said anything */
};
enum lane_gate {
    LANE_GATE_OPEN = 1, /* spans are recorded */
    LANE_GATE_OFF = 0,  /* `handspan off` */
    LANE_GATE_SOME = 2, /* `off PID`: `process_off` says of whom not */
};

/*
 * Fixed at creation up to `table`; the words after it change. Writer of each
 * word in brackets: P any traced process, S the sidecar, O `handspan off`.
 */
struct lane_session {
    char magic[8];
    uint16_t major, minor;
    uint32_t header_bytes; /* sizeof(struct lane_session) */
    uint64_t file_bytes;
    uint64_t key; /* random; derives span ids */
    uint8_t boot_id[16];
    uint8_t build_id[20]; /* of the preload */
    uint32_t machine;     /* ELF e_machine, 62 */
    uint32_t page_bytes;
    uint32_t clock;                         /* enum lane_clock */
    uint32_t policy;                        /* enum lane_policy */
    uint32_t wait_us;                       /* bound of LANE_POLICY_WAIT */
    uint64_t pid_namespace, time_namespace; /* inode numbers */
    uint32_t uid, pad0;
    struct lane_table table[LANE_TABLES];

    _Alignas(64) uint32_t ready; /* [P] 1 when all above is valid; release */
    uint32_t gate;               /* [O] enum lane_gate */

    /* entries handed out; one is valid when its own `state` says so */
    _Alignas(64) uint32_t process_next; /* [P] */
    uint32_t context_next;              /* [P] */
    uint32_t site_next;                 /* [P] */
    uint32_t item_next;                 /* [P] */
    uint32_t module_next;               /* [P] */
    uint32_t anchor_next;   /* [P S] modulo LANE_ANCHOR_MAX: a ring */
    uint32_t string_next;   /* [P] bytes */
    uint32_t lane_next;     /* [P] */
    uint32_t unit_next;     /* [P S] units taken fresh from the pool */
    uint32_t unit_max;      /* budget in units, at most the table's capacity */
    uint32_t process_again; /* [P] places of processes that were taken again:
                               counted after `state`; release */
    uint32_t word_next;     /* [P] modulo LANE_WORD_MAX: a ring */

    /* Ready units: a queue, many poppers [P], one pusher [S]. An entry is a
     * unit index + 1. */
    _Alignas(64) uint32_t ready_head; /* [P] */
    _Alignas(64) uint32_t ready_tail; /* [S] */
    _Alignas(64) uint32_t ready_unit[LANE_READY_RING];

    /* Losses, all [P], all counts. */
    uint64_t lost_threads;  /* without lane: known are but these calls: */
    uint64_t lost_calls;    /* calls that no lane and no counter saw */
    uint64_t lost_contexts; /* roots that stayed in the process's trace */
    uint64_t lost_sites;
    uint64_t lost_strings;
    uint64_t hook_faults; /* our own faults; each switched a hook off */
    uint64_t lost_processes;

    _Alignas(64) uint32_t sidecar_pid; /* [S] the one that drains; 0 none yet */
    uint32_t manifest_errors;          /* [P] in the manifest of this run */
    uint32_t note_string; /* [P] string, lines: what the run says of itself */
    uint32_t note_bytes;
    /* [S] a unit on its way to the ready queue: ready_tail << 32 | unit + 1, 0
     * none. A sidecar killed in between finishes this first (units.c). */
    uint64_t recycling;
    /* [P] before `ready`: exit statuses that are errors; no rules: all but 0 */
    uint32_t has_exit_rules;
    uint8_t exit_errors[32];
    uint32_t is_refused; /* [S] 1: the store refuses it, it is left alone */

    /* [P] pages of each table that are known to be real; grows */
    _Alignas(64) uint32_t real_pages[LANE_TABLES];

    /* [P] string: OTEL_SERVICE_NAME; set before `ready`, 0: none */
    _Alignas(64) uint32_t service_string;
    uint32_t service_bytes;
    uint32_t resource_string; /* the same: OTEL_RESOURCE_ATTRIBUTES */
    uint32_t resource_bytes;
    uint32_t store_string; /* the same: path of the store that it named */
    uint32_t store_bytes;

    /* [P S] a bit for each lane that was set up; only set, with release */
    _Alignas(64) uint64_t lane_made[LANE_MAX / 64];
    /* [P] when the first handler could be called; 0: not yet */
    _Alignas(64) uint64_t loaded_ticks;
    uint64_t exec_ticks;    /* [P] t0 of the first process; 0: not known */
    uint64_t loaded_cpu_ns; /* [P] from there on; before loaded_ticks */
    /* [O] LANE_GATE_SOME: a bit for each place; [P] clears its own */
    _Alignas(64) uint64_t process_off[LANE_PROCESS_MAX / 64];

    /* [P] context of work items, calls that went unseen; [S] as losses */
    _Alignas(64) struct lane_carry_counts {
        uint64_t dropped;   /* out of the full table, or its set was in use */
        uint64_t expired;   /* adopted, but too old */
        uint64_t unmatched; /* adopted, and nobody had carried them */
        uint64_t late;   /* adopted before the call that carried them ended */
        uint64_t links;  /* of a batch: beyond what one span can link */
        uint64_t frames; /* no room in the log, or in the open spans */
        uint64_t stacks; /* fibers' stacks beyond what can be kept */
        uint64_t gone;   /* ended when another call stood in their place */
    } carry;

    /* [S] counts up when units are given back: a futex of LANE_POLICY_WAIT */
    _Alignas(64) uint32_t room;
    uint32_t spool; /* [P S] enum lane_spool; a process says SOON only where
                       nobody said anything */
    /* [O] each `off` and `on` that changed something: a ring, the count last;
     * `off` before the gate, `on` after it */
    uint32_t switch_next, pad2;
    struct lane_switch {
        uint64_t ticks;   /* when */
        uint32_t process; /* its number + 1; 0: all of the session */
        uint32_t is_off;
    } switches[LANE_SWITCH_RING];
    _Alignas(64) char pad3[4096 - 3200];
};

_Static_assert(sizeof(struct lane_session) == 4096, "file format");
_Static_assert(offsetof(struct lane_session, table) == 112, "file format");
_Static_assert(offsetof(struct lane_session, ready) == 320, "file format");
_Static_assert(offsetof(struct lane_session, process_next) == 384,
               "file format");
_Static_assert(offsetof(struct lane_session, ready_head) == 448, "file format");
_Static_assert(offsetof(struct lane_session, ready_unit) == 576, "file format");
_Static_assert(offsetof(struct lane_session, lost_threads) == 1088,
               "file format");
_Static_assert(offsetof(struct lane_session, sidecar_pid) == 1152,
               "file format");
_Static_assert(offsetof(struct lane_session, has_exit_rules) == 1176,
               "file format");
_Static_assert(offsetof(struct lane_session, recycling) == 1168, "file format");
_Static_assert(offsetof(struct lane_session, real_pages) == 1216,
               "file format");
_Static_assert(offsetof(struct lane_session, service_string) == 1280,
               "file format");
_Static_assert(offsetof(struct lane_session, lane_made) == 1344, "file format");
_Static_assert(offsetof(struct lane_session, carry) == 2048, "file format");
_Static_assert(offsetof(struct lane_session, room) == 2112, "file format");
_Static_assert(offsetof(struct lane_session, spool) == 2116, "file format");
_Static_assert(offsetof(struct lane_session, switches) == 2128, "file format");

/* ---- tables ---------------------------------------------------------- */

/* A piece of the string table. offset 0: none. */
struct lane_string {
    uint32_t offset, len_bytes;
};

#include "lane/format/layout_process.h"

/* A trace that spans of this session belong to. Index 0: the process's. */
struct lane_context {
    uint8_t trace_id[16];
    uint64_t remote_parent; /* span id from TRACEPARENT as a big-endian
                               number, 0 none */
    uint32_t flags;         /* W3C trace flags in the low 8 bits */
    uint32_t state;         /* 1: valid, release */
};
_Static_assert(sizeof(struct lane_context) == 32, "file format");

enum lane_binding {
    LANE_BINDING_NONE = 0, /* not bound: `reason` says why */
    LANE_BINDING_ENTRY = 1,
    LANE_BINDING_SLOTS = 2,
};
enum lane_shim {
    LANE_SHIM_FRAME = 1,     /* F */
    LANE_SHIM_ZERO_COPY = 2, /* Z */
};
enum lane_site_flags {
    LANE_SITE_ROOT = 1,
    LANE_SITE_INTERNAL = 2, /* ours, not of the manifest: never shown */
};
/* A handler as bound in this session; also one that could not be bound. Index
 * 0 is never used. */
struct lane_site {
    uint32_t state;  /* 1: valid, release */
    uint8_t binding; /* enum lane_binding */
    uint8_t shim;    /* enum lane_shim */
    uint8_t flags;   /* enum lane_site_flags */
    uint8_t stop;    /* 1: who looks at an overdue call may stop its thread */
    struct lane_string name; /* of the span */
    struct lane_string symbol;
    struct lane_string object; /* path */
    struct lane_string reason; /* why not bound, or why only so */
    uint64_t address;          /* in the object (link-time) */
    uint32_t item_first;       /* index into the item table */
    uint32_t item_count;
    uint32_t declaration; /* line in the manifest */
    uint32_t module;      /* index + 1 */
    uint32_t slow_us;     /* 0 none */
    uint32_t cap_bytes;
    uint32_t overdue_ms; /* 0 none */
    uint32_t is_changed; /* 1: that its patch was undone has been told */
    struct lane_string declared; /* symbol or glob as the manifest has it */
    struct lane_string manifest; /* file of the declaration */
};
_Static_assert(sizeof(struct lane_site) == 96, "file format");
_Static_assert(offsetof(struct lane_site, declared) == 80, "file format");

/* How captured bytes are to be read: key and type of an item of a site. The
 * types are enum manifest_value_type's numbers. */
enum lane_value_type {
    LANE_VALUE_SIGNED = 1,
    LANE_VALUE_UNSIGNED,
    LANE_VALUE_BOOL,
    LANE_VALUE_POINTER,
    LANE_VALUE_F32,
    LANE_VALUE_F64,
    LANE_VALUE_F80,
    LANE_VALUE_TEXT,
    LANE_VALUE_BYTES,
    LANE_VALUE_ENUM,
};
enum lane_direction {
    LANE_INPUT = 0,
    LANE_OUTPUT = 1,
    LANE_ATTRIBUTE = 2,
    LANE_RULE = 3, /* a `fails` condition: key is its source text */
    LANE_ENUM = 4, /* a constant of the enum item before it: key is its name,
                      value its number */
};
struct lane_item {
    struct lane_string key;
    uint8_t direction; /* enum lane_direction */
    uint8_t type;      /* enum lane_value_type */
    uint8_t size_bytes;
    uint8_t is_unsigned; /* of an enum's value: 1 */
    uint32_t pad1;
    int64_t value;
    uint64_t pad2;
};
_Static_assert(sizeof(struct lane_item) == 32, "file format");

#include "lane/format/layout_counter.h"

#include "lane/format/layout_module.h"

#include "lane/format/layout_lane.h"

/* ---- items of the log ------------------------------------------------ */

enum {
    /* lane_record.status: low 4 bits enum lane_end, then: */
    LANE_STATUS_ERROR = 1 << 4,        /* a `fails` rule, or an exception */
    LANE_STATUS_CAPTURE_LOST = 1 << 5, /* no room for its values */
    LANE_STATUS_ROOT = 1 << 6,         /* the root of its context */
    LANE_STATUS_APART = 1 << 7, /* its time does not lie in its parent's */
};
#define LANE_CPU_UNKNOWN UINT64_MAX
enum lane_end {
    LANE_END_RETURN = 0,
    LANE_END_EXCEPTION = 1,
    LANE_END_CANCEL = 2,
    LANE_END_LONGJMP = 3,
    LANE_END_EXIT = 4,
    LANE_END_EXEC = 5,
    LANE_END_SIGNAL = 6,
    LANE_END_KILLED = 7,
    LANE_END_UNKNOWN = 8,
    LANE_END_EVENT = 9, /* a point: t0 is t1 */
};

enum lane_frame_kind {
    LANE_FRAME_INPUT = 1,  /* values; written at enter */
    LANE_FRAME_OUTPUT = 2, /* values; written at leave, before the record */
    LANE_FRAME_THREAD = 3, /* struct lane_frame_thread: whose records follow */
    LANE_FRAME_ERROR = 4,  /* struct lane_frame_error, then bytes */
    LANE_FRAME_DEEP = 5,   /* none yet */
    LANE_FRAME_STACK = 6,  /* error_frames.h has these four */
    LANE_FRAME_THROW = 7,
    LANE_FRAME_CAUSE = 8,
    LANE_FRAME_STDERR = 9,
    LANE_FRAME_QUEUE = 10, /* context_frames.h has these three */
    LANE_FRAME_LINK = 11,
    LANE_FRAME_ORPHAN = 12,
    LANE_FRAME_ATTRIBUTE = 18, /* context_frames.h, too; 16, 17: others */
    LANE_FRAME_BEGIN = 14,     /* struct lane_frame_begin: a span that another
                                  function will end began; its record comes then */
    LANE_FRAME_LATER = 15,     /* values of the function that ended it: outputs,
                                  items of the frame's own site */
};
/*
 * First line of a frame. Payload of up to 32 bytes stands in `inline_bytes`; a
 * longer one in the lines that follow, and `inline_bytes` is empty.
 */
struct lane_frame {
    uint32_t payload_bytes; /* at most LANE_FRAME_MAX - 64 */
    uint8_t kind;           /* enum lane_frame_kind */
    uint8_t flags;
    uint16_t count; /* values in it */
    uint64_t span;  /* reference */
    uint32_t site;
    uint32_t pad0;
    uint8_t inline_bytes[32];
    uint64_t commit;
};
_Static_assert(sizeof(struct lane_frame) == 64, "one cache line");

enum lane_value_flags {
    LANE_VALUE_NULL = 1,       /* no bytes: a NULL pointer */
    LANE_VALUE_UNREADABLE = 2, /* no bytes, or fewer than there were */
    LANE_VALUE_TRUNCATED = 4,  /* a uint64_t true length stands before the
                                  bytes; they are head then tail: */
    LANE_VALUE_AT_LEAST = 8,   /* the true length is a lower bound */
};
/* A value: header, [true length], bytes, padding to 8. */
struct lane_value {
    uint16_t item;      /* of the site, from item_first */
    uint8_t flags;      /* enum lane_value_flags */
    uint8_t type;       /* enum lane_value_type */
    uint32_t len_bytes; /* stored bytes, without true length and padding; of a
                           truncated value the head is 3/4 of them, rounded
                           down */
};
_Static_assert(sizeof(struct lane_value) == 8, "file format");

struct lane_frame_thread {
    uint32_t tid, pid;
    uint32_t process; /* index */
    uint32_t generation;
    char name[LANE_NAME_BYTES];
};
_Static_assert(sizeof(struct lane_frame_thread) == 32, "fits inline");

struct lane_frame_begin {
    uint64_t t0_ticks, parent; /* as its record will have them */
    uint32_t context;
    uint32_t process; /* index */
    uint64_t pad0;
};
_Static_assert(sizeof(struct lane_frame_begin) == 32, "fits inline");

enum lane_error_kind {
    LANE_ERROR_RULE = 1,
    LANE_ERROR_EXCEPTION = 2,
    LANE_ERROR_SIGNAL = 3,
};
/* Why a span failed. After it: type, message (bytes, no NUL). */
struct lane_frame_error {
    uint8_t kind; /* enum lane_error_kind; return_kind: lane_return_kind */
    uint8_t has_code : 1, return_kind : 2, pad_bits : 5; /* code is meant */
    uint16_t rule;       /* item index of the LANE_RULE that fired */
    int32_t saved_errno; /* when the handler returned; 0: not changed */
    int64_t code;
    uint64_t return_value; /* extended to 64 bits */
    uint16_t type_bytes, message_bytes;
    uint32_t origin; /* of an exception, where it was thrown: position /
                        LANE_LINE, low 32 bits, of a THROW frame of this lane;
                        0: not known */
};
_Static_assert(sizeof(struct lane_frame_error) == 32, "fits inline");

/* SPDX-License-Identifier: Apache-2.0 */
/* Part of layout.h: the tables of modules and of anchors. */
#pragma once
#include <stdint.h>

struct lane_module {
    uint32_t state;     /* 1: valid, release; 2: unloaded */
    uint32_t process;   /* index + 1 */
    uint64_t base, end; /* run-time addresses */
    struct lane_string path;
    uint8_t build_id[20];
    uint32_t build_id_bytes;
    uint64_t loaded_ticks, unloaded_ticks;
};
_Static_assert(sizeof(struct lane_module) == 72, "file format");

/* One moment on all clocks. ns; read in the order tick, monotonic, boot, real,
 * tick again: `width_ticks` bounds the error. */
struct lane_anchor {
    uint64_t tick, monotonic_ns, boot_ns, real_ns, width_ticks;
    uint32_t process; /* index + 1, 0: the sidecar */
    uint32_t pad0;
    uint64_t pad1;
    uint64_t commit; /* entry number + 1, stored last */
};
_Static_assert(sizeof(struct lane_anchor) == 64, "file format");

/* SPDX-License-Identifier: Apache-2.0 */
/* When recording was off: the gate of the session, as it is seen. */
#include "tools/sidecar/session.h"

int session_look_gate(struct session *s)
{
    bool is_off = s->reader.header.gate != LANE_GATE_OPEN;
    if (!s->is_boot_ours || !s->keeper ||
        (s->is_gate_known && s->is_off == is_off))
        return 0;
    int rc =
        store_run(s->store, is_off ? STORE_PAUSE_BEGIN : STORE_PAUSE_END, "ii",
                  s->id, clock_unix_ns(&s->clock, lane_now(&s->keeper->map)));
    s->is_moved |= rc > 0;
    s->is_gate_known = true;
    s->is_off = is_off;
    return rc < 0 ? rc : 0;
}

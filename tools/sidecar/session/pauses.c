/* SPDX-License-Identifier: Apache-2.0 */
/* When recording was off, in the session or a process of it: as it is seen. */
#include "tools/sidecar/session/session.h"

static int note(struct session *s, bool is_off, int64_t process)
{
    int rc = store_run(
        s->store, is_off ? STORE_PAUSE_BEGIN : STORE_PAUSE_END, "iii", s->id,
        clock_unix_ns(&s->clock, lane_now(&s->keeper->map)), process);
    s->is_moved |= rc > 0;
    return rc < 0 ? rc : 0;
}

/* Bit `bit` of word `i` is no longer as it was. */
static int note_process(struct session *s, uint32_t i, uint32_t bit,
                        bool is_off)
{
    const struct session_process *p = &s->process[i * 64 + bit];
    uint64_t mask = UINT64_C(1) << bit;
    if (!p->is_known) /* it is looked at again */
        return 0;
    s->process_off[i] = (s->process_off[i] & ~mask) | (is_off ? mask : 0);
    return note(s, is_off, (int64_t)p->number);
}

int session_look_gate(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    bool is_off = h->gate == LANE_GATE_OFF, is_some = h->gate == LANE_GATE_SOME;
    bool is_first = !s->is_gate_known;
    int rc = 0;
    if (!s->is_boot_ours || !s->keeper)
        return 0;
    if (is_first || s->is_off != is_off)
        rc = note(s, is_off, STORE_NULL);
    s->is_gate_known = true;
    s->is_off = is_off;
    for (uint32_t i = 0; i < h->process_next && is_first && rc == 0; i++)
        if (s->process[i].is_known &&
            !(is_some && h->process_off[i / 64] >> i % 64 &
                             1)) /* an earlier sidecar may have seen it */
            rc = note(s, false, (int64_t)s->process[i].number);
    for (uint32_t i = 0; i < LANE_PROCESS_MAX / 64; i++) {
        uint64_t now = is_some ? h->process_off[i] : 0;
        uint64_t changed = now ^ s->process_off[i];
        for (; changed && rc == 0; changed &= changed - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(changed);
            rc = note_process(s, i, bit, now >> bit & 1);
        }
    }
    return rc;
}

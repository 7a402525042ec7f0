/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When recording was off, in the session or a process of it. `off` and `on`
 * write their times into the session, so that it does not matter when somebody
 * looks; what is stored of them is told by the last one's number. Where they
 * did not (an earlier version of either) it is what is seen of the gate.
 */
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"

/* ---- as they say it themselves ------------------------------------------ */

static int note_switch(struct session *s, uint32_t number,
                       const struct lane_switch *at)
{
    int64_t when = clock_unix_ns(&s->clock, at->ticks);
    int64_t process = at->process ? (int64_t)at->process - 1 : STORE_NULL;
    int rc = 0;
    if (at->process == 0)
        rc = store_run(s->store, STORE_PAUSES_END, "iii", s->id, when,
                       (int64_t)number);
    if (rc >= 0 && at->is_off)
        rc = store_run(s->store, STORE_PAUSE_BEGIN, "iiii", s->id, when,
                       process, (int64_t)number);
    else if (rc >= 0 && at->process)
        rc = store_run(s->store, STORE_PAUSE_END, "iiii", s->id, when, process,
                       (int64_t)number);
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

static int load_seen(struct session *s)
{
    int rc = store_start(s->store, STORE_PAUSES_SEEN, "i", s->id);
    while (rc > 0) {
        s->switches_seen = (uint32_t)store_int(s->store, STORE_PAUSES_SEEN, 0);
        rc = store_next(s->store, STORE_PAUSES_SEEN);
    }
    s->are_switches_known = rc == 0;
    return rc;
}

static int look_at_switches(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    int rc = s->are_switches_known ? 0 : load_seen(s);
    if (rc != 0 || h->switch_next <= s->switches_seen)
        return rc;
    uint32_t unseen = h->switch_next - s->switches_seen;
    if (unseen > LANE_SWITCH_RING) {
        s->switches_lost += unseen - LANE_SWITCH_RING;
        s->switches_seen = h->switch_next - LANE_SWITCH_RING;
    }
    for (; rc == 0 && s->switches_seen < h->switch_next; s->switches_seen++)
        rc = note_switch(s, s->switches_seen + 1,
                         &h->switches[s->switches_seen % LANE_SWITCH_RING]);
    return rc;
}

/* ---- as the gate is seen ------------------------------------------------- */

static int note(struct session *s, bool is_off, int64_t process)
{
    int rc = store_run(s->store, is_off ? STORE_PAUSE_BEGIN : STORE_PAUSE_END,
                       "iiii", s->id,
                       clock_unix_ns(&s->clock, lane_now(&s->keeper->map)),
                       process, STORE_NULL);
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

static int look_at_gate(struct session *s)
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

int session_look_gate(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    lane_assert(s->clock.used);
    return h->minor >= LANE_MINOR_SWITCH && h->switch_next != 0
               ? look_at_switches(s)
               : look_at_gate(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a site while work on it goes on: see bind_work.h. */
#include "preload/bind/bind_work.h"

#include "lane/format/assert.h"

void bind_work_say(struct work *work, const char *text)
{
    lane_assert(text != NULL && work->reason.len < work->reason.cap);
    if (work->reason.len > 0)
        text_put(&work->reason, "; ");
    text_put(&work->reason, text);
}

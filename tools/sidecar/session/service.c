/* SPDX-License-Identifier: Apache-2.0 */
/* What a session says of where it runs: its service, OpenTelemetry's resource
 * attributes, and the container, which it cannot know itself. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include "tools/sidecar/process/container.h"
#include "tools/sidecar/session/session.h"
#include "lane/format/assert.h"

enum {
    TEXT_MAX = 4096,
};

static bool is_in_container(const struct session *s, char *id)
{
    lane_assert(s->process != NULL && id != NULL);
    const struct session_process *p = &s->process[0];
    return p->is_known && p->death.state == DEATH_ALIVE &&
           container_id(p->death.pid, id);
}

int service_sync(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    if (s->is_service_known)
        return 0;
    s->is_service_known = true;
    char text[TEXT_MAX], more[TEXT_MAX], id[CONTAINER_ID_BYTES];
    bool is_contained = is_in_container(s, id);
    if (h->service_string == 0 && h->resource_string == 0 && !is_contained)
        return 0;
    struct lane_string where = {h->service_string, h->service_bytes};
    struct lane_string rest = {h->resource_string, h->resource_bytes};
    lane_reader_string(&s->reader, where, 0, text, sizeof text);
    lane_reader_string(&s->reader, rest, 0, more, sizeof more);
    if (!rest.offset)
        more[0] = 0;
    size_t len = strlen(more);
    lane_assert(len < sizeof more);
    if (is_contained && !strstr(more, "container.id="))
        snprintf(more + len, sizeof more - len, "%scontainer.id=%s",
                 len ? "," : "", id);
    int rc = store_run(s->store, STORE_SESSION_SERVICE, "itt", s->id,
                       where.offset ? text : NULL, more[0] ? more : NULL);
    return rc < 0 ? rc : 0;
}

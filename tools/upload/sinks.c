/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks that there are. */
#include "tools/upload/outbox/sink.h"
#include <string.h>

extern const struct sink_ops sink_otlp, sink_postgres, sink_postgrest;

static const struct sink_ops *const sinks[] = {&sink_postgrest, &sink_otlp,
                                               &sink_postgres};

const struct sink_ops *sink_find(const char *scheme)
{
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        for (const char *const *s = sinks[i]->schemes; *s; s++)
            if (strcmp(*s, scheme) == 0)
                return sinks[i];
    return NULL;
}

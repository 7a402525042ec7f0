/* SPDX-License-Identifier: Apache-2.0 */
/* From keep_age, thin_age and keep_size of the settings to rules. */
#include <errno.h>
#include <stdio.h>
#include "tools/common/config.h"
#include "tools/store/retention.h"

int retention_settings(struct retention_rules *out, char *why, size_t why_bytes)
{
    struct retention_rules rules = {-1, -1, -1, false};
    const char *age = config_get(CONFIG_KEEP_AGE);
    const char *thin = config_get(CONFIG_THIN_AGE);
    const char *size = config_get(CONFIG_KEEP_SIZE);
    *out = rules;
    const char *bad =
        age && config_parse_age(age, &rules.keep_age_ns) < 0     ? age
        : thin && config_parse_age(thin, &rules.thin_age_ns) < 0 ? thin
        : size && config_parse_size(size, &rules.keep_bytes) < 0 ? size
                                                                 : NULL;
    if (bad) {
        snprintf(why, why_bytes,
                 "retention is off: '%s' means nothing as keep_age, thin_age "
                 "or keep_size",
                 bad);
        return -EINVAL;
    }
    *out = rules;
    return 0;
}

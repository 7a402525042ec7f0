/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the uploader: see setup.h. */
#include "tools/common/config.h"
#include "tools/sidecar/store/log.h"
#include "tools/sidecar/session/setup.h"
#include "tools/upload/upload.h"

static void say(const char *text)
{
    log_line("%s", text);
}

int setup_uploads(const char *given, const char *store_path, const int *ours,
                  int64_t end_ms, struct upload **out)
{
    char why[1024];
    config_set(CONFIG_UPLOAD, given);
    const char *urls = config_get(CONFIG_UPLOAD);
    if (!urls || !urls[0]) {
        upload_forget_keys(NULL);
        return 0;
    }
    int rc =
        upload_start(store_path, urls, ours, end_ms, say, out, why, sizeof why);
    upload_forget_keys(urls);
    if (rc != 0)
        log_line("no upload: %s", why);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface: transfers that run at the same time; what their
 * data functions do, what follows their end, and transfers that this starts.
 * They are driven inside of a step. */
#include <curl/curl.h>

#include "step.h"

enum {
    ITEMS = 40
};
static CURLM *multi;

static size_t on_data(char *bytes, size_t size, size_t n, void *data)
{
    (void)bytes;
    step_for(((struct item *)data)->parent, NULL, NULL);
    return size * n;
}
static void start(long id, void *data)
{
    CURL *easy = curl_easy_init();
    struct item *item = item_of(id, (long)data);
    curl_easy_setopt(easy, CURLOPT_URL, "file:///etc/hostname");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, item);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, item);
    curl_multi_add_handle(multi, easy);
}
/* One message; 0: there was none. */
static __attribute__((noipa)) int take(void)
{
    int left;
    struct item *item;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    if (!message)
        return 0;
    CURL *easy = message->easy_handle;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&item);
    step_for(item->parent, item->n > 0 ? start : NULL, (void *)(item->n - 1));
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    free(item);
    return 1;
}
static void run(long id, void *data)
{
    int running, n = 0;
    (void)id;
    (void)data;
    do {
        curl_multi_perform(multi, &running);
        for (n = 0; take(); n++)
            ;
        if (running && !n)
            curl_multi_poll(multi, NULL, 0, 100, NULL);
    } while (running || n);
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    for (long i = 0; i < ITEMS; i++)
        step_for(0, start, (void *)(i % 3));
    step_for(0, run, NULL);
    curl_multi_cleanup(multi);
    return step_end();
}

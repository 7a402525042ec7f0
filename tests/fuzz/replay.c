/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file of a folder given to the target once, and again cut short and
 * with single bytes changed: what ci does with the corpus, with any compiler.
 *
 *   replay FOLDER CHANGES
 */
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MOST = 1 << 20
};

static uint64_t state = 88172645463325252ULL;
static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void replay(const uint8_t *bytes, size_t len, long changes)
{
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        abort();
    LLVMFuzzerTestOneInput(bytes, len);
    for (long i = 0; i < changes && len; i++) {
        memcpy(copy, bytes, len);
        for (int j = 0; j < 3; j++)
            copy[next_random() % len] = (uint8_t)next_random();
        LLVMFuzzerTestOneInput(copy, i % 4 ? len : next_random() % len);
    }
    free(copy);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[FILE_MOST];
    int files = 0;
    DIR *dir = argc == 3 ? opendir(argv[1]) : NULL;
    if (!dir)
        return 2;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        FILE *in = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!in)
            continue;
        size_t len = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        replay(bytes, len, strtol(argv[2], NULL, 10));
        files++;
    }
    closedir(dir);
    printf("%d files\n", files);
    return files ? 0 : 1;
}

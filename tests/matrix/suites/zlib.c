/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libz over texts and noise, in every level, strategy and wrapping; its known
 * check values. Prints the lengths and check values of what it packed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    LEN = 200000,
    ROOM = LEN + LEN / 10
};

static unsigned char plain[LEN], packed[ROOM], back[LEN + 1];

static void check(int holds, const char *what)
{
    if (holds)
        return;
    printf("wrong: %s\n", what);
    exit(1);
}

static void fill(void)
{
    unsigned state = 14;
    for (int i = 0; i < LEN; i++) {
        state = state * 1103515245 + 12345;
        plain[i] = (unsigned char)(i < LEN / 2 ? "the lazy dog, "[i % 14]
                                               : (int)(state >> 16) & 0x3f);
        if (i % 97 == 0)
            plain[i] = (unsigned char)(state >> 24);
    }
}

static void one(int level, int window, int strategy, int step)
{
    z_stream z = {0};
    check(deflateInit2(&z, level, Z_DEFLATED, window, 8, strategy) == Z_OK,
          "deflateInit2");
    z.next_in = plain;
    z.next_out = packed;
    z.avail_out = ROOM;
    while (z.total_in < LEN) {
        uLong left = LEN - z.total_in;
        z.avail_in = (uInt)(left < (uLong)step ? left : (uLong)step);
        check(deflate(&z, step < LEN ? Z_SYNC_FLUSH : Z_NO_FLUSH) == Z_OK,
              "deflate");
    }
    check(deflate(&z, Z_FINISH) == Z_STREAM_END, "finish");
    uLong len = z.total_out;
    check(deflateEnd(&z) == Z_OK, "deflateEnd");
    z = (z_stream){.next_in = packed, .next_out = back};
    check(inflateInit2(&z, window > 15 ? 47 : window) == Z_OK, "inflateInit2");
    z.avail_in = (uInt)len;
    int rc = Z_OK;
    while (rc == Z_OK) {
        z.avail_out = 777;
        rc = inflate(&z, Z_NO_FLUSH);
    }
    check(rc == Z_STREAM_END && z.total_out == LEN, "inflate");
    check(inflateEnd(&z) == Z_OK, "inflateEnd");
    check(memcmp(plain, back, LEN) == 0, "round trip");
    printf("level %d window %d strategy %d step %d: %lu %08lx\n", level, window,
           strategy, step, len, crc32(0, packed, (uInt)len));
}

static void dictionary(void)
{
    z_stream z = {0}, copy = {0};
    check(deflateInit(&z, 9) == Z_OK, "deflateInit");
    check(deflateSetDictionary(&z, plain, 14) == Z_OK, "set dictionary");
    z.next_in = plain;
    z.next_out = packed;
    z.avail_out = ROOM;
    z.avail_in = LEN / 3;
    check(deflate(&z, Z_BLOCK) == Z_OK, "half");
    check(deflateCopy(&copy, &z) == Z_OK, "copy");
    check(deflateEnd(&z) == Z_DATA_ERROR, "end in mid-stream");
    check(deflateParams(&copy, 1, Z_HUFFMAN_ONLY) == Z_OK, "params");
    copy.avail_in = LEN - LEN / 3;
    check(deflate(&copy, Z_FINISH) == Z_STREAM_END, "finish");
    z = (z_stream){.next_in = packed, .next_out = back, .avail_out = LEN};
    z.avail_in = (uInt)copy.total_out;
    check(deflateEnd(&copy) == Z_OK, "end");
    check(inflateInit(&z) == Z_OK, "inflateInit");
    check(inflate(&z, Z_FINISH) == Z_NEED_DICT, "wants its dictionary");
    check(inflateSetDictionary(&z, plain, 14) == Z_OK, "has it");
    check(inflate(&z, Z_FINISH) == Z_STREAM_END, "inflate");
    check(inflateEnd(&z) == Z_OK && !memcmp(plain, back, LEN), "dictionary");
}

static unsigned take(void *context, unsigned char **buf)
{
    unsigned *left = context, n = *left;
    *buf = packed;
    *left = 0;
    return n;
}

static int give(void *context, unsigned char *buf, unsigned n)
{
    unsigned *at = context;
    memcpy(back + *at, buf, n);
    *at += n;
    return 0;
}

static void callbacks(void)
{
    static unsigned char window[32768];
    z_stream z = {.next_in = plain, .avail_in = LEN, .next_out = packed};
    unsigned left, at = 0;
    z.avail_out = ROOM;
    check(deflateInit2(&z, 6, Z_DEFLATED, -15, 9, 0) == Z_OK, "raw");
    check(deflate(&z, Z_FINISH) == Z_STREAM_END, "raw");
    left = (unsigned)z.total_out;
    check(deflateEnd(&z) == Z_OK, "raw");
    z = (z_stream){0};
    check(inflateBackInit(&z, 15, window) == Z_OK, "inflateBackInit");
    check(inflateBack(&z, take, &left, give, &at) == Z_STREAM_END, "back");
    check(inflateBackEnd(&z) == Z_OK && at == LEN, "inflateBackEnd");
    check(memcmp(plain, back, LEN) == 0, "inflateBack");
}

static void files(void)
{
    static const char name[] = "zlib-case.gz";
    gzFile f = gzopen(name, "wb7");
    check(f && gzbuffer(f, 4096) == 0, "gzopen");
    for (int i = 0; i < 3000; i++)
        check(gzprintf(f, "%d: %s %c\n", i, "line", 'a' + i % 26) > 0, "print");
    check(gzputs(f, "last\n") == 5 && gzputc(f, 'x') == 'x', "puts");
    check(gzclose(f) == Z_OK, "gzclose");
    char line[64];
    int lines = 0;
    f = gzopen(name, "rb");
    while (gzgets(f, line, sizeof line))
        lines++;
    printf("%d lines, %ld bytes, last %s\n", lines, (long)gztell(f), line);
    check(gzrewind(f) == 0 && gzseek(f, 10, SEEK_SET) == 10, "gzseek");
    check(gzgetc(f) == '1' && gzungetc('7', f) == '7', "getc");
    check(gzread(f, line, 7) == 7 && line[0] == '7', "gzread");
    check(gzclose_r(f) == Z_OK && unlink(name) == 0, "gzclose_r");
}

static void broken(void)
{
    uLongf len = ROOM, out = LEN;
    check(compress2(packed, &len, plain, LEN, 6) == Z_OK, "compress2");
    check(len <= compressBound(LEN), "compressBound");
    packed[len / 2] ^= 0x40;
    int rc = uncompress(back, &out, packed, len);
    check(rc != Z_OK, "a broken stream");
    printf("broken: %s\n", zError(rc));
}

int main(void)
{
    static const unsigned char nine[] = "123456789";
    check(crc32(0, nine, 9) == 0xcbf43926, "crc32");
    check(adler32(1, nine, 9) == 0x091e01de, "adler32");
    check(crc32_combine(crc32(0, nine, 4), crc32(0, nine + 4, 5), 5) ==
              0xcbf43926,
          "crc32_combine");
    fill();
    for (int level = 0; level <= 9; level++)
        one(level,
            level % 3 == 0   ? 15
            : level % 3 == 1 ? -12
                             : 31,
            level % 5, level % 2 ? LEN : 10001);
    dictionary();
    callbacks();
    files();
    broken();
    return 0;
}

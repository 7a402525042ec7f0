// Two types of one name, on one line of two headers of one name and of one
// size: two types.
//@ build: gcc -O1 -g -o p p.c http/a.c db/b.c
//@ build: clang -O1 -g -o p p.c http/a.c db/b.c
//@ manifest: [[span, input(*c)]] http_start;
//@ manifest: [[span, input(*c)]] db_start;
//@ expect: one("http_start")["input"]["c_port"] == 80 and one("http_start")["input"]["c_timeout"] == 1.5
//@ expect: one("db_start")["input"]["c_ratio"] == 2.5 and one("db_start")["input"]["c_rows"] == 1000
int http_start(void *), db_start(void *);
int main(void)
{
    struct { int p; float t; } a = {80, 1.5};
    struct { float r; int n; } b = {2.5, 1000};
    http_start(&a);
    return db_start(&b);
}
//@ file: http/config.h
struct config { int port; float timeout; };
//@ file: http/a.c
#include "config.h"
volatile float a_sink;
__attribute__((noinline, used)) int http_start(struct config *c) { a_sink = c->port; a_sink = c->timeout; return 0; }
//@ file: db/config.h
struct config { float ratio; int rows; };
//@ file: db/b.c
#include "config.h"
volatile float b_sink;
__attribute__((noinline, used)) int db_start(struct config *c) { b_sink = c->ratio; b_sink = c->rows; return 0; }

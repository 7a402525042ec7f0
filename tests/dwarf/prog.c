/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers whose types only the debug information knows. Each prints what it
 * was given, so that the test need not know the values. */
#include <stdio.h>
#include <stdlib.h>
#define NO __attribute__((noinline, noipa))

enum state { IDLE, RUNNING = 5, BROKEN = -2 };
typedef enum { LOW, HIGH = 9 } level_t;
typedef enum { FLOW_OK, FLOW_EOS = -1 } flow_return;
struct point {
    short x;
    float y;
};
struct leaf;
struct __attribute__((packed)) tight {
    char c;
    long l;
};
struct job {
    long id;
    char tenant[32];
    enum state state;
    struct point at;
    unsigned a : 3, b : 5;
    struct job *next;
    union {
        int i;
        float f;
    } u;
    struct {
        int inner;
    };
    struct tight tight;
    double w[4];
    level_t level;
    struct leaf *leaf;
};
typedef struct {
    int n;
    const char *name;
    struct job *job;
} batch_t;

NO int work(struct job *job, const char *path)
{
    return printf("%ld %s %d %ld %d %d %ld %s\n", job->id, job->tenant,
                  job->state, job->next->id, job->b, job->inner, job->tight.l,
                  path);
}
NO flow_return flow(batch_t *b, flow_return r)
{
    return printf("%s %ld\n", b->name, b->job->id) > 2 ? r : FLOW_OK;
}
NO int whole(struct job *job)
{
    return printf("%d\n", job->state);
}
NO double by_value(struct point p, level_t l, enum state s)
{
    return p.y + (float)l + (float)s + p.x;
}
NO int pasted(const char *path, int n)
{
    return printf("%s %d\n", path, n);
}
int main(void)
{
    struct job second = {.id = 8, .tenant = "two"};
    struct job j = {.id = 7,
                    .tenant = "acme",
                    .state = BROKEN,
                    .at = {3, 2.5f},
                    .a = 2,
                    .b = 9,
                    .next = &second,
                    .u.i = 1,
                    .inner = 44,
                    .tight = {1, 123456789012},
                    .w = {1, 2, 3, 4},
                    .level = HIGH};
    batch_t b = {3, "bb", &j};
    work(&j, "/x");
    flow(&b, FLOW_EOS);
    whole(&j);
    by_value(j.at, LOW, RUNNING);
    return pasted("/p", 3) == 0;
}

// A type of the same file counts wherever it stands: below its use, by value
// and behind a pointer, as typedef and as enum.
//@ build: gcc -O1 -o p p.c
//@ build: gcc -O1 -g -o p p.c
//@ manifest: [[span, input(id = job->id, mode = job->mode), fails(return == LATE)]] int work(struct job *job);
//@ manifest: [[span, input(b = at.y)]] int place(point at, int n);
//@ manifest: struct job { long id; enum mode mode; };
//@ manifest: enum mode { SLOW, FAST = 7 }; enum { LATE = -4 };
//@ manifest: typedef struct { int x; long y; } point;
//@ expect: one("work")["input"]["id"] == 7 and one("work")["input"]["mode"] == "FAST" and one("work")["status"] == "error"
//@ expect: one("place")["input"] == {"b": 9, "n": 3} and status == 0 and "left out" not in said
enum mode { SLOW, FAST = 7 };
enum { LATE = -4 };
struct job { long id; enum mode mode; };
typedef struct { int x; long y; } point;
volatile long sink;
__attribute__((noipa)) int work(struct job *job) { sink = job->id + job->mode; return -4; }
__attribute__((noipa)) int place(point at, int n) { sink = at.x + at.y + n; return 0; }
int main(void) { struct job j = {7, FAST}; point p = {1, 9}; work(&j); return place(p, 3); }

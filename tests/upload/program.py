# SPDX-License-Identifier: Apache-2.0
"""A program of our own that has what Debian's do not have all at once: work
that is carried, adopted, linked and orphaned, exceptions that are caught, a
failing rule with a cause, stderr, an end in the middle of a call. Its values
are the plants of scan.py."""
import os
import subprocess

from scan import PLANTS

SOURCE = r"""
#include <errno.h>
#include <signal.h>
#include <stdexcept>
#include <stdio.h>
#include <string.h>
#include <thread>
#include <unistd.h>
struct job { int id; };
#define HANDLER extern "C" __attribute__((noinline))
HANDLER int queue_push(struct job *j) { __asm__ volatile("" :: "r"(j) : "memory"); return 1; }
HANDLER int producer(struct job *jobs, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += queue_push(&jobs[i]);
    return sum; }
HANDLER int work(struct job *j) { usleep(1000); return j->id; }
HANDLER int flush(struct job **items, int n) {
    __asm__ volatile("" :: "r"(items) : "memory"); usleep(100); return n; }
// too short to be bound
HANDLER int tiny(int n) { __asm__ volatile(""); return n; }
HANDLER const char *say(const char *text) {
    __asm__ volatile("" : "+r"(text)); return text + strcspn(text, "/") + 1; }
HANDLER int note(const char *text) {
    __asm__ volatile("" : "+r"(text)); return (int)strlen(text) + text[0]; }
HANDLER int load(const char *path) {
    FILE *f = fopen(path, "r");
    fprintf(stderr, "PLANT_STDERR: no %s\n", path);
    __asm__ volatile(""); return f ? 0 : -1; }
HANDLER int risky(const char *text) { throw std::runtime_error(text); }
HANDLER void deadly() { usleep(20000); raise(SIGKILL); }
int main(int argc, char **argv) {
    struct job jobs[8], *last[3] = {&jobs[5], &jobs[6], &jobs[7]}, other;
    int sum = 0;
    for (int i = 0; i < 8; i++) jobs[i].id = i;
    sum += producer(jobs, 8);
    std::thread t([&] { for (int i = 0; i < 5; i++) sum += work(&jobs[i]); });
    t.join();
    other.id = 9;
    sum += work(&other) + flush(last, 3) + tiny(1);
    sum += say("PLANT_INPUT/PLANT_OUTPUT")[0];
    sum += note("PLANT_ATTRIBUTE");
    for (int i = 0; i < 3; i++) sum += load(argv[2]);
    try { risky("PLANT_EXCEPTION"); } catch (std::exception &) { sum++; }
    if (strcmp(argv[1], "die") == 0) deadly();
    usleep(150000); // longer than question 3 asks for, on any machine
    return sum == 12345;
}
"""
MANIFEST = """
[[carry(j)]] int queue_push(struct job *j);
[[span]] int producer(struct job *jobs, int n);
[[span, adopt(j)]] int work(struct job *j);
[[span, link(items[0:n])]] int flush(struct job **items, int n);
[[span, input(text), output(return)]] const char *say(const char *text);
[[span, attr(note = text)]] int note(const char *text);
[[span, input(path), fails(return < 0, errno)]] int load(const char *path);
[[span, input(text)]] int risky(const char *text);
[[span]] void deadly(void);
[[span]] int tiny(int n);
"""


def build(place):
    """(program, manifest); the program's own place is a path that stays."""
    home = os.path.join(place, PLANTS["path"])
    os.makedirs(home, exist_ok=True)
    text = SOURCE
    for what, word in PLANTS.items():
        text = text.replace("PLANT_" + what.upper(), word)
    source, out = os.path.join(home, "planted.cpp"), os.path.join(home, "jobs")
    manifest = os.path.join(home, "jobs.manifest")
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    with open(manifest, "w", encoding="utf-8") as f:
        f.write(MANIFEST)
    subprocess.run([os.environ.get("CXX", "c++"), "-O1", "-g", "-pthread",
                    "-fno-omit-frame-pointer", "-o", out, source], check=True)
    return out, manifest

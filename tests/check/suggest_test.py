#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""handspan suggest: what an expert would name is in it, check accepts it as it
stands, and the program runs with it and is traced.

usage: suggest_test.py HANDSPAN CASE

EXPERT was written before suggest was: the handlers that somebody who knows the
program would put into its manifest.
"""
import glob
import os
import re
import sys

from common import CC, Place, expect, expect_in

EXPERT = {
    "gst-launch-1.0": ["gst_parse_launchv", "gst_element_set_state",
                       "gst_element_change_state", "gst_pad_push",
                       "gst_plugin_load_file"],
    "samtools": ["hts_open_format", "sam_hdr_read", "sam_hdr_write",
                 "sam_read1", "sam_write1", "hts_close", "bgzf_write",
                 "bgzf_read"],
    "ffmpeg": ["avformat_open_input", "avformat_find_stream_info",
               "avformat_write_header", "av_read_frame",
               "av_interleaved_write_frame", "av_write_trailer",
               "avcodec_open2", "avcodec_send_packet",
               "avcodec_receive_frame", "avcodec_send_frame",
               "avcodec_receive_packet"],
    "collectd": ["plugin_load", "plugin_dispatch_values", "plugin_init_all",
                 "plugin_read_all_once", "plugin_write",
                 "plugin_shutdown_all", "module_register"],
}
# What must have calls after the run below.
CALLED = {
    "gst-launch-1.0": ["gst_parse_launchv", "gst_element_set_state",
                       "gst_pad_push"],
    "samtools": ["hts_open_format", "sam_hdr_read", "hts_close"],
    "ffmpeg": ["avformat_open_input", "avcodec_open2", "av_read_frame"],
    "collectd": ["plugin_load", "plugin_init_all", "module_register"],
}
RUN = {
    "gst-launch-1.0": ["gst-launch-1.0", "-q", "audiotestsrc",
                       "num-buffers=20", "!", "fakesink"],
    "samtools": ["samtools", "view", "-c", "in.sam"],
    "ffmpeg": ["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
               "testsrc=size=64x64:duration=0.2", "-f", "null", "-"],
    "collectd": ["/usr/sbin/collectd", "-T", "-C", "collectd.conf", "-f"],
}
COLLECTD = """
BaseDir "@"
PIDFile "@/pid"
TypesDB "/usr/share/collectd/types.db"
Interval 1
LoadPlugin load
LoadPlugin csv
<Plugin csv>
  DataDir "@/csv"
</Plugin>
"""
CXX = r"""
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>
namespace etl {
struct Batch { int rows; };
class Loader {
  public:
    __attribute__((noinline)) virtual int load(const char *path, Batch *b)
    {
        b->rows = (int)std::strlen(path);
        return std::printf("%d\n", b->rows);
    }
    __attribute__((noinline, noipa)) int login(const char *user, const char *password)
    {
        return std::printf("%s\n", user) + (password[0] == 0);
    }
    virtual ~Loader() { std::puts("gone"); }
};
template <class T> __attribute__((noinline)) long transform(const T *t, long n)
{
    long sum = 0;
    for (long i = 0; i < n; i++)
        sum += std::printf("%ld\n", (long)t[i]);
    return sum;
}
}
int main(int argc, char **argv)
{
    etl::Loader *loader = new etl::Loader();
    etl::Batch batch{0};
    int two[2] = {1, argc};
    long r = loader->load(argv[0], &batch) + loader->login("me", "hush");
    r += etl::transform(two, 2);
    delete loader;
    return r == 0;
}
"""
STRIPPED = r"""
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
static volatile int seen;
static void on_signal(int n) { seen += n + rand() % 2; }
static int cmd_load(int n) { return printf("load %d\n", n) * n + rand() % 7; }
static int cmd_save(int n) { return printf("save %d\n", n) * n - rand() % 7; }
static const struct { const char *name; int (*run)(int); } commands[] = {
    {"load", cmd_load}, {"save", cmd_save}};
int main(int argc, char **argv)
{
    (void)argv;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    return commands[argc % 2].run(3) == commands[(argc + 1) % 2].run(4);
}
"""

# Names with nothing but words of helpers, of functions that do work.
DOMAIN = r"""
#include <stdio.h>
#define LINE(n) r += printf("%d\n", n + r) * (r % (n + 7));
#define LINES LINE(1) LINE(2) LINE(3) LINE(4) LINE(5) LINE(6) LINE(7) LINE(8)
#define WORK(name) __attribute__((noipa)) int name(int r) \
    { LINES LINES return r; }
WORK(get_list_command) WORK(hash_type_command) WORK(count_names)
__attribute__((noipa)) int get_size(int r) { return r + printf("-\n"); }
static int (*const table[])(int) = {get_list_command, get_size,
                                    hash_type_command};
int main(int argc, char **argv)
{
    (void)argv;
    return table[argc % 3](count_names(argc)) == 0;
}
"""
# A library looks up one name itself, offers a function that looks up others,
# and has the rest in a table, where "step" is the end of another text.
PLUGIN_LIBRARY = r"""
#include <dlfcn.h>
#include <stdio.h>
void *host_symbol(void *plugin, const char *name) { return dlsym(plugin, name); }
const char *const host_folders[] = {"/usr/bin", "/bin", "/lib/../lib",
                                    "@/plugins/", "@/./plugins"};
static const char *const steps[] = {"first_step", "step", "flush"};
int host_run(const char *plugin)
{
    char path[512];
    int sum = 0;
    snprintf(path, sizeof path, "@/plugins/%s.so.1", plugin);
    void *at = dlopen(path, RTLD_NOW);
    if (!at)
        return 99;
    int (*init)(int) = (int (*)(int))dlsym(at, "init");
    for (int i = 0; i < 3; i++) {
        int (*step)(int) = (int (*)(int))host_symbol(at, steps[i]);
        sum += step ? step(i) : 0;
    }
    int (*go)(int) = (int (*)(int))host_symbol(at, "go");
    return (init ? init(sum) : 0) + (go ? go(sum) : 0);
}
"""
PLUGIN_PROGRAM = r"""
#include <dlfcn.h>
#include <stdio.h>
int host_run(const char *plugin);
void *host_symbol(void *plugin, const char *name);
static int (*find(void *plugin, const char *name))(int)
{
    return (int (*)(int))host_symbol(plugin, name);
}
int main(void)
{
    void *at = dlopen("@/plugins/a.so.1", RTLD_NOW);
    int (*done)(int) = at ? find(at, "done") : 0;
    printf("%d %d %d\n", host_run("a"), host_run("b"), done ? done(1) : 0);
    return 0;
}
"""
PLUGIN = r"""
#include <stdlib.h>
#define ENTRY(name) __attribute__((noipa)) int name(int n) \
    { for (int i = 0; i < n; i++) n += rand() % 2; return n; }
ENTRY(init) ENTRY(go) ENTRY(step) ENTRY(flush) ENTRY(done) ENTRY(unasked)
"""


def accepted(p, program, what):
    """The draft as `check` sees it: nothing in it may be wrong."""
    draft = p.handspan("suggest", program, status=0).stdout
    p.write("m", draft)
    done = p.handspan("check", "-m", "m", program)
    expect(done.returncode, 0, f"{what}: check of\n{draft}\n{done.stdout}")
    if "warning:" in done.stdout:
        raise AssertionError(f"{what}: {done.stdout}")
    return draft


def calls_after(p, command, status=0):
    p.handspan("run", "-m", "m", "--summary", "never", "--", *command,
               status=status)
    p.sh("for i in $(seq 1000); do ls dir | grep -q ^session || exit 0; "
         "sleep 0.02; done; exit 1")
    rows = {}
    for trace in p.handspan("list", "--json").stdout.splitlines():
        found = re.search(r'"trace_id":"(\w+)"', trace)
        if found:
            for name, row in p.rows("--trace", found.group(1)).items():
                rows[name] = rows.get(name, 0) + (row["calls"] or 0)
    return rows


def case_debian(name):
    with Place() as p:
        p.sh("printf '@SQ\\tSN:a\\tLN:9\\nr\\t0\\ta\\t1\\t9\\t2M\\t*\\t0\\t0"
             "\\tAC\\tII\\n' > in.sam")
        p.write("collectd.conf", COLLECTD.replace("@", p.at))
        draft = accepted(p, RUN[name][0], name)
        missing = [h for h in EXPERT[name]
                   if not re.search(rf"^\[\[span.*\b{h}\b", draft, re.M)]
        expect(missing, [], f"{name}: what an expert names, in\n{draft}")
        calls = calls_after(p, RUN[name])
        silent = [h for h in CALLED[name] if not calls.get(h)]
        expect(silent, [], f"{name}: traced ({calls})")


def case_cxx():
    with Place() as p:
        p.write("prog.cc", CXX)
        p.sh("c++ -g -O2 -o prog prog.cc")
        draft = accepted(p, "./prog", "C++")
        expect_in('symbol("etl::Loader::load(char const*, etl::Batch*)"), '
                  'input(path)]] int load(void *self, const char *path, '
                  'struct Batch *b);', draft, "a method")
        expect_in("input(user), secret(password)]]", draft, "a secret")
        expect_in("transform<int>", draft, "an instance of a template")
        expect("~Loader" in draft or "std::" in draft, False,
               f"destructors and the library are left out of\n{draft}")
        calls = calls_after(p, ["./prog"])
        for name, n in calls.items():
            expect(n, 1, f"calls of {name}")
        expect(len(calls) >= 3, True, f"handlers of {draft}")
        out = p.handspan("spans", "latest", "--json").stdout
        expect("hush" in out, False, "the secret is nowhere")
        expect_in('"user":"me"', out, "text inputs")


def case_stripped():
    with Place() as p:
        p.write("prog.c", STRIPPED)
        p.sh(f"{CC} -O2 -o prog prog.c && nm prog > symbols && strip prog")
        draft = accepted(p, "./prog", "stripped")
        with open(f"{p.at}/symbols", encoding="utf-8") as f:
            symbols = {line.split()[2]: int(line.split()[0], 16)
                       for line in f if len(line.split()) == 3}
        expect_in("is stripped: its static functions have no names", draft,
                  "what it could not know")
        expect_in("build_id(", draft, "addresses are of one build")
        for name, why in (("cmd_load", "in the table"),
                          ("cmd_save", "in the table"),
                          ("on_signal", "handed to signal")):
            found = re.search(rf"^//.*{why}.*\n.*at\(0x{symbols[name]:x}\)",
                              draft, re.M)
            expect(bool(found), True, f"{name} in\n{draft}")
        calls = calls_after(p, ["./prog"])
        expect(sum(calls.values()) >= 3, True, f"calls {calls}")


def case_globs():
    with Place() as p:
        out = p.handspan("suggest", "samtools", "sam_hdr_*", status=0).stdout
        names = re.findall(r"^\[\[span\]\] (\w+);", out, re.M)
        expect([n for n in names if not n.startswith("sam_hdr_")], [], out)
        expect(len(names) > 10, True, out)
        p.handspan("suggest", "samtools", "no_such_*", status=1)
        p.handspan("suggest", "no-such-program", status=2)


def case_plugins():
    """Entry points as they are looked up: short names without underscore, in
    versioned objects of a folder that a library names, by functions of ours
    and from a table, with and without optimisation, stripped."""
    with Place() as p:
        os.mkdir(f"{p.at}/plugins")
        p.write("host.c", PLUGIN_LIBRARY.replace("@", p.at))
        p.write("prog.c", PLUGIN_PROGRAM.replace("@", p.at))
        p.write("plugin.c", PLUGIN)
        for flags in "-O2", "-O0 -fno-pie -no-pie":
            p.sh(f"for i in a b; do {CC} -O2 -fPIC -shared -o plugins/$i.so.1 "
                 "plugin.c; done; "
                 f"{CC} {flags} -fPIC -shared -o libhost.so host.c -ldl && "
                 f"{CC} {flags} -o prog prog.c -L. -lhost -Wl,-rpath,{p.at} "
                 "-ldl && strip prog libhost.so")
            draft = accepted(p, "./prog", f"plugins {flags}")
            entries = draft.partition(f'[[object("{p.at}/plugins/*.so*")]];')[2]
            for name in "init", "go", "step", "flush", "done":
                expect_in(f"[[span]] {name};", entries, f"{flags}, in {draft}")
            expect("unasked" in draft, False, f"{flags}: what nobody asks for")
            expect(re.findall(r'object\("(/.*?)"', draft),
                   [f"{p.at}/plugins/*.so*"], "one folder, of plugins alone")
            # a tail call of dlsym: it asks who calls it
            expect("host_symbol;" in draft, "-O0" in flags, draft)
        calls = calls_after(p, ["./prog"])
        for name in "init", "go", "step", "flush":
            expect(calls.get(name), 2, f"calls of {name}, of {calls}")


def case_words():
    """What a program imports is in it whatever it is called; a vocabulary of
    builtins is no list of handlers; of libraries that it hardly uses only what
    it imports is there. Go: at once that nothing can be traced."""
    with Place() as p:
        draft = p.handspan("suggest", "jq", status=0).stdout
        for name in "jq_next", "jv_parser_next":
            expect_in(f"[[span]] {name};", draft, "imported, or large")
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        draft = p.handspan("suggest", found[-1], status=0).stdout
        names = re.findall(r"^\[\[span\]\] (\w+);", draft, re.M)
        for name in "PortalRun", "ExecutorRun", "ProcessUtility":
            expect(name in names, True, f"{name} in {names}")
        expect(len(names) < 400, True, f"{len(names)} names")
        p.write("domain.c", DOMAIN)
        p.sh(f"{CC} -O2 -rdynamic -o domain domain.c")
        draft = p.handspan("suggest", "./domain", status=0).stdout
        for name in "get_list_command", "hash_type_command", "count_names":
            expect_in(f"[[span]] {name};", draft, "a word of its domain")
        expect("get_size" in draft, False, f"a helper in {draft}")
        p.write("go.c", 'asm(".section .note.go.buildid,\\"a\\",@note\\n"\n'
                '".long 3, 4, 4\\n.asciz \\"Go\\"\\n.balign 4\\n'
                '.long 1\\n.text");\nint run_all(void) { return 0; }\n'
                "int main(void) { return run_all(); }\n")
        p.sh(f"{CC} -o go go.c")
        said = p.handspan("suggest", "./go", status=1)
        expect(said.stdout, "", "no draft")
        expect_in("is written in Go", said.stderr, "why")


if len(sys.argv) > 2 and sys.argv[2] in EXPERT:
    case_debian(sys.argv[2])
else:
    globals()[f"case_{sys.argv[2]}"]()

# SPDX-License-Identifier: Apache-2.0
"""The system calls of a program and of what it starts, by strace: what each
process did, as it can be compared with another run, and what the preload did.

Whose call it is the instruction pointer says: within the preload it is ours,
but for those that a hook makes in the program's place. The loader's calls that
map the preload are ours as well.
"""
import collections
import os
import re

# What the preload adds, by name; all else that it did would be a fault. What
# they are for stands in docs/footprint.md.
OURS = {
    # which program, which manifest, which directory, what limits
    "readlinkat", "openat", "read", "pread64", "close", "fstat", "newfstatat",
    "faccessat", "fstatfs", "prlimit64", "geteuid", "getegid", "getgroups",
    "getpid", "gettid", "getppid", "prctl", "arch_prctl", "getdents64",
    "sched_getaffinity", "getrusage", "clock_gettime", "getrandom", "uname",
    "stat", "getrlimit",
    "fgetxattr",  # has what is to be run capabilities? (not root's question)
    # the session
    "fchmod", "ftruncate", "mmap", "munmap", "madvise", "mprotect", "mremap",
    "write", "unlinkat", "mkdirat", "flock", "msync",
    "linkat",  # what is kept of an object (docs/preload.md)
    # reading and writing text, the stack, what a handler is given
    "process_vm_readv", "pwrite64", "membarrier", "lseek",
    # threads and signals
    "rt_sigprocmask", "rt_sigaction", "sigaltstack", "futex",
    "set_robust_list", "get_robust_list", "perf_event_open",
    "rt_tgsigqueueinfo", "rt_sigreturn",
}
# Made by a hook in the program's place.
INSTEAD = {"execve", "execveat", "vfork"}
# What they are given or say differs from run to run.
VOLATILE = {"getrandom", "clock_gettime", "gettimeofday", "times", "getrusage",
            "sysinfo", "clock_nanosleep", "nanosleep", "futex", "wait4",
            "waitid", "time", "statfs", "fstatfs", "set_tid_address", "getppid", "prlimit64"}
ADDED_VARIABLES = re.compile(
    r'"(?:LD_PRELOAD|HANDSPAN_\w+|TRACEPARENT|TRACESTATE|BAGGAGE)='
    r'[^"]*"(?:\.\.\.)?(?:, )?')
# The loader's own memory, which depends on how many objects there are; what a
# program reads of its own mappings, or at random; a fatal signal that is left to the kernel
# (it has a handler of ours, and is sent once more before the process ends by
# it); SIGCHLD, of which several are one.
LOADERS = re.compile(r"NULL, \d+, PROT_READ\|PROT_WRITE, "
                     r"MAP_PRIVATE\|MAP_ANONYMOUS, -1, 0\)")
QUIET_FILES = re.compile(r'"(/proc/self/(maps|stat|status)|/dev/u?random)"')
FATAL = "SEGV|BUS|FPE|ILL|ABRT|SYS"
LEFT_ALONE = re.compile(rf"SIG(?:{FATAL}), (?:NULL|{{sa_handler=SIG_DFL)")
HANDLER = re.compile(r"^SIG\w+, {sa_handler=(0x\w+)")
NEAR = 0x80  # our entries for what the program left alone
OLD_ACTION = re.compile(rf"(SIG(?:{FATAL}), {{.*?}}), {{.*}}, 8\)")
# Where they stand depends on when a signal came.
# or on how long the environment is.
UNTIMELY = {"rt_sigreturn", "restart_syscall", "brk", "getrandom"}
CALL = re.compile(r"\[([0-9a-f?]+)\] (\w+)\((.*)$")
CHILD = re.compile(r"\] (?:v?fork|clone3?)\(.* = (\d+)$")
RESULT = re.compile(r" = (0x[0-9a-f]+|-?\d+|\?)[^=]*$")
LONGEST = 300

OF_PROCESSES = {"kill", "tgkill", "tkill", "getpid", "gettid", "fork", "vfork",
                "clone", "clone3", "setpgid", "getpgid", "getpgrp", "getsid",
                "setsid", "pidfd_open", "ioctl"}

Process = collections.namedtuple("Process", "calls signals")


class Image:
    """Where the preload lies in the program that a process runs; a forked
    child begins with its parent's."""
    def __init__(self, preload, low=0, high=0, loader=0, default=0):
        self.preload, self.fd, self.loader = preload, None, loader
        self.low, self.high, self.default = low, high, default
        self.quiet, self.buffers = set(), False

    def holds(self, word):
        try:
            return self.low <= int(word, 16) < self.high
        except ValueError:
            return False

    def maps_us(self, where, name, rest):
        """A call of the loader's that is about the preload, or may be."""
        if name == "execve" and rest.endswith("= 0"):
            self.low = self.high = self.loader = 0
            self.default = 0
        elif not self.loader:
            self.loader = int(where, 16)
        result = RESULT.search(rest)
        if name == "openat" and f'"{self.preload}"' in rest:
            self.fd = result[1]
            return True
        if self.fd is not None:
            if name == "mmap" and not self.low:
                self.low = int(result[1], 16)
                self.high = self.low + int(rest.split(", ")[1])
            if name == "close":
                self.fd = None
            return True
        if name == "mmap" and abs(int(where, 16) - self.loader) < 1 << 18:
            return bool(LOADERS.match(rest))
        return name in ("mprotect", "munmap") and \
            self.holds(rest.split(",")[0])

    def leaves_alone(self, rest):
        """An action for a fatal signal that is the default."""
        handler = HANDLER.search(rest)
        return LEFT_ALONE.match(rest) or handler and self.default and \
            abs(int(handler[1], 16) - self.default) < NEAR

    def is_quiet(self, name, rest):
        """A call with a file that says something else in each run."""
        if name == "openat" and QUIET_FILES.search(rest):
            self.quiet.add(RESULT.search(rest)[1])
            self.buffers = True
            return True
        if self.buffers and (name == "munmap" or name == "mmap" and
                             LOADERS.match(rest)):
            return True
        self.buffers = bool(self.quiet)
        fd = re.split("[,)]", rest)[0]
        if fd not in self.quiet:
            return False
        if name == "close":
            self.quiet.remove(fd)
        return True


def _plain(name, rest, pids, made):
    """As it can be compared."""
    if name == "openat" and "O_EXCL" in rest:
        made.append(os.path.basename(rest.split('"')[1]))
    if name in VOLATILE:
        return name
    if name == "read" and rest.startswith("0, "):
        return "read(0, ...)"  # of a pipe: in pieces as they come
    if name in ("poll", "ppoll") and "{fd=0," in rest:
        rest = rest.split(") = ")[0]  # what is there by now, or has ended
    if name in OF_PROCESSES:
        # a number by itself: the digits of an address may be a pid's
        rest = re.sub(r"\b\d+\b", lambda m: pids.get(m[0], m[0]), rest)
    if name.startswith("exec"):
        rest = re.sub(r", \]", "]", ADDED_VARIABLES.sub("", rest))
    for n, temporary in enumerate(made):
        rest = rest.replace(temporary, f"TEMPORARY{n}")
    rest = re.sub(r"/proc/\d+/", "/proc/PID/", rest)
    rest = re.sub(r"(pipe|socket):\[\d+\]", r"\1", rest)
    if name == "rt_sigaction":
        rest = re.sub(r"(SIG_IGN|SIG_DFL), .*?}", r"\1}", rest)
        rest = OLD_ACTION.sub(r"\1, 8)", rest)
    rest = re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", rest)
    return f"{name}({rest}"[:LONGEST]


def _read_one(path, image, pids, ours, children, made):
    """Its own calls and signals; [(pid, the image that it begins with)]"""
    calls, signals = [], collections.Counter()
    with open(path, errors="replace") as f:
        for line in f:
            line = line.rstrip("\n")
            at = line.find("] ") + 2
            if line[at:at + 3] in ("---", "+++"):
                what = re.sub(r" \{.*\}", "", line[at:])
                if not re.match("--- SIGCHLD", what):
                    signals[what] += 1
                    if re.match(f"--- SIG(?:{FATAL}) ", what):
                        signals[what] = 1
                continue
            found = CALL.match(line)
            if not found or "ERESTART" in line:
                continue
            where, name, rest = found.groups()
            child = CHILD.search(line)
            if child:
                pids[child[1]] = f"{pids[path.split('.')[-1]]}.{len(children)}"
                children.append((child[1], (
                    image.low, image.high, image.loader, image.default)))
            if image.maps_us(where, name, rest):
                ours["(loader) " + name] += 1
            elif image.holds(where) and name not in INSTEAD:
                ours[name] += 1
                if name == "rt_sigaction" and HANDLER.match(rest):
                    image.default = image.default or int(
                        HANDLER.match(rest)[1], 16)
            elif not (name in UNTIMELY or
                      name == "rt_sigaction" and image.leaves_alone(rest) or
                      image.is_quiet(name, rest)):
                calls.append(_plain(name, rest, pids, made))
                if calls[-2:] == ["read(0, ...)"] * 2:
                    calls.pop()
    return Process(calls, signals)


def read(folder, preload, ours):
    """{place in the tree: Process} of strace's files there."""
    files = {name.split(".")[-1]: os.path.join(folder, name)
             for name in os.listdir(folder)}
    born = set()
    for path in files.values():
        with open(path, errors="replace") as f:
            born.update(m[1] for m in map(CHILD.search, f) if m)
    first, = files.keys() - born
    made = []
    pids, found, waiting = {first: "P"}, {}, [(first, ())]
    while waiting:
        pid, where = waiting.pop(0)
        children = []
        if pid in files:
            found[pids[pid]] = _read_one(files[pid], Image(preload, *where),
                                         pids, ours, children, made)
        waiting += children
    return found


def first_difference(want, got):
    """A line that says where two runs part, or None."""
    if want.keys() != got.keys():
        return f"processes {sorted(got)}, untraced {sorted(want)}"
    for place in sorted(want):
        a, b = want[place], got[place]
        for n, (x, y) in enumerate(zip(a.calls + ["(none)"],
                                       b.calls + ["(none)"])):
            if x != y:
                return f"{place}, call {n}: {y}, untraced {x}"
        if a.signals != b.signals:
            return f"{place}: {dict(b.signals)}, untraced {dict(a.signals)}"
    return None

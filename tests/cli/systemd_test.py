#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services of a real systemd (a manager of a user, in process ids and mounts of
its own), untraced and below `handspan run`: each start, reload, stop and failure
is told alike. Usage: systemd_test.py HANDSPAN
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

INSIDE = "--inside"
SYSTEMD = "/lib/systemd/systemd"
SHOWN = "ActiveState,SubState,Result,ExecMainStatus,ExecMainCode,StatusText"
ENDED = ("inactive", "failed")
NOTIFIES = """import os, signal, socket, sys, time
path = os.environ["NOTIFY_SOCKET"]
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to.connect("\\0" + path[1:] if path[0] == "@" else path)
own = os.environ.get("WATCHDOG_PID") == str(os.getpid())
def reload(*_):
    to.send(b"STATUS=reloaded")
signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
to.send(b"READY=1\\nSTATUS=watchdog of " + (b"its own" if own else b"another"))
while "hang" not in sys.argv:
    to.send(b"WATCHDOG=1")
    time.sleep(0.2)
while True:
    time.sleep(9)
"""
ACCEPTS = """import os, socket
own = os.environ["LISTEN_PID"] == str(os.getpid())
one, _ = socket.socket(fileno=3).accept()
one.send(b"own" if own else b"another's")
"""
NGINX = """pid %(d)s/nginx.pid; error_log %(d)s/nginx.err; events {}
http { access_log off; client_body_temp_path %(d)s/n1; proxy_temp_path %(d)s/n2;
fastcgi_temp_path %(d)s/n3; uwsgi_temp_path %(d)s/n4; scgi_temp_path %(d)s/n5;
server { listen unix:%(d)s/n.sock; return 200 "hi"; } }
"""
LIMITS = "TimeoutStartSec=60\nTimeoutStopSec=30\n"
UNITS = {
    "notifies.service": "Type=notify\nNotifyAccess=main\nWatchdogSec=20\n"
    "ExecReload=/bin/kill -HUP $MAINPID\n" + LIMITS +
    "ExecStart=%(run)s %(python)s %(d)s/notifies.py\n",
    "hangs.service": "Type=notify\nNotifyAccess=main\nWatchdogSec=3\n" + LIMITS +
    "ExecStart=%(run)s %(python)s %(d)s/notifies.py hang\n",
    "accepts.service": "ExecStart=%(run)s %(python)s %(d)s/accepts.py\n",
    "dies.service": "ExecStart=%(run)s /bin/sh -c 'kill -SEGV $$$$'\n",
    "fails.service": "Type=oneshot\nExecStart=%(run)s /bin/sh -c 'exit 3'\n",
    "redis.service": "Type=notify\n" + LIMITS +
    "ExecStart=%(run)s redis-server --supervised systemd --daemonize no "
    "--port 0 --unixsocket %(d)s/r.sock --dir %(d)s\n",
    "nginx.service": "Type=forking\nPIDFile=%(d)s/nginx.pid\nKillMode=mixed\n" +
    LIMITS + "ExecReload=nginx -c %(d)s/nginx.conf -s reload\n"
    "ExecStart=%(run)s nginx -c %(d)s/nginx.conf -g 'daemon on;'\n"}


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def control(*words):
    return subprocess.run(["systemctl", "--user", *words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def is_there(unit):
    return shutil.which({"redis.service": "redis-server",
                         "nginx.service": "nginx"}.get(unit, "sh"))


def state(unit, wanted=None):
    """As it is told, once it is in one of the states (or after a minute)."""
    for _ in range(600):
        now = control("show", unit, "-p", SHOWN).stdout.split("\n")
        if not wanted or any(f"ActiveState={w}" in now for w in wanted):
            break
        time.sleep(0.1)
    pid = control("show", unit, "-p", "MainPID", "--value").stdout.strip()
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            now.append("main " + f.read().strip())
    except OSError:
        pass
    return sorted(filter(None, now))


def story(top, run):
    """What is told of all units, in the order of what is done to them."""
    names = {"run": run, "python": sys.executable, "d": top}
    for unit, text in UNITS.items():
        write(f"{top}/conf/systemd/user/{unit}", "[Service]\n" + text % names)
    control("daemon-reload")
    told = []
    for unit in filter(is_there, ("notifies.service", "redis.service",
                                  "nginx.service")):
        done = control("start", unit).returncode
        told.append((unit, done, state(unit)))
        if unit != "redis.service":
            told.append(control("reload", unit).returncode)
        if unit == "notifies.service":
            for _ in range(600):
                if "StatusText=reloaded" in state(unit):
                    break
                time.sleep(0.1)
            told.append(state(unit))
        told.append((control("stop", unit).returncode, state(unit, ENDED)))
    for unit in "hangs.service", "dies.service", "fails.service":
        told.append((unit, control("start", unit).returncode,
                     state(unit, ENDED)))
    control("start", "accepts.socket")
    told.append(subprocess.run(
        [sys.executable, "-c", "import socket, sys\ns = socket.socket(1)\n"
         "s.connect(sys.argv[1])\nprint(s.recv(99))", top + "/a.sock"],
        capture_output=True, text=True, timeout=60).stdout)
    told.append(state("accepts.service", ENDED))
    control("stop", "accepts.socket")
    control("reset-failed")
    return told


def inside(handspan, top):
    """As the first process of process ids and mounts of our own."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    os.makedirs("/run/systemd/system")
    os.environ.update(XDG_RUNTIME_DIR=top + "/run", HOME=top,
                      XDG_CONFIG_HOME=top + "/conf", HANDSPAN_DIR=top + "/dir",
                      HANDSPAN_STORE=top + "/store.db",
                      SYSTEMD_LOG_TARGET="null")
    manager = subprocess.Popen([SYSTEMD, "--user", "--unit=ours.target"])
    for _ in range(300):
        if control("is-active", "ours.target").returncode == 0:
            break
        time.sleep(0.1)
    else:
        print("skipped: systemd does not start here")
        return 77
    untraced = story(top, "")
    traced = story(top, f"{handspan} run --summary=never -m /dev/null --")
    manager.kill()
    for meant, got in zip(untraced, traced):
        print("equal" if meant == got else f"WRONG {got}, untraced", meant)
    print(f"{sum(map(bool, map(is_there, UNITS)))} services")
    was_traced = os.path.exists(top + "/store.db")
    return untraced != traced or len(untraced) < 8 or not was_traced


def groups():
    """The control groups below our own: the manager makes some, and is killed."""
    found = set()
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        for line in f:
            _, kind, path = line.rstrip("\n").split(":", 2)
            if kind not in ("", "name=systemd"):
                continue  # it takes this path in all hierarchies
            for root in [".", *os.listdir("/sys/fs/cgroup")]:
                top = os.path.join("/sys/fs/cgroup", root, path.lstrip("/"))
                if os.path.exists(top + "/cgroup.procs"):
                    found.update(here for here, _, _ in os.walk(top))
    return found


def remove(made):
    for path in sorted(made, key=len, reverse=True):
        for _ in range(100):  # its last process is about to be gone
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.1)


def main():
    if os.getuid() != 0 or not os.path.exists(SYSTEMD):
        print("skipped: needs root and systemd")
        return 77
    handspan = os.path.realpath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="handspan-systemd-",
                                     ignore_cleanup_errors=True) as top:
        os.makedirs(top + "/conf/systemd/user")
        os.mkdir(top + "/run", 0o700)
        write(top + "/notifies.py", NOTIFIES)
        write(top + "/accepts.py", ACCEPTS)
        write(top + "/nginx.conf", NGINX % {"d": top})
        write(top + "/conf/systemd/user/ours.target",
              "[Unit]\nDefaultDependencies=no\n")
        write(top + "/conf/systemd/user/accepts.socket",
              f"[Socket]\nListenStream={top}/a.sock\n")
        before = groups()
        status = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount", "--mount-proc",
             "--kill-child", sys.executable, os.path.abspath(__file__), INSIDE,
             handspan, top], timeout=600).returncode
        remove({path for path in groups() - before
                if ".scope" in path or ".slice" in path})
        return status


if __name__ == "__main__":
    sys.exit(inside(*sys.argv[2:]) if sys.argv[1] == INSIDE else main())

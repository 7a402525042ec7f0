# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL 15 of our own: Debian's binaries, a private directory and
socket, no port. As root it runs as `nobody`, since PostgreSQL refuses root."""
import fcntl
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "../../sql/postgres")
MIGRATIONS = sorted(glob.glob(os.path.join(SQL, "0*.sql")))

# As InsForge has it: new tables are open until they are closed.
OPEN_TO_ANON = ("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, "
                "INSERT, UPDATE, DELETE ON TABLES TO anon, authenticated")


def user():
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def as_user():
    """preexec: stop being root."""
    u = user()
    os.setsid()
    if u:
        os.setgroups([])
        os.setgid(u.pw_gid)
        os.setuid(u.pw_uid)


def run(*command):
    r = subprocess.run(command, preexec_fn=as_user, cwd="/", text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if r.returncode:
        raise AssertionError(f"{command}: {r.stdout}")


def init(data):
    run(os.path.join(BIN, "initdb"), "-D", data, "-U", "owner", "-A", "trust",
        "-N", "-E", "UTF8", "--locale=C")


def init_once(data):
    """A copy of what the first test of this run of ctest made."""
    place = os.environ.get("TEST_CACHE")
    if not place:
        init(data)
        return
    with open(os.path.join(place, "pg.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = os.path.join(place, "pg")
        if not os.path.exists(made + "/data/made"):
            shutil.rmtree(made, ignore_errors=True)
            os.mkdir(made)
            if user():
                os.chown(made, user().pw_uid, user().pw_gid)
            init(made + "/data")
            open(made + "/data/made", "w").close()
    run("cp", "-a", made + "/data", data)


class Postgres:
    def __init__(self, base=None):
        base = base or os.environ.get("TEST_MEMORY")
        self.dir = tempfile.mkdtemp(prefix="handspan-pg-", dir=base)
        os.chmod(self.dir, 0o755)
        self.data = os.path.join(self.dir, "data")
        if user():
            os.chown(self.dir, user().pw_uid, user().pw_gid)
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.server = None
        init_once(self.data)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            # no power is cut here: what was written survives a kill
            f.write("fsync = off\nlisten_addresses = ''\n"
                    f"unix_socket_directories = '{self.dir}'\n"
                    "max_connections = 40\nshared_buffers = 64MB\n"
                    "timezone = 'UTC'\n")

    def start(self, seconds=300):
        end = time.monotonic() + seconds
        while True:
            self.server = subprocess.Popen(
                [os.path.join(BIN, "postgres"), "-D", self.data],
                preexec_fn=as_user, cwd="/", stdout=self.log, stderr=self.log)
            while self.server.poll() is None:
                try:
                    self.connect().close()
                    return self
                except psycopg2.OperationalError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)  # polls a state
            if time.monotonic() > end:
                raise AssertionError("postgres does not start")
            time.sleep(0.1)  # its orphans hold the shared memory yet

    def connect(self, user="owner", database="postgres"):
        c = psycopg2.connect(host=self.dir, user=user, dbname=database)
        c.autocommit = True
        return c

    def rows(self, sql, *args, role=None):
        c = self.connect()
        try:
            with c.cursor() as q:
                if role:
                    q.execute(f'SET ROLE "{role}"')
                q.execute(sql, args or None)
                return q.fetchall() if q.description else []
        finally:
            c.close()

    def migrate(self, files=None, before=("CREATE ROLE anon NOLOGIN",
                                          "CREATE ROLE authenticated NOLOGIN")):
        """As InsForge does it: each file one transaction, then a reload of
        the schema cache. Its new tables get rights for anon by default."""
        for sql in before:
            self.rows(sql)
        self.rows(OPEN_TO_ANON)
        for path in files or MIGRATIONS:
            self.apply(path)

    def apply(self, path):
        c = self.connect()
        try:
            c.autocommit = False
            with c.cursor() as q:
                q.execute(open(path, encoding="utf-8").read())
                q.execute("NOTIFY pgrst, 'reload schema'")
            c.commit()
        finally:
            c.close()

    def kill(self):
        """-9, without warning."""
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait(timeout=300)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

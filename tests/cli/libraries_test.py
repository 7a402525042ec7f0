#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each manifest that comes with handspan for a library or a program, on Debian's
own program: the question that its first lines ask, and the answer in the store,
once of work that is done and once of work that fails, with what the library says.

usage: libraries_test.py HANDSPAN [Cheap | Nightly]
"""
import glob
import json
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../common"))
import alive  # noqa: E402

HANDSPAN = os.path.realpath(sys.argv.pop(1))
PYTHON = "/usr/bin/python3"


def chunk(name, data):
    return (struct.pack(">I", len(data)) + name + data +
            struct.pack(">I", zlib.crc32(name + data)))


def picture():
    rows = b"".join(b"\0" + bytes((i, 40, 90)) * 16 for i in range(16))
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def changed(data, at):
    return data[:at] + bytes((data[at] ^ 255,)) + data[at + 1:]


class Base(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="libraries-"))
        self.addCleanup(alive.remove, self.dir)
        os.mkdir(os.path.join(self.dir, "lanes"), 0o700)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HANDSPAN", "LD_", "PYTHON"))}
        self.env.update(HANDSPAN_DIR=os.path.join(self.dir, "lanes"),
                        HANDSPAN_STORE=os.path.join(self.dir, "s.db"),
                        HANDSPAN_CONFIG="/dev/null", HOME=self.dir,
                        LC_ALL="C.UTF-8")

    def write(self, name, data):
        with open(os.path.join(self.dir, name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return name

    def read(self, name):
        with open(os.path.join(self.dir, name), "rb") as f:
            return f.read()

    def need(self, program):
        if not shutil.which(program):
            self.skipTest(f"there is no {program}")

    def traced(self, manifest, *command, **more):
        self.need(command[0])
        return [HANDSPAN, "run", "-m", manifest, "--summary=never", "--",
                *command], dict(env=self.env, cwd=self.dir, **more)

    def stored(self):
        said = subprocess.run([HANDSPAN, "spans", "--json", "--limit=0"],
                              env=self.env, check=True, text=True,
                              capture_output=True).stdout
        return [json.loads(line) for line in said.splitlines()[1:]]

    def spans(self, manifest, *command, status=0, stdin=""):
        argv, more = self.traced(manifest, *command)
        done = subprocess.run(argv, input=stdin.encode(), capture_output=True,
                              timeout=300, **more)
        self.assertEqual(done.returncode, status, done.stderr)
        return self.stored()

    def one(self, rows, name, **more):
        found = [r for r in rows if r["name"] == name and
                 all(r[k] == v for k, v in more.items())]
        self.assertEqual(len(found), 1, [r["name"] for r in rows])
        return found[0]

    def within(self, rows, span, name):
        """What the library says within that call."""
        return [r["input"] for r in rows if r["name"] == name and
                r["parent_span_id"] == span["span_id"]]


class Cheap(Base):
    def test_they_stand_beside_each_other(self):
        """A program may load all of these libraries."""
        folder = os.path.join(os.path.dirname(HANDSPAN),
                              "../share/handspan/manifests")
        names = sorted(os.listdir(folder))
        self.assertGreater(len(names), 20)
        self.write("all.manifest", "".join(f'[[include("{n}")]];\n'
                                           for n in names))
        said = subprocess.run([HANDSPAN, "check", "-m", "all.manifest",
                               "/bin/true"], env=self.env, cwd=self.dir,
                              capture_output=True, text=True, timeout=300)
        self.assertNotIn("error:", said.stdout + said.stderr)
        self.assertNotIn("warning:", said.stdout + said.stderr)

    def test_libxml2(self):
        self.write("good.xml", "<a><b>t</b></a>")
        self.write("bad.xml", "<a><b></a>")
        rows = self.spans("libxml2", "xmllint", "--xpath", "//b", "good.xml")
        self.assertEqual(self.one(rows, "xmlXPathEval")["input"]["xpath"],
                         "//b")
        rows = self.spans("libxml2", "xmllint", "--noout", "bad.xml", status=1)
        read = self.one(rows, "xmlReadFile", status="error")
        self.assertEqual(read["input"]["url"], "bad.xml")
        said = self.within(rows, read, "xml_error")[0]
        self.assertEqual(
            (said["text"], said["first"], said["second"]),
            ("Opening and ending tag mismatch: %s line %d and %s\n", "b", "a"))

    def test_openssl(self):
        self.write("data", "x" * 300)
        rows = self.spans("openssl", "openssl", "dgst", "-sha256", "data")
        self.assertEqual(self.one(rows, "EVP_DigestUpdate")["input"],
                         {"len": 300})
        self.spans("openssl", "openssl", "genpkey", "-algorithm", "ED25519",
                   "-out", "key.pem")
        self.one(self.stored(), "EVP_PKEY_generate", status="ok")
        self.spans("openssl", "openssl", "pkeyutl", "-sign", "-rawin",
                   "-inkey", "key.pem", "-in", "data", "-out", "sig")
        self.write("sig", changed(self.read("sig"), 3))
        rows = self.spans("openssl", "openssl", "pkeyutl", "-verify", "-rawin",
                          "-inkey", "key.pem", "-in", "data", "-sigfile",
                          "sig", status=1)
        self.one(rows, "EVP_DigestVerify", status="error")
        self.write("none.pem", "no key\n")
        rows = self.spans("openssl", "openssl", "pkey", "-in", "none.pem",
                          status=1)
        self.assertIn("get_name", [r["input"]["function"] for r in rows
                                   if r["name"] == "openssl_error"])

    def test_lzma(self):
        self.write("data", "x" * 3000)
        rows = self.spans("lzma", "xz", "-k", "data")
        last = [r for r in rows if r["name"] == "lzma_code"][-1]
        self.assertEqual(last["output"]["total_in"], 3000)
        self.assertEqual(last["output"]["total_out"],
                         len(self.read("data.xz")))
        self.write("bad.xz", changed(self.read("data.xz"), 40))
        rows = self.spans("lzma", "xz", "-t", "bad.xz", status=1)
        failed = self.one(rows, "lzma_code", status="error")
        self.assertEqual(failed["error"]["return_value"], 9)  # corrupt

    def test_bzip2(self):
        self.write("data", "x" * 3000)
        rows = self.spans("bzip2", "bzip2", "-k", "data")
        self.assertEqual(self.one(rows, "BZ2_bzWrite")["input"]["len"], 3000)
        self.write("bad.bz2", "no such thing")
        rows = self.spans("bzip2", "bzip2", "-t", "bad.bz2", status=2)
        failed = self.one(rows, "BZ2_bzDecompress", status="error")
        self.assertEqual(failed["error"]["return_value"], -5)  # not this format

    def test_zstd(self):
        self.write("job.py", """import ctypes
z = ctypes.CDLL("libzstd.so.1")
size = ctypes.c_size_t
z.ZSTD_compress.restype = z.ZSTD_decompress.restype = size
z.ZSTD_getErrorName.restype = ctypes.c_char_p
out = ctypes.create_string_buffer(5000)
z.ZSTD_compress(out, size(5000), b"a" * 3000, size(3000), 3)
z.ZSTD_getErrorName(size(z.ZSTD_decompress(out, size(5000), b"no zstd" * 3, size(21))))
""")
        rows = self.spans("zstd", PYTHON, "job.py")
        done = self.one(rows, "ZSTD_compress")
        self.assertEqual((done["input"], done["status"]),
                         ({"len": 3000, "level": 3}, "ok"))
        self.one(rows, "ZSTD_decompress", status="error")
        self.assertEqual(self.one(rows, "ZSTD_getErrorName")["output"],
                         {"return": "Unknown frame descriptor"})

    def test_perl(self):
        rows = self.spans(
            "perl", "perl", "-e", 'require 5.006; eval { die "no table\\n" }; '
            'eval { die {a => 1} }; system("true"); require "./none.pl"',
            status=2)
        self.one(rows, "system")
        self.assertEqual([r["attributes"]["module"] for r in rows
                          if r["name"] == "require"], [None, "./none.pl"])
        said = [r["input"]["message"] for r in rows if r["name"] == "perl_die"]
        self.assertEqual(said, ["no table\n", None,
                                "Can't locate ./none.pl at -e line 1.\n"])

    def test_libpng(self):
        self.write("good.png", picture())
        self.write("bad.png", changed(picture(), 45))
        pipe = ["gst-launch-1.0", "-q", "filesrc", "location=good.png", "!",
                "pngdec", "!", "pngenc", "!", "fakesink"]
        rows = self.spans("libpng", *pipe)
        self.assertEqual(self.one(rows, "png_process_data")["input"]["len"],
                         len(picture()))
        self.one(rows, "png_write_image")
        pipe[3] = "location=bad.png"
        rows = self.spans("libpng", *pipe, status=1)
        read = self.one(rows, "png_process_data")
        self.assertIn({"message": "IDAT: CRC error"},
                      self.within(rows, read, "png_error"))


class Nightly(Base):
    def test_libjpeg(self):
        self.need("cjpeg")
        self.write("a.ppm", b"P6 16 16 255\n" + bytes(16 * 16 * 3))
        rows = self.spans("libjpeg", "cjpeg", "-outfile", "a.jpg", "a.ppm")
        self.assertEqual(sum(r["name"] == "jpeg_write_scanlines"
                             for r in rows), 16)
        rows = self.spans("libjpeg", "djpeg", "-outfile", "b.ppm", "a.jpg")
        self.one(rows, "jpeg_finish_decompress")
        self.write("bad.jpg", "no picture")
        rows = self.spans("libjpeg", "djpeg", "-outfile", "b.ppm", "bad.jpg",
                          status=1)
        self.assertEqual(self.one(rows, "jpeg_error")["input"]["code"], 53)

    def test_hdf5(self):
        self.need("h5import")
        self.write("in.txt", "1 2\n3 4\n")
        self.write("in.cfg", "PATH /d\nINPUT-CLASS TEXTIN\nRANK 2\n"
                   "DIMENSION-SIZES 2 2\n")
        rows = self.spans("hdf5", "h5import", "in.txt", "-c", "in.cfg", "-o",
                          "o.h5")
        self.assertEqual(self.one(rows, "H5Dcreate2")["input"]["name"], "d")
        self.one(rows, "H5Dwrite", status="ok")
        self.write("bad.h5", "no data")
        rows = self.spans("hdf5", "h5dump", "bad.h5", status=1)
        failed = [r for r in rows if r["name"] == "H5Fopen"][0]
        self.assertEqual(failed["status"], "error")
        self.assertEqual(failed["input"]["file"], "bad.h5")
        self.assertEqual(self.within(rows, failed, "hdf5_error")[0]["text"],
                         "file signature not found")

    def test_redis(self):
        at = os.path.join(self.dir, "s")
        argv, more = self.traced("redis-7.0", "redis-server", "--port", "0",
                                 "--unixsocket", at, "--dir", self.dir,
                                 "--save", "", stdout=subprocess.DEVNULL)
        with subprocess.Popen(argv, **more) as server:
            end = time.monotonic() + 300
            while not os.path.exists(at):  # waits for a state
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(at)
                answers = s.makefile()
                for line in "set k secret", "lpush k 1":
                    s.sendall(line.encode() + b"\r\n")
                    answers.readline()
                s.sendall(b"shutdown nosave\r\n")
                answers.read()
        rows = self.stored()
        calls = [r for r in rows if r["name"] == "redis_command"]
        self.assertEqual([r["attributes"] for r in calls],
                         [{"command": "set", "arguments": 3},
                          {"command": "lpush", "arguments": 3},
                          {"command": "shutdown", "arguments": 2}])
        said, = self.within(rows, calls[1], "redis_error")
        self.assertIn("WRONGTYPE Operation against a key", said["text"])
        self.assertNotIn("secret", json.dumps(rows))

    def test_r(self):
        self.write("job.R", 'slow <- function(n) { Sys.sleep(0.05); n }\n'
                   'slow(1)\nstop("the table is gone")\n')
        rows = self.spans("R-4", "Rscript", "job.R", status=1)
        slow = [r for r in rows if r["attributes"].get("function") == "slow"]
        self.assertEqual(len(slow), 1)
        self.assertGreaterEqual(slow[0]["duration_ns"], 50000000)
        self.assertIn("the table is gone", [r["input"]["message"] for r in rows
                                            if r["name"] == "r_error"])

    def test_postgres(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            self.skipTest("there is no PostgreSQL")
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        data = os.path.join(self.dir, "data")
        if user:  # PostgreSQL refuses root
            for path in self.dir, os.path.join(self.dir, "lanes"):
                os.chown(path, user.pw_uid, user.pw_gid)

        def become():
            if user:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)

        def run(argv, **more):
            return subprocess.run(argv, cwd=self.dir, env=self.env, text=True,
                                  preexec_fn=become, capture_output=True,
                                  timeout=300, **more)
        made = run([os.path.join(found[-1], "initdb"), "-D", data, "-U", "o",
                    "-N", "-A", "trust", "--locale=C", "-E", "UTF8"])
        self.assertEqual(made.returncode, 0, made.stderr)
        argv, _ = self.traced("postgres", os.path.join(found[-1], "postgres"),
                              "--single", "-D", data, "postgres")
        run(argv, input="create table t(id int primary key);\n"
            "insert into t values (1);\nselect count(*) from t;\n"
            "insert into t values (1);\n")
        listed = run([HANDSPAN, "spans", "--json", "--limit=0"])
        rows = [json.loads(line) for line in listed.stdout.splitlines()[1:]]
        self.assertTrue(any("create table" in r["input"]["sql"] for r in rows
                            if r["name"] == "ProcessUtility"))
        ran = [r for r in rows if r["name"] == "ExecutorRun"]
        self.assertEqual(len(ran), 3)
        said = self.within(rows, ran[2], "postgres_message")
        self.assertEqual(said[0]["text"], "duplicate key value violates "
                         'unique constraint "%s"')
        self.assertEqual([e["function"] for e in
                          self.within(rows, ran[2], "postgres_error")],
                         ["_bt_check_unique"])


if __name__ == "__main__":
    unittest.main()

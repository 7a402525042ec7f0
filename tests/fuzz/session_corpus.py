#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions as this build makes them, for fuzz_session.c:

  session_corpus.py BUILD FOLDER

A corpus that lies in the repository is one of an older layout before long, and
then each input of it is refused before anything of it is read.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = """[[object(main)]];
[[span, input(number)]] long outer(long number);
[[span, input(number, text), output(return), capture("named")]]
long inner(long number, const char *text);
[[span, input(number), fails(return < 0)]] long fails(long number);
[[span, input(number)]] long throws(long number);
[[span]] long dies(long number);
"""


def main():
    build, folder = map(pathlib.Path, sys.argv[1:3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="handspan-corpus-") as temp:
        at = pathlib.Path(temp)
        (at / "m").write_text(MANIFEST)
        (at / "d").mkdir(mode=0o700)
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("HANDSPAN", "LD_"))}
        env |= {"HANDSPAN_DIR": str(at / "d"), "HANDSPAN_CONFIG": "/dev/null",
                "HANDSPAN_STORE": str(at / "s.db"), "HANDSPAN_SIDECAR": "off",
                "HANDSPAN_MANIFEST": str(at / "m"),
                "LD_PRELOAD": str(build / "lib" / "libhandspan.so")}
        subprocess.run([str(build / "bin" / "fuzz_session_program")], env=env,
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        sessions = sorted((at / "d").glob("session-*"))
        for session in sessions:
            made = subprocess.run(
                [sys.executable, str(HERE / "session_pack.py"), str(session)],
                check=True, stdout=subprocess.PIPE).stdout
            (folder / session.name).write_bytes(made)
            print(f"{len(made)} bytes")
    return 0 if sessions else 1


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each view of the page in headless Chromium: browser.mjs with its stores,
servers and packages (by the lock file beside it).

usage: browser_test.py HANDSPAN SOURCE FOLDER   (FOLDER: packages and pictures)
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HANDSPAN, SOURCE, FOLDER = map(os.path.abspath, sys.argv[1:])
HERE = f"{SOURCE}/tests/page"
ETL = "4bf92f35"


def serve(store):
    process = subprocess.Popen([HANDSPAN, "serve", "--store", store], text=True,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return process, re.search(r"http\S+", process.stdout.readline()).group()


def main():
    for tool in ("node", "npm", "chromium"):
        if not shutil.which(tool):
            print(f"skipped: there is no {tool}")
            return 77
    os.makedirs(FOLDER, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(f"{HERE}/{name}", FOLDER)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                   cwd=FOLDER, check=True, stdin=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as stores:
        subprocess.run([sys.executable, f"{HERE}/stores.py", SOURCE, stores], check=True)
        report = f"{stores}/report.html"
        subprocess.run([HANDSPAN, "report", "--store", f"{stores}/two.db", ETL, "-o",
                        report], check=True)
        exported = f"{stores}/trace.speedscope.json"
        subprocess.run([HANDSPAN, "export", "--store", f"{stores}/two.db", "-f",
                        "speedscope", "-o", exported, ETL], check=True)
        servers = [serve(f"{stores}/{name}.db")
                   for name in ("two", "big", "big", "big")]
        try:
            return subprocess.run(
                ["node", f"{HERE}/browser.mjs", FOLDER, servers[0][1],
                 ",".join(url for _, url in servers[1:]), report, exported,
                 f"{FOLDER}/pictures"], stdin=subprocess.DEVNULL).returncode
        finally:
            for process, _ in servers:
                process.send_signal(signal.SIGTERM)
                process.wait()


if __name__ == "__main__":
    sys.exit(main())

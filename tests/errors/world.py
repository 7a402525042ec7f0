# SPDX-License-Identifier: Apache-2.0
"""Run a program untraced and traced, and ask handspan what it says of it."""
import json
import os
import subprocess

TIMEOUT_S = 300


def same(seen, meant, what):
    if seen != meant:
        raise AssertionError(f"{what}: {seen!r}, not {meant!r}")


class World:
    def __init__(self, handspan, work):
        self.handspan, self.work, self.count = handspan, work, 0
        self.plain = {k: v for k, v in os.environ.items()
                      if not k.startswith(("HANDSPAN", "LD_", "DEBUGINFOD"))}
        (work / "dir").mkdir(mode=0o700)

    def execute(self, words, env):
        done = subprocess.run(words, cwd=self.work, env=env, timeout=TIMEOUT_S,
                              capture_output=True, check=False,
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def run(self, words, manifest):
        """As untraced; its spans, oldest first."""
        self.count += 1
        env = dict(self.plain, HANDSPAN_DIR=str(self.work / "dir"),
                   HANDSPAN_CONFIG="/dev/null",
                   HANDSPAN_STORE=str(self.work / f"{self.count}.db"))
        untraced = self.execute(words, self.plain)
        traced = self.execute([self.handspan, "run", "-m", str(manifest), "--",
                               *words], env)
        same(traced[:2], untraced[:2], f"{words}: status, output")
        self.execute([self.handspan, "sidecar", "--once"], env)
        status, text, said = self.execute(
            [self.handspan, "spans", "--json", "latest"], env)
        same(status, 0, said)
        rows = [json.loads(line) for line in text.splitlines()]
        return [r for r in rows if "span_id" in r], env

    def screen(self, env, *words):
        return self.execute([self.handspan, *words], env)[1].decode()

# SPDX-License-Identifier: Apache-2.0
"""Jaeger and a Kafka broker as examples/jaeger has them, on free ports of
127.0.0.1; everything they write lies in the test's folder. The binaries are
those that examples/jaeger/get put into a folder."""
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "../../examples/jaeger")
sys.path.insert(0, os.path.join(HERE, "../upload"))
import base  # noqa: E402

CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
TOPIC, GROUP, PARTITIONS = "handspan-spans", "jaeger-ingester", 4
TOOLS = "kafka/kafka-tools-[0-9]*.jar"


def free_ports(count):
    """They were free a moment ago: who is called so takes them next."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Part:
    """One process that can be killed and started again."""

    def __init__(self, top, name, command, port, env=None):
        self.name, self.command, self.port = name, command, port
        self.log = os.path.join(top, name + ".log")
        self.env = {**{k: v for k, v in os.environ.items()
                       if not k.startswith(("OTEL_", "JAEGER_"))}, **(env or {})}
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=os.path.dirname(self.log))
        base.until(f"{self.name} to listen", self.listens)
        return self

    def listens(self):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                raise AssertionError(f"{self.name} ended: {f.read()[-2000:]}")
        return listens(self.port)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Fleet:
    """The roads to a Jaeger: `one()` process, or `whole()` with the broker; one
    that is `sampled()`."""

    def __init__(self, backends, top):
        self.backends, self.top, self.parts = backends, top, []
        otlp, http, grpc, self.broker_port, control = free_ports(5)
        self.otlp, self.http, self.control = otlp, http, control
        self.api = f"http://127.0.0.1:{http}"
        self.env = {
            "OTLP_HTTP": f"127.0.0.1:{otlp}", "QUERY_HTTP": f"127.0.0.1:{http}",
            "QUERY_GRPC": f"127.0.0.1:{grpc}", "STORAGE": os.path.join(top, "badger"),
            "BROKER": f"127.0.0.1:{self.broker_port}"}

    def add(self, name, command, port):
        self.parts.append(Part(self.top, name, command, port, self.env))
        return self.parts[-1]

    def jaeger(self, name, port):
        return self.add(name, [os.path.join(self.backends, "jaeger"), "--config",
                               os.path.join(EXAMPLE, name + ".yaml")], port)

    def one(self):
        self.jaeger("one", self.otlp).start()
        base.until("the API", self.answers)
        return self

    def sampled(self):
        """Whole traces that failed, and no others."""
        self.env.update(DECISION_WAIT="30s", SAMPLED_PERCENT="0")
        self.jaeger("sampling", self.otlp).start()
        base.until("the API", self.answers)
        return self

    def answers(self):
        try:
            with urllib.request.urlopen(self.api + "/api/v3/services"):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def whole(self):
        self.broker = self.add("broker", self.broker_command(), self.broker_port)
        self.broker.start()
        self.make_topic()
        self.collector = self.jaeger("collector", self.otlp).start()
        self.ingester = self.jaeger("ingester", self.http).start()
        return self

    def java(self, *arguments):
        return ["java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1",
                "-cp", os.path.join(self.backends, "kafka", "*"), *arguments]

    def ask_broker(self, tool, *arguments):
        """What one of Kafka's own programs prints."""
        return subprocess.run(
            self.java(f"org.apache.kafka.tools.{tool}", "--bootstrap-server",
                      self.env["BROKER"], *arguments), check=True, text=True,
            timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout

    def make_topic(self):
        """Before an ingester: one that does not find it looks again after minutes."""
        self.ask_broker("TopicCommand", "--create", "--topic", TOPIC,
                        "--partitions", str(PARTITIONS))

    def offsets(self):
        """(messages that the storage has, messages that it lacks), of what the
        ingesters committed; None while nobody has all partitions."""
        lines = self.ask_broker("consumer.group.ConsumerGroupCommand", "--describe",
                                "--group", GROUP).splitlines()
        rows = [line.split()[3:5] for line in lines
                if line.split()[:2] == [GROUP, TOPIC]]
        if len(rows) < PARTITIONS or "-" in [end for _, end in rows]:
            return None
        stored = sum(int(at) for at, _ in rows if at != "-")
        return stored, sum(int(end) for _, end in rows) - stored

    def broker_command(self):
        """Its data formatted; the example's file with other places behind."""
        data = os.path.join(self.top, "kafka")
        mine = os.path.join(self.top, "broker.properties")
        shutil.copy(os.path.join(EXAMPLE, "broker.properties"), mine)
        with open(mine, "a", encoding="utf-8") as f:
            f.write(f"\nlog.dirs={data}\ncontroller.quorum.voters="
                    f"1@127.0.0.1:{self.control}\nlisteners=PLAINTEXT://127.0.0.1:"
                    f"{self.broker_port},CONTROLLER://127.0.0.1:{self.control}\n")
        subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", CLUSTER,
                                 "-c", mine), check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        return self.java("-Xmx512m", "kafka.Kafka", mine)

    def end(self):
        for part in reversed(self.parts):
            part.kill()

    def logs(self):
        for part in self.parts:
            with open(part.log, encoding="utf-8", errors="replace") as f:
                print(f"--- {part.name}\n{f.read()[-1500:]}", file=sys.stderr)

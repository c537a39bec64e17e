"""Starting and stopping what is measured, each as a fresh process."""

import json
import os
import re
import secrets
import subprocess
import urllib.request

from .child_process import Child, free_port, tail
from .trouble import Trouble

# Bytes of requests that Forebay holds at most: its default.
FOREBAY_MEMORY_LIMIT = 256 << 20
DATAHUB_OF_BARE = "datahub-forebay0"


def write_credentials(path):
    """A credential for this run; Forebay and the load generator read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("[[credential]]\n")
        file.write(f'secret_id = "AKID{secrets.token_hex(16)}"\n')
        file.write(f'secret_key = "{secrets.token_hex(16)}"\n')
    return path


def announced(child, pattern):
    """An address that the process prints when it listens."""
    found = child.wait_for(f"the address of {child.name}", lambda: re.search(pattern, child.output()))
    return found[1]


def answers_well(url):
    """Whether it answers 200."""
    try:
        # Without the proxies that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Forebay:
    """With the settings it comes with, on Apache Kafka."""

    name = "forebay"

    def __init__(self, program, kafka, folder, credentials):
        self.program, self.kafka, self.credentials = program, kafka, credentials
        self.folder = folder
        self.endpoint = self.child = None
        # Access points by topic, made once: tasks survive restarts.
        self.access_points = {}

    def start(self, topics, messages, tasks=1):
        """A process whose tasks, that many in all, write to these topics in turn."""
        del messages
        command = [
            self.program, "--brokers", self.kafka, "--listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--data-dir", self.folder,
            "--credentials", self.credentials, "--log-level", "warn",
        ]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FOREBAY_")}
        log = self.folder / "forebay.log"
        self.child = Child("Forebay", command, log, env=environment)
        self.endpoint = announced(self.child, r"(?m)^API +(http://\S+)")
        admin = announced(self.child, r"(?m)^Admin +(http://\S+)")
        self.child.wait_for("Forebay to be ready", lambda: answers_well(f"{admin}/readyz"))
        self.ensure_tasks(topics, tasks)

    def ensure_tasks(self, topics, tasks):
        """Makes the tasks that are missing."""
        names = list(topics)
        self.wanted = []
        for number in range(tasks):
            topic = names[number % len(names)]
            name = f"{topic}-{number}"
            if name not in self.access_points:
                self.access_points[name] = self.create_task(name, topic)
            self.wanted.append(self.access_points[name])

    def create_task(self, name, topic):
        """Its access point."""
        command = [
            str(self.program), "task", "create", "--name", name, "--topic", topic,
            "--endpoint", self.endpoint, "--credentials", str(self.credentials),
            "--output", "json",
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        found = re.search(r"datahub-[a-z0-9]{8}", done.stdout)
        if done.returncode or not found:
            raise Trouble(f"cannot create task {name}:\n{tail(done.stdout + done.stderr)}")
        return found[0]

    def load_options(self):
        """How the load generator has to be called."""
        return ["--endpoint", self.endpoint, "--credentials", self.credentials,
                "--datahub", ",".join(self.wanted)]  # fmt: skip

    def stop(self):
        """Stops it."""
        if self.child:
            self.child.stop()


class BareActix:
    """Reads and discards the same requests, and answers as many bytes."""

    name = "bare"

    def __init__(self, program, folder, credentials):
        self.program, self.folder, self.credentials = program, folder, credentials
        self.endpoint = self.child = None

    def start(self, topics, messages):
        """A process that answers as to so many messages."""
        del topics
        # Like Forebay it has as many workers as the machine has cores.
        command = [self.program, "--listen", "127.0.0.1:0", "--messages", str(messages)]
        self.child = Child("bare-actix", command, self.folder / "bare.log")
        self.endpoint = announced(self.child, r"listening on (http://\S+)")

    def load_options(self):
        """How the load generator has to be called: heads as for Forebay."""
        return ["--endpoint", self.endpoint, "--credentials", self.credentials,
                "--raw", "--sign", "--datahub", DATAHUB_OF_BARE]  # fmt: skip

    def stop(self):
        """Stops it."""
        if self.child:
            self.child.stop()


class Bento:
    """Configured by bento/bento.yaml."""

    name = "bento"

    def __init__(self, program, template, kafka, folder):
        self.program, self.template, self.kafka, self.folder = program, template, kafka, folder
        self.endpoint = self.child = None

    def start(self, topics, messages):
        """A process that writes to the one topic."""
        del messages
        (topic,) = topics
        port = free_port()
        text = self.template.read_text()
        for word, value in (("<PORT>", str(port)), ("<KAFKA>", self.kafka), ("<TOPIC>", topic)):
            text = text.replace(word, value)
        config = self.folder / "bento.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(text)
        self.child = Child("Bento", [self.program, "-c", config], self.folder / "bento.log")
        self.child.wait_for_port(port)
        self.endpoint = f"http://127.0.0.1:{port}"

    def load_options(self):
        """How the load generator has to be called."""
        return ["--endpoint", self.endpoint, "--raw", "--path", "/post", "--body", "ndjson"]

    def stop(self):
        """Stops it."""
        if self.child:
            self.child.stop()


class EmbeddedClient:
    """librdkafka in a process of its own, which makes the messages itself."""

    name = "librdkafka"

    def __init__(self, program, kafka, folder):
        self.program, self.kafka, self.folder = program, kafka, folder

    def measure(self, topic, seconds, warmup, callers, messages):
        """Its report; without `messages` as many as it takes."""
        command = [self.program, "--brokers", self.kafka, "--topic", topic,
                   "--seconds", str(seconds), "--warmup", str(warmup)]  # fmt: skip
        if messages is None:
            # Nobody waits, so librdkafka may wait for larger batches: its default.
            command += ["--linger-ms", "5"]
        else:
            command += ["--callers", str(callers), "--messages", str(messages)]
        child = Child("embedded-client", command, self.folder / "embedded-client.log")
        try:
            child.process.wait(seconds + warmup + 60)
        except subprocess.TimeoutExpired:
            raise Trouble("embedded-client does not end") from None
        finally:
            child.stop()
        if child.process.returncode:
            raise Trouble(f"embedded-client failed:\n{tail(child.output())}")
        return json.loads(child.output().splitlines()[-1])

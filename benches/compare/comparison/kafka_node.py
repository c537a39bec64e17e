"""A node of Apache Kafka, alone, with an empty folder."""

import base64
import re
import shutil
import subprocess
import uuid

from .child_process import Child, free_port, tail
from .kafka_wire import KafkaWire
from .trouble import Trouble

HEAP = "1g"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
num.partitions=8
default.replication.factor=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
# A tenth of the default. Kafka maps each partition's two indexes whole, and with
# the default's 10 MiB some kernels take 10 ms and more for the first entry, which
# would make a minute of 1,000 partitions. Enough for segments of 512 MiB.
log.index.size.max.bytes=1048576
# What a run has written goes before the next one, so that the disk stays small.
log.segment.delete.delay.ms=1000
"""


class KafkaNode:
    """Started when made; its topics are empty."""

    def __init__(self, home, folder):
        self.libs = home / "libs"
        self.folder = folder
        self.port = free_port()
        self.wire = KafkaWire(self.port)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.properties = folder / "server.properties"
        self.properties.write_text(
            PROPERTIES.format(port=self.port, controller=free_port(), data=folder / "data")
        )
        log_config = f"-Dlog4j2.configurationFile={home / 'log4j2.xml'}"
        java = ["java", f"-Xms{HEAP}", f"-Xmx{HEAP}", log_config, "-cp", f"{self.libs}/*"]
        self.format(java)
        self.child = Child("Kafka", [*java, "kafka.Kafka", self.properties], folder / "kafka.log")
        try:
            self.child.wait_for_port(self.port)
        except BaseException:
            self.child.stop()
            raise

    def format(self, java):
        """Kafka wants its folder prepared, with an id of the cluster."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", self.properties]
        done = subprocess.run(
            tool, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Trouble(f"cannot format Kafka's folder:\n{tail(done.stdout + done.stderr)}")

    @property
    def address(self):
        """For clients."""
        return f"127.0.0.1:{self.port}"

    def version(self):
        """As its jars say."""
        for jar in self.libs.glob("kafka-clients-*.jar"):
            found = re.fullmatch(r"kafka-clients-([0-9.]+)\.jar", jar.name)
            if found:
                return found[1]
        return "unknown"

    def fresh_topics(self, topics):
        """Topics, {name: partitions}, without messages."""
        self.wire.delete_topics(topics)
        self.wire.create_topics(topics)

    def stop(self):
        """Stops it; its files stay."""
        self.child.stop()

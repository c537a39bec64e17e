"""As much of Kafka's protocol as it takes to make topics and to see their ends.

Own code on purpose: what judges the figures shares nothing with what is judged.
For a cluster of one node, which leads all partitions. Requests and versions:
https://kafka.apache.org/protocol (all non-flexible, taken by Kafka 4).
"""

import socket
import struct
import time

from .trouble import Trouble

LIST_OFFSETS, CREATE_TOPICS, DELETE_TOPICS = (2, 1), (19, 2), (20, 1)
LATEST = -1
TIMEOUT_SECONDS = 60
# Errors that pass: a partition has no leader yet, a topic is not known yet.
PASSING = {3: "unknown topic", 5: "leader not available", 6: "not leader"}
TOO_FEW_BROKERS, UNKNOWN_TOPIC = 38, 3
# What a request for end offsets asks for at most: keeps frames small.
TOPICS_AT_ONCE = 50


def string(text):
    """STRING"""
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(parts):
    """ARRAY of what is encoded already."""
    parts = list(parts)
    return struct.pack(">i", len(parts)) + b"".join(parts)


class Reader:
    """Takes an answer apart."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        """One number, as struct writes it."""
        (value,) = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return value

    def string(self):
        """STRING or NULLABLE_STRING"""
        length = self.take("h")
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def array(self, element):
        """ARRAY"""
        return [element() for _ in range(self.take("i"))]


class KafkaWire:
    """A connection to a broker for each question."""

    def __init__(self, port):
        self.port = port

    def ask(self, api, body):
        """One request, one answer."""
        key, version = api
        head = struct.pack(">hhi", key, version, 1) + string("compare")
        frame = head + body
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(frame)) + frame)
            (length,) = struct.unpack(">i", read_exactly(connection, 4))
            reader = Reader(read_exactly(connection, length))
        if reader.take("i") != 1:
            raise Trouble("Kafka answered another request than was asked")
        return reader

    def create_topics(self, topics):
        """Makes topics, {name: partitions}, and waits until each has leaders."""
        wanted = array(
            string(name) + struct.pack(">ih", partitions, 1) + array([]) + array([])
            for name, partitions in topics.items()
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            answer = self.ask(CREATE_TOPICS, wanted + struct.pack(">i?", 60_000, False))
            answer.take("i")
            results = answer.array(lambda: (answer.string(), answer.take("h"), answer.string()))
            # A broker that has just started is not yet counted by its controller.
            if results[0][1] != TOO_FEW_BROKERS or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        for name, error, words in results:
            if error:
                raise Trouble(f"cannot create topic {name}: error {error}, {words}")
        self.end_offsets(topics)

    def delete_topics(self, names):
        """Deletes topics; one that is not there is no error."""
        answer = self.ask(DELETE_TOPICS, array(map(string, names)) + struct.pack(">i", 60_000))
        answer.take("i")
        for name, error in answer.array(lambda: (answer.string(), answer.take("h"))):
            if error not in (0, UNKNOWN_TOPIC):
                raise Trouble(f"cannot delete topic {name}: error {error}")

    def end_offsets(self, topics):
        """{topic: sum of the end offsets of its partitions}"""
        names = list(topics)
        sums = {}
        for first in range(0, len(names), TOPICS_AT_ONCE):
            part = {name: topics[name] for name in names[first : first + TOPICS_AT_ONCE]}
            sums.update(self.some_end_offsets(part))
        return sums

    def some_end_offsets(self, topics):
        """The same for not too many, again while errors are of those that pass."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            sums, problem = self.look_at_ends(topics)
            if problem is None:
                return sums
            if problem[1] not in PASSING or time.monotonic() > deadline:
                raise Trouble(f"end offsets of topic {problem[0]}: error {problem[1]}")
            time.sleep(0.1)

    def look_at_ends(self, topics):
        """One look: sums, and (topic, error) if there was an error."""
        wanted = (
            string(name)
            + array(struct.pack(">iq", index, LATEST) for index in range(partitions))
            for name, partitions in topics.items()
        )
        answer = self.ask(LIST_OFFSETS, struct.pack(">i", -1) + array(wanted))

        def partition():
            _, error, _, offset = (answer.take(form) for form in "ihqq")
            return error, offset

        sums, problem = {}, None
        for name, partitions in answer.array(lambda: (answer.string(), answer.array(partition))):
            errors = [error for error, _ in partitions if error]
            if errors:
                problem = (name, errors[0])
            sums[name] = sum(offset for _, offset in partitions)
        return sums, problem


def read_exactly(connection, length):
    """Bytes from a socket."""
    parts = []
    while length > 0:
        part = connection.recv(min(length, 1 << 20))
        if not part:
            raise Trouble("Kafka closed the connection instead of answering")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)

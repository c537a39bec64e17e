"""The wire client against a fake broker that answers with what it is given."""

import socket
import struct
import threading
import unittest

from comparison import kafka_wire
from comparison.kafka_wire import KafkaWire, array, string
from comparison.trouble import Trouble


class FakeBroker:
    """Answers one request for each answer, and keeps the requests."""

    def __init__(self, *answers):
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, args=(answers,), daemon=True)
        self.thread.start()

    def serve(self, answers):
        for answer in answers:
            connection, _ = self.listener.accept()
            with connection:
                (length,) = struct.unpack(">i", kafka_wire.read_exactly(connection, 4))
                self.requests.append(kafka_wire.read_exactly(connection, length))
                frame = struct.pack(">i", 1) + answer
                connection.sendall(struct.pack(">i", len(frame)) + frame)

    def close(self):
        self.thread.join(10)
        self.listener.close()


def ends(*partitions):
    """An answer to ListOffsets 1 for topic t: (error, offset) of each partition."""
    rows = (struct.pack(">ihqq", i, *(error, -1, at)) for i, (error, at) in enumerate(partitions))
    return array([string("t") + array(rows)])


class EndOffsets(unittest.TestCase):
    def ask(self, *answers):
        broker = FakeBroker(*answers)
        self.addCleanup(broker.close)
        return KafkaWire(broker.port).end_offsets({"t": 2}), broker.requests

    def test_sums_partitions(self):
        found, requests = self.ask(ends((0, 5), (0, 7)))
        self.assertEqual(found, {"t": 12})
        self.assertEqual(requests[0][:4], b"\x00\x02\x00\x01")
        self.assertTrue(requests[0].endswith(struct.pack(">iq", 1, -1)))

    def test_asks_again_while_there_is_no_leader(self):
        found, requests = self.ask(ends((0, 5), (5, -1)), ends((0, 5), (0, 1)))
        self.assertEqual((found, len(requests)), ({"t": 6}, 2))

    def test_other_errors_are_trouble(self):
        with self.assertRaisesRegex(Trouble, "topic t: error 29"):
            self.ask(ends((0, 5), (29, -1)))


class Topics(unittest.TestCase):
    def test_a_refused_topic_is_trouble(self):
        answer = struct.pack(">i", 0) + array([string("t") + struct.pack(">h", 37) + string("no")])
        broker = FakeBroker(answer)
        self.addCleanup(broker.close)
        with self.assertRaisesRegex(Trouble, "cannot create topic t: error 37, no"):
            KafkaWire(broker.port).create_topics({"t": 0})

    def test_deleting_what_is_not_there(self):
        broker = FakeBroker(struct.pack(">i", 0) + array([string("t") + struct.pack(">h", 3)]))
        self.addCleanup(broker.close)
        KafkaWire(broker.port).delete_topics(["t"])
        self.assertTrue(broker.requests[0].endswith(string("t") + struct.pack(">i", 60_000)))


if __name__ == "__main__":
    unittest.main()

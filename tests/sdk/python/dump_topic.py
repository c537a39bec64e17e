"""Writes every record of a Kafka topic to stdout, read by librdkafka.

Per record: partition (4 bytes), offset (8), timestamp (8), then key and value,
each with its length (4; -1 for null) before it; all big-endian. Records come in
the order of each partition, partitions mixed. Reads up to the high watermarks
as they are at the start, records of unfinished transactions included.
"""

import argparse
import struct
import sys
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

FIXED = struct.Struct(">iqq")
LENGTH = struct.Struct(">i")


def field(data):
    return LENGTH.pack(-1) if data is None else LENGTH.pack(len(data)) + data


def watermarks(consumer, topic, patience):
    """The first and the next offset by partition; brokers may just have started."""
    deadline = time.monotonic() + patience
    while True:
        try:
            found = consumer.list_topics(topic, timeout=10).topics[topic]
            if found.error is not None:
                raise RuntimeError(found.error)
            return {
                index: consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=10)
                for index in found.partitions
            }
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--patience", type=float, default=120, help="seconds without progress")
    args = parser.parse_args()

    consumer = Consumer(
        {
            "bootstrap.servers": args.bootstrap,
            "group.id": "forebay-dump",  # required, never used: partitions are assigned
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted",
            "check.crcs": True,
        }
    )
    ranges = watermarks(consumer, args.topic, args.patience)
    open_ends = {index: end for index, (first, end) in ranges.items() if first < end}
    consumer.assign(
        [TopicPartition(args.topic, index, ranges[index][0]) for index in open_ends]
    )

    out = sys.stdout.buffer
    progress = time.monotonic()
    while open_ends:
        for message in consumer.consume(num_messages=5000, timeout=1):
            error = message.error()
            if error is None:
                progress = time.monotonic()
                partition, offset = message.partition(), message.offset()
                if offset < ranges[partition][1]:
                    out.write(FIXED.pack(partition, offset, message.timestamp()[1]))
                    out.write(field(message.key()))
                    out.write(field(message.value()))
                if offset + 1 >= ranges[partition][1]:
                    open_ends.pop(partition, None)
            elif error.code() == KafkaError._PARTITION_EOF:
                # The last offsets may hold no record: compacted, or a control record.
                if message.offset() >= ranges[message.partition()][1]:
                    open_ends.pop(message.partition(), None)
            elif error.fatal() or not error.retriable():
                if error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                    sys.exit(f"cannot read {args.topic}: {error}")
        if time.monotonic() - progress > args.patience:
            sys.exit(f"no progress for {args.patience} s; partitions left: {sorted(open_ends)}")
    out.flush()
    consumer.close()


if __name__ == "__main__":
    main()

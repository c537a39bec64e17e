"""Writes records to partition 0 of a Kafka topic by librdkafka.

With each codec in turn, then in transactions, of which one is aborted. Prints
one line of JSON per record: {"offset", "key", "value"}, null for null, base64
of the bytes else.
"""

import argparse
import base64
import json

from confluent_kafka import Producer

PATIENCE = 120  # seconds


def shown(data):
    return None if data is None else base64.b64encode(data).decode()


def write(producer, topic, label, count):
    def delivered(error, message):
        if error is not None:
            raise RuntimeError(error)
        line = {
            "offset": message.offset(),
            "key": shown(message.key()),
            "value": shown(message.value()),
        }
        print(json.dumps(line), flush=True)

    for n in range(count):
        key = None if n % 3 == 0 else f"{label}-{n}".encode()
        value = None if n % 4 == 3 else f"{label}/{n};".encode() * n
        if n % 10 == 5:
            value = b"\xff\x00" + bytes([n])  # no UTF-8
        headers = [("n", str(n).encode()), ("none", None)] if n % 2 else None
        producer.produce(
            topic, value=value, key=key, partition=0, headers=headers, on_delivery=delivered
        )
    left = producer.flush(PATIENCE)
    if left:
        raise RuntimeError(f"{left} records are not written")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    args = parser.parse_args()

    # So that batches hold many records.
    settings = {"bootstrap.servers": args.bootstrap, "linger.ms": 50}
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        producer = Producer({**settings, "compression.type": codec})
        write(producer, args.topic, codec, 40)

    producer = Producer({**settings, "transactional.id": f"{args.topic}-python"})
    producer.init_transactions(PATIENCE)
    for label, count, end in [
        ("committed", 5, producer.commit_transaction),
        ("aborted", 3, producer.abort_transaction),
        ("last", 1, producer.commit_transaction),
    ]:
        producer.begin_transaction()
        write(producer, args.topic, label, count)
        end(PATIENCE)


if __name__ == "__main__":
    main()

"""One measurement: fresh topics, a fresh process, load, and the count of both."""

import sys

from .child_process import cpu_seconds, memory_bytes
from .gateways import FOREBAY_MEMORY_LIMIT
from .load import figures
from .trouble import Trouble

MIB = 1 << 20


def say(text):
    """Progress, for who looks on."""
    print(text, file=sys.stderr, flush=True)


def rss_limit(connections):
    """What Forebay may take at most, as it promises."""
    return FOREBAY_MEMORY_LIMIT + 64 * MIB + (connections * 16 << 10)


class Bench:
    """All that a measurement needs, and the results so far."""

    def __init__(self, options, kafka, generator, gateways):
        self.options, self.kafka = options, kafka
        self.generator, self.gateways = generator, gateways
        self.runs = []

    def measure(self, case, name, messages, turn, topics, rate=None, idle=0, tasks=None,
                shape=None, warmups=1):  # fmt: skip
        """Measures one gateway once, after so many times the usual warm-up."""
        gateway, options = self.gateways[name], self.options
        start = {"tasks": tasks} if tasks else {}
        self.kafka.fresh_topics(topics)
        try:
            gateway.start(topics, messages, **start)
            before, broker = self.look(topics)
            report = self.generator.run(
                gateway, messages, options.seconds, options.warmup * warmups, rate, idle
            )
            ends, broker_after = self.look(topics)
            run = figures(report)
            run["rss_after_bytes"] = memory_bytes(gateway.child.pid)
            run["rss_max_bytes"] = memory_bytes(gateway.child.pid, "VmHWM")
        finally:
            gateway.stop()
        run["rss_limit_bytes"] = rss_limit(options.connections + idle)
        self.judge_growth(name, run, ends - before, broker_after - broker)
        self.note(case, name, messages, turn, run, shape)

    def measure_embedded(self, messages, turn, topics):
        """Measures librdkafka once."""
        (topic,) = topics
        self.kafka.fresh_topics(topics)
        before, broker = self.look(topics)
        options = self.options
        run = self.gateways["librdkafka"].measure(
            topic, options.seconds, options.warmup, options.connections, messages
        )
        ends, broker_after = self.look(topics)
        run["acknowledged_in_all"], run["unknown_in_all"] = run.pop("delivered_in_all"), 0
        self.judge_growth("librdkafka", run, ends - before, broker_after - broker)
        self.note("closed", "librdkafka", messages, turn, run)

    def look(self, topics):
        """Sum of the end offsets, and Kafka's CPU time, by now."""
        return sum(self.kafka.wire.end_offsets(topics).values()), cpu_seconds(self.kafka.child.pid)

    @staticmethod
    def judge_growth(name, run, growth, broker_seconds):
        """Whether Kafka has what was acknowledged: all of it, and nothing else."""
        acknowledged = run["acknowledged_in_all"]
        run["topic_growth"] = growth
        if name == "bare":
            # It discards what it gets.
            if growth:
                raise Trouble(f"the topics grew by {growth} while bare-actix was measured")
            return
        if not acknowledged <= growth <= acknowledged + run["unknown_in_all"]:
            raise Trouble(
                f"{name} acknowledged {acknowledged} messages ({run['unknown_in_all']} unknown), "
                f"but the topics grew by {growth}"
            )
        if not acknowledged:
            raise Trouble(f"{name} acknowledged nothing")
        run["kafka_cpu_us_per_message"] = broker_seconds * 1e6 / growth

    def note(self, case, name, messages, turn, run, shape=None):
        """Keeps a result and says it."""
        key = {"case": case, "gateway": name, "messages": messages, "round": turn}
        if shape:
            key["shape"] = shape
        self.runs.append({**key, **run})
        size = "as many as it takes" if messages is None else f"{messages} per request"
        latency = f", p50 {run['p50_ms']:.2f} p99 {run['p99_ms']:.2f} ms" if "p50_ms" in run else ""
        say(
            f"  {case} {turn + 1}/{self.options.rounds} {shape or ''}{' ' if shape else ''}{name}, "
            f"{size}: {run['cpu_us_per_message']:.2f} µs CPU per message, "
            f"{run['messages_per_second']:,.0f} messages/s{latency}"
        )
        for warning in run.get("warnings", ()):
            say(f"    warning: {warning}")

"""What is measured, in which order."""

from statistics import median

from .measuring import say

PARTITIONS = 8
# Messages per request of the runs before the first.
WARM_UP_MESSAGES = (100, 1, 1)
# Of Forebay's highest rate: what it can take without a queue that only grows.
EQUAL_SHARE = 0.8
# For scale: this many topics of 8 partitions, or one of all of them.
WIDE = 1000
# Every partition has to have been written to once before that counts.
SCALE_WARMUPS = 5
IDLE_CONNECTIONS = 10_000
SHAPES = {
    "8 partitions, 1 task": ({"scale-base": PARTITIONS}, 1),
    "1,000 partitions in 125 topics, 1,000 tasks": (
        {f"scale-{number}": PARTITIONS for number in range(WIDE // PARTITIONS)},
        WIDE,
    ),
    "1,000 partitions in one topic, 1,000 tasks": ({"scale-wide": WIDE}, WIDE),
}
BASE_SHAPE = next(iter(SHAPES))


def topic_of(name):
    """Each gateway has a topic of its own."""
    return {f"compare-{name}": PARTITIONS}


def rounds_of(bench):
    """Rounds, of which every second one goes the other way round: drift of the
    machine hits all alike."""
    for turn in range(bench.options.rounds):
        yield turn, -1 if turn % 2 else 1


def warm_up(bench):
    """Kafka's JVM compiles what it runs often; that is not to be measured. Small
    batches take another way through it than large ones, and more of it: without
    a warm-up of their own their first run sees a Kafka of half the speed."""
    writers = [name for name in bench.gateways if name != "bare"]
    if not writers:
        return
    say("warming up Kafka")
    for messages in WARM_UP_MESSAGES:
        if writers[0] == "librdkafka":
            bench.measure_embedded(messages, 0, topic_of("librdkafka"))
        else:
            bench.measure("warm-up", writers[0], messages, 0, topic_of(writers[0]))
    bench.runs.clear()


def closed(bench):
    """As fast as 64 connections are answered."""
    for turn, way in rounds_of(bench):
        for messages in bench.options.messages:
            for name in list(bench.gateways)[::way]:
                if name == "librdkafka":
                    bench.measure_embedded(messages, turn, topic_of(name))
                else:
                    bench.measure("closed", name, messages, turn, topic_of(name))
        if "librdkafka" in bench.gateways:
            bench.measure_embedded(None, turn, topic_of("librdkafka"))


def open_rate(bench, whose, share, messages):
    """Requests a second of an open loop; None if that gateway's highest rate is not known."""
    if bench.options.open_rate:
        return bench.options.open_rate / messages
    reached = [
        run["requests_per_second"]
        for run in bench.runs
        if (run["case"], run["gateway"], run["messages"]) == ("closed", whose, messages)
    ]
    return median(reached) * share if reached else None


def at_a_rate(bench, case, pair, whose, share):
    """Two gateways in an open loop at a share of the highest rate of one of them."""
    names = [name for name in pair if name in bench.gateways]
    for turn, way in rounds_of(bench):
        for messages in bench.options.messages:
            rate = open_rate(bench, whose, share, messages)
            if not rate:
                say(f"  {case} left out: needs the closed case of {whose}, or --open-rate")
                return
            for name in names[::way]:
                bench.measure(case, name, messages, turn, topic_of(name), rate=rate)


def equal(bench):
    """What a request costs each when both get as many. In the closed case the
    bare server gets more, and takes several at each wake-up."""
    at_a_rate(bench, "equal", ("forebay", "bare"), "forebay", EQUAL_SHARE)


def open_loop(bench):
    """At half of Bento's highest rate, latencies from when requests were due."""
    at_a_rate(bench, "open", ("forebay", "bento"), "bento", 0.5)


def scale(bench):
    """Many partitions and tasks against few. Forebay only."""
    if "forebay" not in bench.gateways:
        return
    for turn, way in rounds_of(bench):
        for messages in bench.options.messages:
            for shape in list(SHAPES)[::way]:
                topics, tasks = SHAPES[shape]
                bench.measure("scale", "forebay", messages, turn, topics, tasks=tasks,
                              shape=shape, warmups=SCALE_WARMUPS)  # fmt: skip


def idle(bench):
    """Connections that do nothing, beside the load. Forebay only."""
    if "forebay" in bench.gateways:
        messages = bench.options.messages[0]
        bench.measure("idle", "forebay", messages, 0, topic_of("forebay"), idle=IDLE_CONNECTIONS)


CASES = {"closed": closed, "equal": equal, "open": open_loop, "scale": scale, "idle": idle}


def run_all(bench):
    """All chosen cases."""
    warm_up(bench)
    for case in bench.options.cases:
        say(f"case {case}")
        CASES[case](bench)

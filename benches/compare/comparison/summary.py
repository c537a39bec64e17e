"""What the runs come to: medians over the rounds, and the targets."""

from statistics import median

from .cases import BASE_SHAPE, IDLE_CONNECTIONS

MIB = 1 << 20

# CPU of Forebay per message against that of others, by messages per request.
AGAINST_BARE = {1: 1.4, 10: 1.8, 100: 4.8}
AGAINST_BENTO = {1: 1 / 4, 10: 1 / 6, 100: 1 / 12}
RATE_AGAINST_BENTO = {100: 6.0}
SCALE = 1.3
RSS_AT_REST = 64 * MIB


class Summary:
    """Looks at runs by what they measured."""

    def __init__(self, runs):
        self.runs = runs

    def of(self, case, gateway, messages=..., shape=...):
        """The runs of one cell, one per round."""
        return [
            run
            for run in self.runs
            if run["case"] == case
            and run["gateway"] == gateway
            and (messages is ... or run["messages"] == messages)
            and (shape is ... or run.get("shape") == shape)
        ]

    def values(self, field, case, gateway, messages=..., shape=...):
        """A figure of each round."""
        runs = self.of(case, gateway, messages, shape)
        return [run[field] for run in runs if run.get(field) is not None]

    def median(self, *cell, **named):
        """Its median, or None."""
        values = self.values(*cell, **named)
        return median(values) if values else None

    def ratio(self, field, case, over, under, messages):
        """Median of one gateway by that of another, or None."""
        above = self.median(field, case, over, messages)
        below = self.median(field, case, under, messages)
        return above / below if above and below else None


def target(name, value, limit, unit="", at_least=False):
    """A target and whether it was met; `None` values are not measured."""
    if value is None:
        return []
    met = value >= limit if at_least else value <= limit
    relation = "≥" if at_least else "≤"
    return [{"name": name, "value": value, "relation": relation, "limit": limit,
             "unit": unit, "met": met}]  # fmt: skip


def targets(runs):
    """All targets that these runs can say something about."""
    summary = Summary(runs)
    found = []
    for other, limits in (("bare", AGAINST_BARE), ("bento", AGAINST_BENTO)):
        for messages, limit in limits.items():
            ratio = summary.ratio("cpu_us_per_message", "closed", "forebay", other, messages)
            found += target(
                f"CPU per message against {TITLES[other]}, {messages} per request",
                ratio, limit, "×",
            )  # fmt: skip
    for messages, limit in RATE_AGAINST_BENTO.items():
        ratio = summary.ratio("messages_per_second", "closed", "forebay", "bento", messages)
        name = f"messages/s against Bento, {messages} per request"
        found += target(name, ratio, limit, "×", at_least=True)
    found += equal_targets(summary)
    found += open_targets(summary)
    found += scale_targets(summary)
    return found + memory_targets(summary) + idle_targets(summary)


def equal_targets(summary):
    """The limits against the bare server, when it gets no more requests."""
    found = []
    for messages, limit in AGAINST_BARE.items():
        ratio = summary.ratio("cpu_us_per_message", "equal", "forebay", "bare", messages)
        name = f"CPU per message against bare actix-web at an equal rate, {messages} per request"
        found += target(name, ratio, limit, "×")
    return found


def open_targets(summary):
    """Latency below Bento's."""
    found = []
    for messages in AGAINST_BENTO:
        for field, name in (("p50_ms", "p50"), ("p99_ms", "p99")):
            ours = summary.median(field, "open", "forebay", messages)
            theirs = summary.median(field, "open", "bento", messages)
            if ours is not None and theirs is not None:
                title = f"{name} at half of Bento's highest rate, {messages} per request"
                found += target(title, ours, theirs, "ms")
    return found


def scale_targets(summary):
    """Many partitions and tasks against few."""
    found = []
    shapes = sorted({run["shape"] for run in summary.runs if run.get("shape")} - {BASE_SHAPE})
    for messages in AGAINST_BARE:
        base = summary.median("cpu_us_per_message", "scale", "forebay", messages, BASE_SHAPE)
        for shape in shapes:
            cost = summary.median("cpu_us_per_message", "scale", "forebay", messages, shape)
            ratio = cost / base if cost and base else None
            name = f"CPU per message, {shape}, against {BASE_SHAPE}, {messages} per request"
            found += target(name, ratio, SCALE, "×")
    return found


def memory_targets(summary):
    """Resident memory, at its worst over all runs."""
    ours = [run for run in summary.runs if run["gateway"] == "forebay"]
    if not ours:
        return []
    few = [run for run in ours if run.get("shape") in (None, BASE_SHAPE)]
    at_rest = max(run["rss_start_bytes"] for run in few or ours)
    worst = max(ours, key=lambda run: run["rss_max_bytes"] / run["rss_limit_bytes"])
    name = "RSS at its highest, against memory limit + 64 MiB + 16 KiB per connection"
    return [
        *target("RSS at rest", at_rest / MIB, RSS_AT_REST / MIB, "MiB"),
        *target(name, worst["rss_max_bytes"] / MIB, worst["rss_limit_bytes"] / MIB, "MiB"),
    ]


def idle_targets(summary):
    """Idle connections that were still open at the end."""
    held = [run["idle"]["open"] for run in summary.of("idle", "forebay")]
    name = "idle connections held beside the load"
    return target(name, min(held), IDLE_CONNECTIONS, at_least=True) if held else []


TITLES = {
    "forebay": "Forebay",
    "bare": "bare actix-web",
    "bento": "Bento",
    "librdkafka": "embedded librdkafka",
}

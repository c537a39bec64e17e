"""The results as Markdown, and their place in a page."""

from .cases import BASE_SHAPE, EQUAL_SHARE
from .summary import MIB, TITLES, Summary

BEGIN = "<!-- results: begin (written by benches/compare/run, not by hand) -->"
END = "<!-- results: end -->"
ORDER = tuple(TITLES)


def number(value):
    """Three digits that count, with separators."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 or value == 0 else f"{value:.1e}"


def both(values):
    """A figure with its range over the rounds."""
    if not values:
        return "–"
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} – {high}"


def table(head, rows):
    """A Markdown table; the first column is text, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def markdown(results):
    """Everything between the markers."""
    summary = Summary(results["runs"])
    parts = [about(results), targets_table(results["targets"])]
    parts += [closed_table(summary), equal_table(summary), open_table(summary)]
    parts += [scale_table(summary), memory_table(summary), plots_text(results["plots"])]
    return "\n\n".join(part for part in parts if part)


def about(results):
    """When, where, with what."""
    machine, options = results["machine"], results["options"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        f"Measured on {results['date']} with `{results['command']}`: {options['rounds']} rounds "
        f"of {options['seconds']:g} s after {options['warmup']:g} s of warm-up, "
        f"{options['connections']} connections, 16-byte keys, 200-byte values, 8 partitions.",
        f"Machine: {machine['cores']} cores of {machine['cpu_model']}, {machine['memory_gib']:g} GiB, "
        f"{machine['kernel']}; load average before {machine['load_average_before']}, "
        f"{machine['stolen_share']:.1%} of the time stolen by other guests of the host.",
        f"Versions: {versions}.",
    ]
    return "\n\n".join(lines)


def targets_table(targets):
    """Each target, and whether it was met."""
    if not targets:
        return ""
    rows = []
    for one in targets:
        limit = f"{one['relation']} {number(one['limit'])} {one['unit']}".strip()
        value = f"{number(one['value'])} {one['unit']}".strip()
        rows.append([one["name"], value, limit, "met" if one["met"] else "**missed**"])
    return "### Targets\n\n" + table(["target", "measured", "limit", ""], rows)


def closed_table(summary):
    """As fast as answers come."""
    rows = []
    sizes = sorted({run["messages"] for run in summary.runs
                    if run["case"] == "closed" and run["messages"]})  # fmt: skip
    for size in [*sizes, None]:
        for name in ORDER:
            cell = ("closed", name, size)
            if not summary.of(*cell):
                continue
            rows.append([
                f"{'no limit' if size is None else size}, {TITLES[name]}",
                both(summary.values("cpu_us_per_message", *cell)),
                both(summary.values("messages_per_second", *cell)),
                both(summary.values("p50_ms", *cell)),
                both(summary.values("p99_ms", *cell)),
                both(summary.values("kafka_cpu_us_per_message", *cell)),
            ])  # fmt: skip
    head = ["messages per request", "CPU µs/message", "messages/s", "p50 ms", "p99 ms",
            "Kafka's CPU µs/message"]  # fmt: skip
    title = "### Closed loop\n\nLowest and highest of the rounds.\n\n"
    return title + table(head, rows) if rows else ""


def equal_table(summary):
    """What a request costs at the same rate."""
    share = f"{EQUAL_SHARE:.0%} of Forebay's highest rate"
    return rate_table(summary, "equal", f"### Forebay and the bare server at {share}")


def open_table(summary):
    """Latencies from when requests were due."""
    return rate_table(summary, "open", "### Open loop at half of Bento's highest rate")


def rate_table(summary, case, title):
    """The runs of a case in which requests come at a rate."""
    rows = []
    for size in sorted({run["messages"] for run in summary.runs if run["case"] == case}):
        for name in ORDER:
            cell = (case, name, size)
            if summary.of(*cell):
                rows.append([
                    f"{size}, {TITLES[name]}",
                    both(summary.values("rate", *cell)),
                    both(summary.values("p50_ms", *cell)),
                    both(summary.values("p99_ms", *cell)),
                    both(summary.values("cpu_us_per_message", *cell)),
                    str(sum(summary.values("not_sent", *cell))),
                ])  # fmt: skip
    head = ["messages per request", "requests/s", "p50 ms", "p99 ms", "CPU µs/message", "not sent"]
    return title + "\n\n" + table(head, rows) if rows else ""


def scale_table(summary):
    """Many partitions and tasks."""
    shapes = list(dict.fromkeys(run["shape"] for run in summary.runs if run.get("shape")))
    shapes.sort(key=lambda shape: (shape != BASE_SHAPE, shape))
    rows = []
    for size in sorted({run["messages"] for run in summary.runs if run.get("shape")}):
        for shape in shapes:
            cell = ("scale", "forebay", size, shape)
            rows.append([
                f"{size}, {shape}",
                both(summary.values("cpu_us_per_message", *cell)),
                both(summary.values("messages_per_second", *cell)),
                both([value / MIB for value in summary.values("rss_max_bytes", *cell)]),
            ])  # fmt: skip
    head = ["messages per request", "CPU µs/message", "messages/s", "RSS MiB"]
    return "### Scale, Forebay\n\n" + table(head, rows) if rows else ""


def memory_table(summary):
    """Resident memory of the gateways."""
    rows = []
    for name in ORDER:
        for case in ("closed", "idle"):
            if not summary.values("rss_start_bytes", case, name):
                continue
            title = f"{TITLES[name]}{', with 10,000 idle connections' if case == 'idle' else ''}"
            fields = ("rss_start_bytes", "rss_max_bytes", "rss_after_bytes")
            values = [max(summary.values(field, case, name)) / MIB for field in fields]
            rows.append([title, *map(number, values)])
    head = ["RSS MiB, worst of all runs", "before the load", "at its highest", "just after"]
    return "### Memory\n\n" + table(head, rows) if rows else ""


def plots_text(plots):
    """The plots."""
    return "\n\n".join(f"![{title}]({name})" for name, title in plots.items())


def put_into_page(page, text):
    """The page with `text` between its markers; an empty page becomes one."""
    block = f"{BEGIN}\n\n{text}\n\n{END}"
    if BEGIN in page and END in page:
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        return before + block + after
    return (page.rstrip() + "\n\n" if page.strip() else "") + block + "\n"

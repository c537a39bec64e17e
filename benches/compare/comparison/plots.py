"""Which plots there are."""

from . import svg
from .summary import TITLES, Summary


def panels_of(summary, field, names):
    """A panel for each size, a bar for each gateway."""
    panels = []
    sizes = sorted({run["messages"] for run in summary.runs
                    if run["case"] == "closed" and run["messages"]})  # fmt: skip
    for size in sizes:
        entries = [
            (name, TITLES[name], summary.median(field, "closed", name, size))
            for name in names
            if summary.of("closed", name, size)
        ]
        if entries:
            panels.append((f"{size} message{'s' if size > 1 else ''} per request", entries))
    return panels


def latency_panels(summary):
    """A panel for each size, a curve for each gateway: of its round with the
    lower p99, since a curve of medians would be nobody's."""
    panels = []
    for size in sorted({run["messages"] for run in summary.runs if run["case"] == "open"}):
        lines, rate = [], 0
        for name in TITLES:
            runs = [run for run in summary.of("open", name, size) if run["percentiles"]]
            if runs:
                best = min(runs, key=lambda run: run["p99_ms"])
                rate = best["rate"]
                points = [(point["percentile"], point["ms"]) for point in best["percentiles"]]
                lines.append((name, TITLES[name], points))
        if lines:
            panels.append((f"{size} per request, {rate:,.0f} requests/s", lines))
    return panels


def draw(runs):
    """{file name: (title, SVG)}"""
    summary = Summary(runs)
    drawn = {}
    cpu = panels_of(summary, "cpu_us_per_message", TITLES)
    if cpu:
        title = "CPU of the process per acknowledged message, 64 connections"
        drawn["cpu.svg"] = (title, svg.bars(title, cpu, "µs"))
    # What discards messages acknowledges none; its rate would mislead.
    rate = panels_of(summary, "messages_per_second", [name for name in TITLES if name != "bare"])
    if rate:
        title = "Acknowledged messages per second, all on one machine"
        drawn["rate.svg"] = (title, svg.bars(title, rate, "/s"))
    latency = latency_panels(summary)
    if latency:
        title = "Latency from when a request was due, at half of Bento's highest rate"
        drawn["latency.svg"] = (title, svg.curves(title, latency))
    return drawn

"""From runs to targets, page and plots."""

import unittest
import xml.dom.minidom

from comparison import plots, tables
from comparison.cases import SHAPES
from comparison.summary import targets


def run(case, gateway, messages, cpu, **more):
    """A run as measuring.py notes it."""
    mib = 1 << 20
    base = {
        "case": case, "gateway": gateway, "messages": messages, "round": 0,
        "cpu_us_per_message": cpu, "messages_per_second": 1e6 / cpu,
        "requests_per_second": 1e6 / cpu / (messages or 1), "p50_ms": 1.0, "p99_ms": 2.0,
        "rss_start_bytes": 10 * mib, "rss_max_bytes": 50 * mib, "rss_after_bytes": 40 * mib,
        "rss_limit_bytes": 321 * mib, "kafka_cpu_us_per_message": 1.0,
    }  # fmt: skip
    return {**base, **more}


POINTS = [{"percentile": p, "ms": ms} for p, ms in ((0, 0.5), (50, 1), (90, 2), (99.9, 30))]
RUNS = [
    run("closed", "forebay", 1, 12.0),
    run("closed", "forebay", 1, 14.0, round=1),
    run("closed", "bare", 1, 10.0),
    run("closed", "bento", 1, 50.0),
    run("closed", "librdkafka", None, 0.7),
    run("equal", "forebay", 1, 15.0, rate=800.0, not_sent=0),
    run("equal", "bare", 1, 12.0, rate=800.0, not_sent=0),
    run("open", "forebay", 1, 14.0, rate=1000.0, not_sent=0, percentiles=POINTS),
    run("open", "bento", 1, 60.0, rate=1000.0, not_sent=0, percentiles=POINTS, p99_ms=1.0),
    *(run("scale", "forebay", 1, 10.0 + n, shape=shape) for n, shape in enumerate(SHAPES)),
    run("idle", "forebay", 1, 15.0, idle={"asked": 10_000, "open": 9_999}),
]
RESULTS = {
    "date": "2026-01-02", "command": "benches/compare/run", "targets": targets(RUNS),
    "machine": {"cores": 2, "cpu_model": "x", "memory_gib": 4.0, "kernel": "Linux 6",
                "load_average_before": 0.1, "stolen_share": 0.0},
    "versions": {"Bento": "v1.10.0"}, "plots": {"cpu.svg": "CPU"}, "runs": RUNS,
    "options": {"rounds": 2, "seconds": 10.0, "warmup": 2.0, "connections": 64},
}  # fmt: skip


class Targets(unittest.TestCase):
    def found(self, part):
        (one,) = [target for target in RESULTS["targets"] if part in target["name"]]
        return one

    def test_ratios_are_of_medians(self):
        against_bare = self.found("bare actix-web, 1 per request")
        self.assertAlmostEqual(against_bare["value"], 1.3)
        self.assertTrue(against_bare["met"])
        against_bento = self.found("per message against Bento, 1 per request")
        self.assertAlmostEqual(against_bento["value"], 0.26)
        self.assertFalse(against_bento["met"])

    def test_the_bare_server_at_an_equal_rate(self):
        equal = self.found("at an equal rate")
        self.assertAlmostEqual(equal["value"], 1.25)
        self.assertTrue(equal["met"])

    def test_latency_scale_memory_idle(self):
        self.assertTrue(self.found("p50")["met"])
        self.assertFalse(self.found("p99")["met"])
        scale = [target["value"] for target in RESULTS["targets"] if "1,000 tasks" in target["name"]]
        self.assertEqual(sorted(scale), [1.1, 1.2])
        self.assertEqual(self.found("at rest")["value"], 10)
        self.assertFalse(self.found("idle")["met"])

    def test_what_was_not_measured_is_no_target(self):
        names = [target["name"] for target in targets(RUNS[:3])]
        self.assertFalse([name for name in names if "Bento" in name or "idle" in name])


class Page(unittest.TestCase):
    def test_only_the_region_changes(self):
        page = f"# Top\n\n{tables.BEGIN}\nold\n{tables.END}\n\nafter\n"
        new = tables.put_into_page(page, "new")
        self.assertEqual(new, f"# Top\n\n{tables.BEGIN}\n\nnew\n\n{tables.END}\n\nafter\n")
        self.assertEqual(tables.put_into_page(new, "new"), new)
        self.assertIn("new", tables.put_into_page("", "new"))

    def test_every_row_has_every_column(self):
        text = tables.markdown(RESULTS)
        for title in ("Targets", "Closed loop", "Open loop", "Scale", "Memory"):
            self.assertIn(f"### {title}", text)
        self.assertIn("| no limit, embedded librdkafka | 0.7 |", text)
        self.assertIn("| 1, Forebay | 12 – 14 |", text)
        columns = None
        for line in text.splitlines():
            if not line.startswith("|"):
                columns = None
                continue
            columns = columns or line.count("|")
            self.assertEqual(line.count("|"), columns, line)


class Plots(unittest.TestCase):
    def test_each_is_well_formed(self):
        drawn = plots.draw(RUNS)
        self.assertEqual(list(drawn), ["cpu.svg", "rate.svg", "latency.svg"])
        for title, picture in drawn.values():
            document = xml.dom.minidom.parseString(picture)
            self.assertEqual(document.documentElement.tagName, "svg")
            (written,) = document.getElementsByTagName("title")
            self.assertEqual(written.firstChild.data, title)
        self.assertNotIn("bare", drawn["rate.svg"][1])

    def test_nothing_measured_draws_nothing(self):
        self.assertEqual(plots.draw([]), {})


if __name__ == "__main__":
    unittest.main()

"""One run of the load generator, and what it says."""

import json
import subprocess

from .child_process import tail
from .trouble import Trouble

# Beyond the measured time: connecting, a slow start, the last answers.
PATIENCE_SECONDS = 180
# Points of the latency plots that are kept in the results.
PERCENTILE_POINTS = 60


class LoadGenerator:
    """forebay-load with what is common to all runs."""

    def __init__(self, program, folder, connections):
        self.program, self.folder, self.connections = program, folder, connections

    def run(self, gateway, messages, seconds, warmup, rate=None, idle=0):
        """Puts load on a gateway that runs: the generator's report."""
        report = self.folder / "load.json"
        report.unlink(missing_ok=True)
        command = [
            self.program, *gateway.load_options(), "--connections", self.connections,
            "--messages", messages, "--value-bytes", 200, "--key-bytes", 16,
            "--duration", f"{seconds}s", "--warmup", f"{warmup}s",
            "--pid", gateway.child.pid, "--json", report,
        ]  # fmt: skip
        if rate:
            command += ["--rate", f"{rate:.3f}"]
        if idle:
            command += ["--idle", idle]
        try:
            done = subprocess.run(
                [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True,
                text=True, check=False, timeout=seconds + warmup + PATIENCE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Trouble(f"the load on {gateway.name} does not end") from None
        gateway.child.must_run()
        said = tail(done.stdout + done.stderr, 40)
        if done.returncode or not report.exists():
            raise Trouble(f"the load on {gateway.name} failed:\n{said}")
        return json.loads(report.read_text())


def figures(report):
    """What the results keep of the generator's report."""
    measured, gateway, own = report["measured"], report["gateway"], report["own"]
    if measured["failed_requests"]:
        problems = {kind: report["whole_run"][kind] for kind in ("refused", "unknown")}
        raise Trouble(f"{measured['failed_requests']} requests failed: {json.dumps(problems)}")
    if not measured["acknowledged_messages"]:
        raise Trouble(
            f"nothing was acknowledged in the {measured['seconds']:.0f} s that were measured; "
            f"in all {report['whole_run']['acknowledged_messages']} messages were"
        )
    kept = {
        "cpu_us_per_message": gateway["cpu_us_per_message"],
        "cpu_us_per_request": gateway["cpu_us_per_request"],
        "cores": gateway["cores"],
        "messages_per_second": measured["messages_per_second"],
        "requests_per_second": measured["requests_per_second"],
        "p50_ms": measured["latency"]["p50_ms"],
        "p99_ms": measured["latency"]["p99_ms"],
        "max_ms": measured["latency"]["max_ms"],
        "rss_start_bytes": gateway["rss_start_bytes"],
        "acknowledged_in_all": report["whole_run"]["acknowledged_messages"],
        "unknown_in_all": report["whole_run"]["unknown_messages"],
        "generator_us_per_request": own["cpu_us_per_request"],
        "generator_busy": own["busiest_thread"],
        "warnings": report["warnings"],
    }
    if report["mode"] == "open":
        kept["rate"] = measured["schedule"]["rate"]
        kept["not_sent"] = measured["schedule"]["not_sent"]
        kept["percentiles"] = thinned(measured["percentiles"])
    if report["checks"]["idle"]:
        kept["idle"] = report["checks"]["idle"]
    return kept


def thinned(points):
    """Few enough points for a plot, the last one among them."""
    step = max(1, len(points) // PERCENTILE_POINTS)
    return points[::step] + ([] if (len(points) - 1) % step == 0 else points[-1:])

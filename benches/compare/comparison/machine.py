"""What was measured, and on what. No paths, no host names."""

import os
import platform
import re
import subprocess

from .builds import COMPARE, ROOT


def first_line(command, folder=ROOT):
    """What a program says of itself; empty if it says nothing."""
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines() if done.returncode == 0 else []
    return lines[0] if lines else ""


def field(path, name):
    """The value of `name : value` in a file of /proc."""
    with open(path, encoding="utf-8") as file:
        found = re.search(rf"(?m)^{re.escape(name)}\s*:\s*(.*)$", file.read())
    return found[1].strip() if found else ""


def machine():
    """Cores, processor, memory, kernel."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu_model": field("/proc/cpuinfo", "model name"),
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20), 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def versions(programs, kafka):
    """Of all that takes part."""
    found = {
        "Apache Kafka": kafka.version(),
        "Java": first_line(["java", "-version"]),
        "rustc": first_line(["rustc", "-V"]),
        "actix-web": locked("actix-web"),
    }
    if "forebay" in programs:
        commit = first_line(["git", "rev-parse", "--short=12", "HEAD"])
        changed = first_line(["git", "status", "--porcelain", "--", "crates", "Cargo.lock"])
        changes = " with uncommitted changes" if changed else ""
        version = first_line([programs["forebay"], "--version"])
        found["Forebay"] = f"{version.replace('forebay ', '')} ({commit}{changes})"
    if "bento" in programs:
        module = first_line(
            ["go", "list", "-m", "-f", "{{.Version}}", "github.com/warpstreamlabs/bento"],
            COMPARE / "bento",
        )
        found["Bento"] = module
        found["Go"] = first_line(["go", "env", "GOVERSION"])
    if "librdkafka" in programs:
        found["librdkafka"] = first_line([programs["librdkafka"], "--librdkafka-version"])
    return {name: found[name] for name in sorted(found)}


def locked(package):
    """The version of a package in the workspace's Cargo.lock."""
    text = (ROOT / "Cargo.lock").read_text()
    found = re.search(rf'name = "{re.escape(package)}"\nversion = "([^"]+)"', text)
    return found[1] if found else ""


def stolen_share(before, after):
    """Which part of the machine's time went to others on the same host, 0 to 1."""
    passed = [b - a for a, b in zip(before, after)]
    return passed[7] / max(1, sum(passed[:8]))


def cpu_times():
    """The machine's times by kind, in ticks (proc(5))."""
    with open("/proc/stat", encoding="utf-8") as stat:
        return [int(number) for number in stat.readline().split()[1:]]

"""Building everything, below the target folder."""

import os
import shutil
import subprocess
from pathlib import Path

from .measuring import say
from .trouble import Trouble

COMPARE = Path(__file__).resolve().parent.parent
ROOT = COMPARE.parent.parent

TOOLS = {
    "java": "Java 17 or newer, for Apache Kafka",
    "mvn": "Maven, which fetches Apache Kafka",
    "cargo": "Rust from https://rustup.rs",
    "go": "Go 1.24 or newer from https://go.dev, for Bento (leave it out: --only forebay,bare)",
    "cc": "a C compiler, for librdkafka (leave it out: --only forebay,bare)",
    "make": "make, for librdkafka (leave it out: --only forebay,bare)",
}


def target_folder():
    """Where cargo builds; a relative path means seen from the workspace."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def kafka_home():
    """Where tests/kafka/fetch.sh puts Apache Kafka."""
    home = os.environ.get("TESTKIT_KAFKA_HOME")
    return ROOT / home if home else target_folder() / "kafka"


def check_tools(only):
    """Trouble that names all that is missing."""
    wanted = ["java", "cargo"]
    if not (kafka_home() / ".complete").exists():
        wanted.append("mvn")
    if "bento" in only:
        wanted.append("go")
    if "librdkafka" in only:
        wanted += ["cc", "make"]
    missing = [f"{tool}: {TOOLS[tool]}" for tool in wanted if not shutil.which(tool)]
    if missing:
        raise Trouble("not found on PATH:\n  " + "\n  ".join(missing))
    if not Path("/proc/self/stat").exists():
        raise Trouble("CPU times come from /proc, so this runs on Linux only")


def build(what, command, folder=ROOT, **environment):
    """One build, whose output is the user's."""
    say(f"building {what}: {' '.join(map(str, command))}")
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        # Standard output belongs to the report.
        stdout=2,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"building {what} failed with status {done.returncode}")


def build_all(only):
    """Builds what was chosen, load generator included."""
    build("Apache Kafka", [ROOT / "tests/kafka/fetch.sh"])
    cargo = ["cargo", "build", "--release", "--locked"]
    # Apart from the others, so that Forebay is what a plain build makes of it.
    if "forebay" in only:
        build("Forebay", cargo)
    build("the load generator", [*cargo, "-p", "forebay-bench"])
    own = target_folder() / "compare"
    if "bento" in only:
        build("Bento", ["go", "build", "-trimpath", "-o", own / "bento", "."], COMPARE / "bento")
    if "librdkafka" in only:
        folder = COMPARE / "librdkafka"
        build("librdkafka", cargo, folder, CARGO_TARGET_DIR=str(own / "librdkafka"))


def programs(only):
    """{name: program} of what was chosen, load generator included; all have to
    have been built."""
    release, own = target_folder() / "release", target_folder() / "compare"
    places = {
        "forebay": release / "forebay",
        "bare": release / "bare-actix",
        "bento": own / "bento",
        "librdkafka": own / "librdkafka/release/embedded-client",
        "load": release / "forebay-load",
    }
    found = {name: places[name] for name in (*only, "load")}
    missing = [name for name, place in found.items() if not place.exists()]
    if missing:
        raise Trouble(f"not built yet: {', '.join(missing)}; leave out --no-build")
    return found

"""From the command line to the files."""

import contextlib
import datetime
import fcntl
import json
import resource
import shlex
import shutil
import signal
import sys
from pathlib import Path

from . import arguments, builds, machine, plots, tables
from .builds import COMPARE, ROOT, check_tools, kafka_home, target_folder
from .cases import IDLE_CONNECTIONS, run_all
from .gateways import BareActix, Bento, EmbeddedClient, Forebay, write_credentials
from .kafka_node import KafkaNode
from .load import LoadGenerator
from .measuring import Bench, say
from .summary import targets
from .trouble import Trouble

# Files that a process has open besides its connections.
OTHER_FILES = 2000


def main(words):
    """The exit status."""
    options = arguments.parse(words)
    # So that processes are stopped also when we are.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        check_tools(options.only)
        raise_open_files(options)
        with alone():
            results, drawn = measure(options, words)
    except Trouble as trouble:
        say(f"compare: {trouble}")
        return 1
    except KeyboardInterrupt:
        say("compare: interrupted")
        return 130
    folder = Path(options.out) if options.out else default_folder(options)
    write(folder, results, drawn)
    print(tables.markdown(results))
    say(f"written to {folder}")
    missed = [one for one in results["targets"] if not one["met"]]
    return 1 if options.check and missed else 0


def default_folder(options):
    """The project's documents only get what is complete."""
    return ROOT / "docs/benchmarks" if options.whole else target_folder() / "compare/report"


@contextlib.contextmanager
def alone():
    """Two comparisons at once would use the same folder, and measure each other."""
    folder = target_folder() / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Trouble("another comparison is running with the same target folder") from None
        yield


def raise_open_files(options):
    """For us and for what we start: a connection is an open file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wanted = IDLE_CONNECTIONS + OTHER_FILES
    if "idle" in options.cases and "forebay" in options.only and 0 <= most < wanted:
        raise Trouble(
            f"the idle case needs {wanted} open files, the limit is {most}: raise it "
            "(ulimit -Hn), or leave the case out with --cases"
        )


def measure(options, words):
    """Builds, starts Kafka, measures: results and plots."""
    if not options.no_build:
        builds.build_all(options.only)
    programs = builds.programs(options.only)
    folder = target_folder() / "compare/run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    credentials = write_credentials(folder / "credentials.toml")
    about, before = machine.machine(), machine.cpu_times()
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    say("starting Kafka")
    kafka = KafkaNode(kafka_home(), folder / "kafka")
    try:
        generator = LoadGenerator(programs["load"], folder, options.connections)
        gateways = gateways_of(options.only, programs, kafka, folder, credentials)
        bench = Bench(options, kafka, generator, gateways)
        try:
            run_all(bench)
        finally:
            # An hour's measuring is not to be lost to what happens at its end.
            (folder / "runs.json").write_text(json.dumps(bench.runs, indent=1))
        versions = machine.versions(programs, kafka)
    finally:
        kafka.stop()
        if not options.keep:
            shutil.rmtree(folder / "kafka", ignore_errors=True)
    about["stolen_share"] = machine.stolen_share(before, machine.cpu_times())
    drawn = plots.draw(bench.runs)
    kept = ("only", "cases", "messages", "seconds", "warmup", "rounds", "connections")
    results = {
        "date": date,
        "command": shlex.join(["benches/compare/run", *without_folder(words)]),
        "machine": about,
        "versions": versions,
        "options": {name: getattr(options, name) for name in kept},
        "targets": targets(bench.runs),
        "plots": {name: title for name, (title, _) in drawn.items()},
        "runs": bench.runs,
    }
    return results, drawn


def without_folder(words):
    """The command line for the record: a folder of this machine says nothing."""
    kept, words = [], iter(words)
    for word in words:
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return kept


def gateways_of(only, programs, kafka, folder, credentials):
    """What was chosen, in the order of each round."""
    makers = {
        "forebay": lambda: Forebay(
            programs["forebay"], kafka.address, folder / "forebay", credentials
        ),
        "bare": lambda: BareActix(programs["bare"], folder, credentials),
        "bento": lambda: Bento(
            programs["bento"], COMPARE / "bento/bento.yaml", kafka.address, folder
        ),
        "librdkafka": lambda: EmbeddedClient(programs["librdkafka"], kafka.address, folder),
    }
    return {name: makers[name]() for name in only}


def write(folder, results, drawn):
    """Results, page and plots."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n")
    for name, (_, picture) in drawn.items():
        (folder / name).write_text(picture)
    page = folder / "README.md"
    old = page.read_text() if page.exists() else ""
    page.write_text(tables.put_into_page(old, tables.markdown(results)))

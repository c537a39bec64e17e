"""The command line."""

import argparse

GATEWAYS = ("forebay", "bare", "bento", "librdkafka")
CASES = ("closed", "equal", "open", "scale", "idle")
SIZES = (1, 10, 100)

DESCRIPTION = """\
Measures Forebay against a bare actix-web server, Bento and an embedded
librdkafka: CPU of each process per acknowledged message, rates, latencies,
memory. Everything runs on this machine, one after the other, with Apache Kafka.
Takes about half an hour, and a quiet machine for figures worth keeping."""

EPILOG = """\
Cases: closed (64 connections, as fast as they are answered), equal (Forebay and
the bare server at four fifths of Forebay's highest rate), open (Forebay and
Bento at half of Bento's highest rate), scale (1,000 partitions and 1,000 tasks
against 8 and 1), idle (10,000 idle connections beside the load).

Exit status: 0 measured, whether targets were met or not (--check: 1 if not);
1 something failed, or acknowledged messages and Kafka's offsets did not agree;
2 wrong usage."""


def positive(text):
    """A number above 0, for argparse."""
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def count(text):
    """A whole number above 0, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text}")
    return number


def chosen_from(known, kind=str):
    """A comma-separated choice of `known`, for argparse."""

    def parse(text):
        chosen = []
        for part in text.split(","):
            try:
                chosen.append(kind(part))
            except ValueError:
                chosen.append(part)
        for one in chosen:
            if one not in known:
                names = ",".join(map(str, known))
                raise argparse.ArgumentTypeError(f"expected some of {names}, got {one}")
        return tuple(name for name in known if name in chosen)

    return parse


def parse(arguments):
    """The options; ends the program on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="benches/compare/run",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--only", type=chosen_from(GATEWAYS), default=GATEWAYS, metavar="NAME[,NAME…]",
        help="some of " + ",".join(GATEWAYS))
    add("--cases", type=chosen_from(CASES), default=CASES, metavar="CASE[,CASE…]",
        help="some of " + ",".join(CASES))
    add("--messages", type=chosen_from(SIZES, int), default=SIZES, metavar="N[,N…]",
        help="messages per request, some of 1,10,100")
    add("--seconds", type=positive, metavar="S", help="measured time of each run [default: 10]")
    add("--warmup", type=positive, metavar="S", help="load before that [default: 2]")
    add("--rounds", type=count, metavar="N",
        help="how often all is repeated, in turn [default: 2]")
    add("--quick", action="store_true",
        help="2 s, one round: shows that everything works, not how fast it is")
    add("--connections", type=count, default=64, metavar="N",
        help="connections of the load [default: 64]")
    add("--open-rate", type=positive, metavar="R",
        help="messages per second of the cases equal and open, instead of shares of highest rates")
    add("--out", metavar="DIR",
        help="where results go [default: docs/benchmarks; with --quick or a selection, "
        "compare/report in the target folder]")
    add("--check", action="store_true", help="exit status 1 if a target is missed")
    add("--no-build", action="store_true", help="measure what was built before")
    add("--keep", action="store_true", help="keep Kafka's data and all logs")
    options = parser.parse_args(arguments)
    return with_defaults(options)


def with_defaults(options):
    """What was not said, which depends on --quick."""
    quick = options.quick
    options.seconds = options.seconds or (2.0 if quick else 10.0)
    options.warmup = options.warmup or (1.0 if quick else 2.0)
    options.rounds = options.rounds or (1 if quick else 2)
    options.whole = (
        not quick
        and options.only == GATEWAYS
        and options.cases == CASES
        and options.messages == SIZES
    )
    return options

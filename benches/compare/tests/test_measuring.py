"""The judgement on acknowledged messages and offsets, and the command line."""

import contextlib
import io
import unittest

from comparison import arguments
from comparison.load import thinned
from comparison.main import without_folder
from comparison.measuring import Bench
from comparison.trouble import Trouble


def judged(name, acknowledged, unknown, growth):
    run = {"acknowledged_in_all": acknowledged, "unknown_in_all": unknown}
    Bench.judge_growth(name, run, growth, 0.5)
    return run


class Growth(unittest.TestCase):
    def test_what_agrees(self):
        self.assertEqual(judged("forebay", 500_000, 0, 500_000)["kafka_cpu_us_per_message"], 1.0)
        judged("forebay", 10, 2, 11)
        judged("bare", 10, 0, 0)

    def test_what_does_not(self):
        for case in (("bento", 10, 0, 20), ("forebay", 10, 0, 9), ("forebay", 10, 2, 13),
                     ("bare", 10, 0, 1), ("forebay", 0, 0, 0)):  # fmt: skip
            with self.assertRaises(Trouble, msg=case):
                judged(*case)


class CommandLine(unittest.TestCase):
    def test_a_selection_is_not_the_whole(self):
        self.assertTrue(arguments.parse([]).whole)
        for words in (["--quick"], ["--only", "forebay"], ["--messages", "1,100"]):
            self.assertFalse(arguments.parse(words).whole, words)
        self.assertEqual(arguments.parse(["--messages", "100,1"]).messages, (1, 100))
        self.assertEqual(arguments.parse(["--quick"]).seconds, 2.0)

    def test_wrong_words(self):
        for words in (["--only", "kafka"], ["--messages", "7"], ["--rounds", "0"]):
            with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(io.StringIO()):
                arguments.parse(words)
            self.assertEqual(ended.exception.code, 2)

    def test_the_record_has_no_folder(self):
        words = ["--quick", "--out", "/x", "--out=/y", "--rounds", "3"]
        self.assertEqual(without_folder(words), ["--quick", "--rounds", "3"])


class Percentiles(unittest.TestCase):
    def test_the_last_point_stays(self):
        for length in (0, 1, 59, 60, 121, 500):
            points = list(range(length))
            kept = thinned(points)
            self.assertEqual(kept[-1:], points[-1:])
            self.assertEqual(kept, sorted(set(kept)))
            self.assertLessEqual(len(kept), 122)


if __name__ == "__main__":
    unittest.main()

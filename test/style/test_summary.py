"""The count of test/summary.py: a case that did not end well never counts as passed."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import summary  # noqa: E402
import tap_runner  # noqa: E402


def count(output, result="OK", code=0):
    test = {"name": "ringlet:unit / text", "stdout": output, "result": result, "returncode": code}
    return summary.count_log([json.dumps(test)])


def cmocka(*cases, announced=None):
    """The standard output of cmocka for pairs of name and word; a case with the word None never
    ended."""
    lines = [f"[==========] Running {announced or len(cases)} test(s)."]
    for name, word in cases:
        lines.append(f"[ RUN      ] {name}")
        if word:
            lines.append(f"[{word:>9} ] {name}")
    return "\n".join(lines) + "\n"


class TheCount(unittest.TestCase):
    def assert_count(self, counted, line):
        self.assertEqual(counted.line(), line, counted.failures)

    def test_cmocka_cases_are_counted(self):
        self.assert_count(count(cmocka(("a", "OK"), ("b", "OK"))),
                          "2 passed, 0 failed, 0 skipped")

    def test_cmocka_failure_is_named(self):
        counted = count(cmocka(("a", "OK"), ("b", "FAILED")), "FAIL", 1)
        self.assert_count(counted, "1 passed, 1 failed, 0 skipped")
        self.assertEqual(counted.failures, ["unit / text: b"])

    def test_cmocka_groups_add_up(self):
        self.assert_count(count(cmocka(("a", "OK")) + cmocka(("a", "OK"))),
                          "2 passed, 0 failed, 0 skipped")

    def test_crash_fails_its_case_and_those_that_never_began(self):
        self.assert_count(count(cmocka(("a", "OK"), ("b", None), announced=4), "FAIL", -11),
                          "1 passed, 3 failed, 0 skipped")

    def test_case_whose_setup_fails_is_a_failure(self):
        self.assert_count(count(cmocka(("a", None), ("b", "OK")), "FAIL", 1),
                          "1 passed, 1 failed, 0 skipped")

    def test_program_that_fails_without_a_case_is_a_failure(self):
        self.assert_count(count(cmocka(("a", "OK")), "FAIL", 23), "1 passed, 1 failed, 0 skipped")
        self.assert_count(count("", "TIMEOUT", -15), "0 passed, 1 failed, 0 skipped")

    def test_program_without_cases_is_one(self):
        self.assert_count(count("fine\n"), "1 passed, 0 failed, 0 skipped")

    def test_tap_cases_are_counted(self):
        self.assert_count(count("1..3\nok 1 - a\nok 2 - b # SKIP no IPv6 here\nnot ok 3 - c\n",
                                "FAIL", 1), "1 passed, 1 failed, 1 skipped")

    def test_what_a_failed_case_said_is_kept(self):
        counted = count("1..2\nnot ok 1 - a\n# first\n#\n# second\nok 2 - b\n# other\n",
                        "FAIL", 1)
        self.assertEqual(counted.details, {"unit / text: a": ["# first", "#", "# second"]})

    def test_tap_case_that_never_ended_is_a_failure(self):
        self.assert_count(count("1..3\nok 1 - a\n", "TIMEOUT", -15),
                          "1 passed, 2 failed, 0 skipped")

    def test_skip_keeps_its_reason(self):
        output = cmocka(("a", "OK"), ("b", None)) + "no IPv6 here\n[  SKIPPED ] b\n"
        counted = count(output)
        self.assert_count(counted, "1 passed, 0 failed, 1 skipped")
        self.assertEqual(counted.skips, ["unit / text: b: no IPv6 here"])

    def test_skip_without_a_reason_is_a_failure(self):
        self.assert_count(count("1..1\nok 1 - a # SKIP\n"), "0 passed, 1 failed, 0 skipped")
        self.assert_count(count(cmocka(("a", "SKIPPED"))), "0 passed, 1 failed, 0 skipped")

    def test_missing_io_uring_is_a_failure(self):
        for reason in ("io_uring says EPERM", "no io_uring here", "io_uring is not available",
                       "io_uring_setup says ENOSYS", "io_uring missing"):
            self.assert_count(count(f"1..1\nok 1 - a # SKIP {reason}\n"),
                              "0 passed, 1 failed, 0 skipped")

    def test_case_that_is_not_for_this_backend_may_be_skipped(self):
        for reason in ("for io_uring alone", "the other backend does without io_uring"):
            self.assert_count(count(f"1..1\nok 1 - a # SKIP {reason}\n"),
                              "0 passed, 0 failed, 1 skipped")

    def test_whole_program_may_be_skipped(self):
        self.assert_count(count("no IPv6 here\n", "SKIP", 77), "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    tap_runner.main()

"""Runs unittest cases and prints the Test Anything Protocol, one line a case.

unittest's own output is for people: it cannot be counted after a crash or a timeout.  Here the plan
comes first, so that a case which never ran is missed, and a skip always carries its reason.  Every
Python test of the project ends in `tap_runner.main()`; `scripts/test` counts the lines.

    test_ping.py [-k PATTERN] [-v]     PATTERN as in fnmatch, or a part of the case's name
"""

import argparse
import fnmatch
import signal
import sys
import traceback
import unittest


class TapResult(unittest.TestResult):
    def __init__(self, output):
        super().__init__()
        self.output = output
        self.number = 0
        self.subtest_failures = []

    def _print(self, text):
        print(text, file=self.output, flush=True)

    def _report(self, outcome, test, note=""):
        self.number += 1
        self._print(f"{outcome} {self.number} - {name_of(test)}{note}")

    def _report_failure(self, test, error):
        self._report("not ok", test)
        for line in "".join(traceback.format_exception(*error)).splitlines():
            self._print(f"# {line}")

    def startTest(self, test):
        super().startTest(test)
        self.subtest_failures = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self._report("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._report_failure(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._report_failure(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is None:
            return
        if not self.subtest_failures:
            self._report("not ok", test)
        self.subtest_failures.append(subtest)
        self._print(f"# in {subtest._subDescription()}")
        for line in "".join(traceback.format_exception(*err)).splitlines():
            self._print(f"# {line}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._report("ok", test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._report("ok", test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._report("not ok", test, " (was expected to fail)")


def name_of(test):
    """`Class.test_claim`; what failed to load or set up a class has only its description."""
    parts = test.id().split(".")
    return ".".join(parts[-2:]) if isinstance(test, unittest.TestCase) else test.id()


def all_cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from all_cases(item)
        else:
            yield item


def matches(case, pattern):
    name = name_of(case)
    return pattern in name or fnmatch.fnmatch(name, pattern)


def main(module="__main__"):
    parser = argparse.ArgumentParser(description=sys.modules[module].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="PATTERN", help="run only the cases whose name matches")
    parser.add_argument("-l", "--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()

    cases = list(all_cases(unittest.defaultTestLoader.loadTestsFromName(module)
                           if module != "__main__"
                           else unittest.defaultTestLoader.loadTestsFromModule(
                               sys.modules["__main__"])))
    if options.k:
        cases = [case for case in cases if matches(case, options.k)]
    if options.list:
        print("\n".join(name_of(case) for case in cases))
        sys.exit(0)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a timeout: clean up, as at Ctrl-C
    print(f"1..{len(cases)}", flush=True)
    result = TapResult(sys.stdout)
    unittest.TestSuite(cases).run(result)
    sys.exit(0 if result.wasSuccessful() and cases else 1)

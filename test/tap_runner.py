"""Runs unittest cases and prints the Test Anything Protocol, one line a case.

The output of unittest is for people: it cannot be counted after a crash or a timeout. Here the plan
comes first, so that a case that never ran is noticed, and every skip has a reason. Every Python
test of the project ends in `tap_runner.main()`; `scripts/test` counts the lines.

The cases run in a child of a guard process.  However they end (passed, failed, terminated, killed),
the guard then kills every process that they started, whatever session it is in, so that a test
leaves none behind.  The guard has a session of its own: `meson test` kills the process group of a
test that exceeds its time, and gives it only half a second to clean up.

    test_ping.py [-k PATTERN] [-v]     PATTERN as in fnmatch, or a part of the case's name
"""

import argparse
import ctypes
import fnmatch
import os
import signal
import sys
import traceback
import unittest


PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SECONDS_TO_CLEAN_UP = 10


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
    """`Class.test_claim`; something that failed to load, or a failed set-up of a class, has only
    its description."""
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


def prctl(option, value):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children_of(pid):
    """Process ids, zombies included."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                text = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(text[text.rindex(")") + 2:].split()[1]) == pid:
            found.append(int(entry))
    return found


def kill_descendants():
    """As a subreaper this process inherits the children of every descendant that ends."""
    while children := children_of(os.getpid()):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


def guard(starter):
    """Returns in the process that is to run the cases.  This process waits for it, ends it if the
    starter ends or sends SIGTERM, and kills what it left."""
    os.setsid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    runner = os.fork()
    if runner == 0:
        return

    def end(number, frame):
        signal.signal(signal.SIGALRM, lambda *_: os.kill(runner, signal.SIGKILL))
        signal.alarm(SECONDS_TO_CLEAN_UP)
        os.kill(runner, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        end(None, None)
    status = os.waitpid(runner, 0)[1]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(0)
    kill_descendants()
    os._exit(1 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status))


def run_guarded():
    """Forks twice: into this process, which waits, a guard, and a runner, in which it returns."""
    starter = os.getpid()
    guard_pid = os.fork()
    if guard_pid == 0:
        guard(starter)
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.kill(guard_pid, signal.SIGTERM))
    os._exit(os.waitstatus_to_exitcode(os.waitpid(guard_pid, 0)[1]) & 255)


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

    run_guarded()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a timeout: clean up as for Ctrl-C
    print(f"1..{len(cases)}", flush=True)
    result = TapResult(sys.stdout)
    unittest.TestSuite(cases).run(result)
    sys.exit(0 if result.wasSuccessful() and cases else 1)

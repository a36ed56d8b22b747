#!/usr/bin/env python3
"""Counts the cases of the last `meson test` and prints `N passed, N failed, N skipped`.

    summary.py BUILD/meson-logs/testlog.json

Meson counts programs, this script counts cases. It reads the output of each program: TAP (the
Python tests) or cmocka's lines (the C tests); a program that prints neither is one case. In doubt
it counts a failure: a case that was announced and never ended (a crash, a timeout) has failed. A
program that failed without naming a case is a failure. So is a skip without a reason, and a skip
because io_uring is missing, since half of the server then went untested. Failures and skips are
listed before the count. The exit code is 1 if anything failed or nothing ran.
"""

import json
import re
import sys

GOOD_RESULTS = {"OK", "EXPECTEDFAIL", "SKIP"}


DETAIL_LINES_MAX = 60
MISSING_RING = re.compile(
    r"\bno io_?uring|io_?uring(_setup)? (is|was|says|cannot|not|lacks|missing|refused"
    r"|unavailable|absent)\b", re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed = 0
        self.failures = []  # sentences
        self.skips = []
        self.details = {}   # of a failure: the message of its case

    def skip(self, name, reason):
        if not reason:
            self.failures.append(f"{name}: skipped without a reason")
        elif MISSING_RING.search(reason):
            self.failures.append(f"{name}: {reason} (a failure, not a skip)")
        else:
            self.skips.append(f"{name}: {reason}")

    def line(self):
        return f"{self.passed} passed, {len(self.failures)} failed, {len(self.skips)} skipped"


def diagnostics(output):
    """The comment lines after a case, which meson does not show."""
    comment = re.match(r"(\n#.*)*", output)[0]
    return comment.strip().splitlines()[:DETAIL_LINES_MAX]


def count_tap(count, program, output):
    """Adds the cases of a TAP stream; returns whether it is one."""
    plan = re.search(r"^1\.\.(\d+)", output, re.MULTILINE)
    if not plan:
        return False
    seen = 0
    for match in re.finditer(r"^(not )?ok\b *(\d*)(?: *- *)?(.*)$", output, re.MULTILINE):
        seen += 1
        name, _, directive = match[3].partition(" # ")
        case = f"{program}: {name.strip()}"
        if match[1]:
            count.failures.append(case)
            count.details[case] = diagnostics(output[match.end():])
        elif directive.upper().startswith("SKIP"):
            count.skip(case, directive[4:].strip())
        else:
            count.passed += 1
    for number in range(seen + 1, int(plan[1]) + 1):
        count.failures.append(f"{program}: case {number} never ended")
    return True


def count_cmocka(count, program, output):
    """Adds the cases of cmocka's output; returns whether there were any."""
    announced = [int(number) for number in
                 re.findall(r"^\[=+\] .*?Running (\d+) test", output, re.MULTILINE)]
    if not announced:
        return False
    running, spoken, ended = None, "", 0
    for line in output.splitlines():
        match = re.match(r"\[\s*(RUN|OK|FAILED|SKIPPED)\s*\] (\S+)$", line)
        if not match:
            spoken = line.strip() if line and not line.startswith("[") else spoken
            continue
        word, name = match.groups()
        case = f"{program}: {name}"
        if word == "RUN":
            if running:
                count.failures.append(f"{running} never ended")
            running, spoken, ended = case, "", ended + 1
            continue
        if case != running:
            continue  # a line of the list at the end
        if word == "OK":
            count.passed += 1
        elif word == "FAILED":
            count.failures.append(case)
        else:
            count.skip(case, spoken)
        running = None
    if running:
        count.failures.append(f"{running} never ended")
    for _ in range(ended, sum(announced)):
        count.failures.append(f"{program}: a case never began")
    return True


def count_program(count, test):
    program = test["name"].removeprefix("ringlet:")
    result, output = test["result"], test.get("stdout") or ""
    failed_before = len(count.failures)
    cases = count_tap(count, program, output) or count_cmocka(count, program, output)
    if result not in GOOD_RESULTS:
        if len(count.failures) == failed_before:
            count.failures.append(f"{program}: {result}, exit code {test.get('returncode')}")
    elif not cases and result == "SKIP":
        count.skip(program, output.strip().rpartition("\n")[2])
    elif not cases:
        count.passed += 1


def count_log(lines):
    count = Count()
    for line in lines:
        if line.strip():
            count_program(count, json.loads(line))
    return count


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    with open(sys.argv[1], encoding="utf-8") as log:
        count = count_log(log)
    for failure in count.failures:
        print(f"failed: {failure}")
        for line in count.details.get(failure, ()):
            print(f"    {line.removeprefix('#').strip(chr(10))}")
    for skip in count.skips:
        print(f"skipped: {skip}")
    print(count.line())
    sys.exit(0 if count.passed and not count.failures else 1)


if __name__ == "__main__":
    main()

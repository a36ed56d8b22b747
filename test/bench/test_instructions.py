"""The instructions of a request in user space: they may not change by more than 2 % unnoticed.

Callgrind counts the instructions of test/bench/instructions.c, which serves requests on the
simulated backend: neither kernel nor clock nor other load matters. The cost of one request is the
difference of two runs, divided by the requests, so that the start does not count. The simulated
backend's own part is not counted, and the C library is told to use its plain SSE2 functions on
every machine.

The figures of instructions.json hold for the compiler and the C library named there; with others
the test is skipped. A change that moves them on purpose records them anew:

    ninja -C build record-instructions

Environment: INSTRUCTIONS, the program; COMPILER, what it was compiled with.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tap_runner  # noqa: E402

PROGRAM = os.environ["INSTRUCTIONS"]
RECORD = pathlib.Path(__file__).with_name("instructions.json")
TOLERANCE = 0.02
COUNT = 256  # a multiple of the pipeline depth
CASES = ["ping", "browser", "file", "not-modified", "not-found", "pipelined", "connection"]
PLAIN_FUNCTIONS = "glibc.cpu.hwcaps=" + ",".join(
    f"-{name}" for name in ["AVX", "AVX2", "AVX512F", "AVX512VL", "AVX_Fast_Unaligned_Load", "BMI2",
                            "ERMS", "FSRM", "SSSE3", "SSE4_1", "SSE4_2"])
# Counting starts and stops with serve(); each call of the backend turns it off and on again.
TOGGLES = ["serve", "simulated_wait", "simulated_submit", "simulated_cancel"]


def here():
    """What the figures depend on besides the code."""
    return {"compiler": os.environ["COMPILER"], "library": os.confstr("CS_GNU_LIBC_VERSION")}


def collected(case, count):
    """The instructions for this many requests, plus those of start and end."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out",
             *(f"--toggle-collect={name}" for name in TOGGLES), PROGRAM, case, str(count)],
            env=os.environ | {"GLIBC_TUNABLES": PLAIN_FUNCTIONS},
            capture_output=True, text=True, timeout=120)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise AssertionError(f"callgrind, exit code {done.returncode}:\n{done.stderr}")
    return int(found[1])


def per_request(case):
    return round((collected(case, 2 * COUNT) - collected(case, COUNT)) / COUNT)


class Instructions(unittest.TestCase):
    def check(self, case):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        record = json.loads(RECORD.read_text())
        recorded_for = {name: record[name] for name in here()}
        if recorded_for != here():
            self.skipTest(f"recorded for {', '.join(recorded_for.values())}; "
                          f"this is {', '.join(here().values())}")
        recorded, counted = record["instructions"][case], per_request(case)
        print(f"# {case}: {counted} instructions a request, recorded are {recorded}")
        if abs(counted - recorded) > TOLERANCE * recorded:
            self.fail(f"{counted} instructions a request, not {recorded}; if it is meant to be so, "
                      "record it: ninja -C build record-instructions")


def add_case(case):
    def test(self):
        self.check(case)
    setattr(Instructions, f"test_{case.replace('-', '_')}_costs_what_was_recorded", test)


for name in CASES:
    add_case(name)


def record():
    figures = {case: per_request(case) for case in CASES}
    RECORD.write_text(json.dumps(here() | {"instructions": figures}, indent=4) + "\n")
    print(RECORD.read_text(), end="")


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        record()
    else:
        tap_runner.main()

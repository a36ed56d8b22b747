"""Which system calls a request costs, as strace sees them in the worker."""

import pathlib
import re
import subprocess
import sys
import unittest
from collections import Counter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402


class Traced:
    """Counts the system calls of a process, kernel workers apart, while the block runs."""

    def __init__(self, pid, output):
        self.pid, self.output = pid, output
        self.calls = Counter()

    def __enter__(self):
        self.strace = subprocess.Popen(
            ["strace", "-f", "-p", str(self.pid), "-o", str(self.output)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.strace.stderr:
            if "attached" in line:
                return self
        raise AssertionError("strace did not attach")

    def __exit__(self, *error):
        self.strace.terminate()
        self.strace.stderr.close()
        self.strace.wait(harness.SECONDS)
        for line in self.output.read_text().splitlines():
            if match := re.match(r"\d+ +([a-z_0-9]+)\(", line):
                self.calls[match[1]] += 1


@unittest.skipIf(harness.BACKEND != "io_uring", "epoll makes a call for each thing it does")
class Requests(unittest.TestCase):
    def test_keep_alive_requests_cost_enters_and_one_fstat_per_file(self):
        content = harness.pattern_bytes(100 * harness.KIB)
        files = {"file": content, "dynamic/file": content}
        with Server(files=files, arguments=["--single-process"]) as server:
            with server.client() as client:
                targets = ["/ping", "/file", "/dynamic/file"]
                for target in targets:  # pools, pipes and threads are there afterwards
                    client.get(target)
                with Traced(server.pid, server.directory / "trace") as traced:
                    for target in targets * 10:
                        self.assertEqual(client.get(target).status, 200)
        enters = traced.calls.pop("io_uring_enter")
        self.assertGreater(enters, 30)
        fstats = traced.calls.pop("newfstatat", 0) + traced.calls.pop("fstat", 0)
        self.assertEqual(fstats, 20)
        # strace itself interrupts a wait when it attaches, and the heap may still grow.
        for name in ("restart_syscall", "brk"):
            traced.calls.pop(name, None)
        self.assertEqual(dict(traced.calls), {})


if __name__ == "__main__":
    harness.main()

"""The system calls that a request costs, as strace sees them in the worker."""

import os
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
    """Counts the system calls of a process, without kernel workers, while the block runs."""

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


def other_calls(traced):
    """Beside entering the ring.  strace itself interrupts waits when it attaches, also those of the
    pool's threads (futex), and the heap may still grow.  What a thread is given shows in the writes
    and reads of the pool's event descriptor."""
    return {name: count for name, count in traced.calls.items()
            if name not in ("io_uring_enter", "restart_syscall", "brk", "futex")}


@unittest.skipIf(harness.BACKEND != "io_uring", "epoll makes a call for each thing it does")
class Requests(unittest.TestCase):
    def test_requests_for_kept_files_cost_enters_alone(self):
        files = {"short": b"short", "long": harness.pattern_bytes(100 * harness.KIB)}
        with Server(files=files, arguments=["--single-process"]) as server:
            for name in files:
                os.utime(server.root / name, (1e9, 1e9))
            with server.client() as client:
                targets = ["/short", "/long", "/none"]
                harness.wait_until(lambda: [client.get(target).status for target in targets]
                                   and server.stats()["cache"]["cache_bytes"] > 0)
                rounds = []
                while len(rounds) < 5 and {} not in rounds:  # the root is reopened after a second
                    with Traced(server.pid, server.directory / "trace") as traced:
                        for target in targets * 10:
                            client.get(target)
                    self.assertGreater(traced.calls["io_uring_enter"], 30)
                    rounds.append(other_calls(traced))
        self.assertIn({}, rounds)

    def test_keep_alive_requests_cost_enters_and_one_fstat_per_file(self):
        content = harness.pattern_bytes(100 * harness.KIB)
        files = {"file": content, "dynamic/file": content}
        with Server(files=files, sections="cache { entries = 0 }",
                    arguments=["--single-process"]) as server:
            with server.client() as client:
                targets = ["/ping", "/file", "/dynamic/file"]
                for target in targets:  # makes pools, pipes and threads
                    client.get(target)
                with Traced(server.pid, server.directory / "trace") as traced:
                    for target in targets * 10:
                        self.assertEqual(client.get(target).status, 200)
        self.assertGreater(traced.calls["io_uring_enter"], 30)
        fstats = traced.calls.pop("newfstatat", 0) + traced.calls.pop("fstat", 0)
        self.assertIn(fstats, range(20, 24))  # and of the root, once a second
        traced.calls.pop("statx", 0)  # the root's mount, just as often
        self.assertEqual(other_calls(traced), {})


if __name__ == "__main__":
    harness.main()

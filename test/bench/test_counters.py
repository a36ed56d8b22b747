"""What speed is made of and no machine changes: system calls and heap allocations, counted.

Environment: as test_load.py, and ALLOCATIONS_LIBRARY: the library that counts allocations.
"""

import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # noqa: E402

LOAD = os.environ["LOAD"]
LIBRARY = os.environ["ALLOCATIONS_LIBRARY"]
CONNECTION_COUNT = 64
ENTERS_MAX = 6
FILES = {"1k": b"x" * 1024, "100k": b"x" * 102400, "dynamic/1k": b"y" * 1024,
         "dynamic/100k": b"y" * 102400}


def stop_process(pid):
    """Returns when it has stopped, for the signal is not acted upon at once."""
    os.kill(pid, signal.SIGSTOP)
    stat = pathlib.Path(f"/proc/{pid}/stat")
    harness.wait_until(lambda: re.search(r"\) T ", stat.read_text()), what="stopped")


class Gathering(unittest.TestCase):
    def enters(self, client):
        answer = client.get("/stats?format=json")
        return int(re.search(rb'"enters":\s*(\d+)', answer.body)[1])

    def test_requests_that_came_together_are_served_together(self):
        with harness.Server() as server, server.client() as watcher:
            clients = [server.client() for _ in range(CONNECTION_COUNT)]
            for client in clients:
                self.assertEqual(client.get("/ping").status, 200)
            first = self.enters(watcher)
            between = self.enters(watcher) - first  # what it costs to look
            worker = server.worker_pid()
            stop_process(worker)
            for client in clients:
                client.send(client.head("GET", "/ping"))
            os.kill(worker, signal.SIGCONT)
            for client in clients:
                self.assertEqual(client.response().body, b"pong")
            spent = self.enters(watcher) - first - 2 * between
            for client in clients:
                client.close()
        print(f'# {spent} enters for {CONNECTION_COUNT} requests')
        self.assertLessEqual(spent, ENTERS_MAX)


class Allocations(unittest.TestCase):
    def count(self):
        return struct.unpack("=Q", self.counter.read_bytes())[0]

    def request(self, server, path, *options):
        subprocess.run([LOAD, "--port", str(server.port), "--requests", "1000",
                        "--connections", "8", "--seconds", str(harness.SECONDS), *options, path],
                       check=True, capture_output=True, timeout=2 * harness.SECONDS)

    def allocations_of(self, path, *options):
        """Of a thousand requests, when as many were made before."""
        with tempfile.NamedTemporaryFile() as file:
            self.counter = pathlib.Path(file.name)
            self.counter.write_bytes(bytes(8))
            environment = {"LD_PRELOAD": LIBRARY, "ALLOCATIONS": file.name}
            with harness.Server(files=FILES, environment=environment) as server:
                return self.allocations_when_warm(server, path, *options)

    def allocations_when_warm(self, server, path, *options):
        """The least of three rounds: a pool may still grow when more happens at once than ever
        before, but what is allocated for a request is allocated in every round."""
        self.assertGreater(self.count(), 0, "nothing was counted: is the library there?")
        self.request(server, path, *options)
        found = []
        while len(found) < 3 and 0 not in found:
            before = self.count()
            self.request(server, path, *options)
            found.append(self.count() - before)
        return min(found)

    def check(self, path, *options):
        if harness.is_sanitized():
            self.skipTest("the address sanitizer brings its own malloc")
        self.assertEqual(self.allocations_of(path, *options), 0)

    def test_ping_allocates_nothing_once_warm(self):
        self.check("/ping")

    def test_static_files_allocate_nothing_once_warm(self):
        self.check("/1k")
        self.check("/100k")

    def test_dynamic_files_allocate_nothing_once_warm(self):
        self.check("/dynamic/1k")
        self.check("/dynamic/100k")

    def test_pipelined_requests_allocate_nothing_once_warm(self):
        self.check("/ping", "--depth", "16")


if __name__ == "__main__":
    harness.main()

"""Costs that do not depend on the machine: system calls and heap allocations, counted.

Environment: as test_load.py, and ALLOCATIONS_LIBRARY: the library that counts allocations.
"""

import contextlib
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
         "dynamic/100k": b"y" * 102400, "compressed/100k.txt": b"line\n" * 20480}
LOCATIONS = {"/": 'endpoint = "static"', "/dynamic/": 'endpoint = "dynamic"',
             "/compressed/": 'endpoint = "dynamic" compress = yes', "/ping": 'endpoint = "ping"'}


def stop_process(pid):
    """Returns when the process has stopped: a signal takes effect later."""
    os.kill(pid, signal.SIGSTOP)
    stat = pathlib.Path(f"/proc/{pid}/stat")
    harness.wait_until(lambda: re.search(r"\) T ", stat.read_text()), what="stopped")


class Gathering(unittest.TestCase):
    def enters(self, client):
        answer = client.get("/stats?format=json")
        return int(re.search(rb'"enters":\s*(\d+)', answer.body)[1])

    def spent_enters(self, server, clients, watcher):
        """The enters for one request of each client; the worker finds all requests at once."""
        first = self.enters(watcher)
        between = self.enters(watcher) - first  # the cost of the counter itself
        worker = server.worker_pid()
        stop_process(worker)
        for client in clients:
            client.send(client.head("GET", "/ping"))
        os.kill(worker, signal.SIGCONT)
        for client in clients:
            self.assertEqual(client.response().body, b"pong")
        return self.enters(watcher) - first - 2 * between

    def test_requests_that_came_together_are_served_together(self):
        """The least of several rounds: a timer that expires in a round adds an enter, and beside
        other load a round takes long."""
        with harness.Server() as server, contextlib.ExitStack() as stack:
            watcher, *clients = [stack.enter_context(server.client())
                                 for _ in range(1 + CONNECTION_COUNT)]
            for client in clients:
                self.assertEqual(client.get("/ping").status, 200)
            spent = []
            while len(spent) < 5 and min(spent, default=ENTERS_MAX + 1) > ENTERS_MAX:
                spent.append(self.spent_enters(server, clients, watcher))
        print(f'# {spent} enters for {CONNECTION_COUNT} requests')
        self.assertLessEqual(min(spent), ENTERS_MAX)


class Allocations(unittest.TestCase):
    def count(self):
        return struct.unpack("=Q", self.counter.read_bytes())[0]

    def load(self, server, path, *options):
        subprocess.run([LOAD, "--port", str(server.port), "--requests", "1000",
                        "--connections", "8", "--seconds", str(harness.SECONDS), *options, path],
                       check=True, capture_output=True, timeout=2 * harness.SECONDS)

    def compress(self, server):
        """The load generator cannot read chunks, so this client does."""
        with server.client() as client:
            for _ in range(100):
                response = client.get("/compressed/100k.txt", fields={"Accept-Encoding": "gzip"})
                self.assertEqual(response.field("Content-Encoding"), "gzip")

    def allocations_of(self, ask):
        """The allocations in a round of requests, after an equal round."""
        with tempfile.NamedTemporaryFile() as file:
            self.counter = pathlib.Path(file.name)
            self.counter.write_bytes(bytes(8))
            environment = {"LD_PRELOAD": LIBRARY, "ALLOCATIONS": file.name}
            with harness.Server(files=FILES, locations=LOCATIONS,
                                environment=environment) as server:
                return self.allocations_when_warm(lambda: ask(server))

    def allocations_when_warm(self, ask):
        """The least of three rounds: a pool may grow when more happens at once than ever before,
        but a per-request allocation happens in every round."""
        self.assertGreater(self.count(), 0, "nothing was counted: is the library there?")
        ask()
        found = []
        while len(found) < 3 and 0 not in found:
            before = self.count()
            ask()
            found.append(self.count() - before)
        return min(found)

    def check_load(self, path, *options):
        self.check(lambda server: self.load(server, path, *options))

    def check(self, ask):
        if harness.is_sanitized():
            self.skipTest("the address sanitizer brings its own malloc")
        self.assertEqual(self.allocations_of(ask), 0)

    def test_ping_allocates_nothing_once_warm(self):
        self.check_load("/ping")

    def test_static_files_allocate_nothing_once_warm(self):
        self.check_load("/1k")
        self.check_load("/100k")

    def test_dynamic_files_allocate_nothing_once_warm(self):
        self.check_load("/dynamic/1k")
        self.check_load("/dynamic/100k")

    def test_compressed_files_allocate_nothing_once_warm(self):
        self.check(self.compress)

    def test_pipelined_requests_allocate_nothing_once_warm(self):
        self.check_load("/ping", "--depth", "16")


if __name__ == "__main__":
    harness.main()

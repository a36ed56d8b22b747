"""The load generator makes exactly the requests that it is told to make, and reports every error.

Environment: RINGLET and RINGLET_BACKEND as for the integration tests; LOAD, HOLDERS and, in a
build with io_uring, CEILING: the programs beside this file.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # noqa: E402

LOAD = os.environ["LOAD"]
HOLDERS = os.environ["HOLDERS"]
CEILING = os.environ.get("CEILING", "")
FILES = {"1k": b"x" * 1024, "16k": b"x" * 16384, "1m": b"x" * 1048576, "dynamic/1k": b"y" * 1024}


def load(port, *arguments, code=0):
    """The result of a run; the exit code must be the given one."""
    done = subprocess.run([LOAD, "--port", str(port), "--seconds", str(harness.SECONDS),
                           *map(str, arguments)],
                          capture_output=True, text=True, timeout=2 * harness.SECONDS)
    if done.returncode != code:
        raise AssertionError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class OnceServer:
    """Answers the first request of each connection with the given bytes, and closes."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(harness.SECONDS)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(self.answer)


class LoadAgainstRinglet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(files=FILES)
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def check(self, count, *arguments, body_bytes=None, requests=None):
        before = self.server.counter("requests")
        result = load(self.server.port, "--requests", count, *arguments)
        self.assertEqual(result["requests"], count)
        self.assertEqual((result["error_count"], result["lost"], result["cut"]), (0, 0, 0))
        if body_bytes is not None:
            self.assertEqual(result["body_bytes"], body_bytes)
        # The request for the counters counts as one.
        self.assertEqual(self.server.counter("requests") - before - 1, requests or count)
        return result

    def test_every_request_is_made_once(self):
        result = self.check(1000, "--connections", 8, "/ping", body_bytes=4000)
        latency = result["latency_us"]
        self.assertGreater(latency["p50"], 0)
        self.assertLessEqual(latency["p50"], latency["p99"])
        self.assertLessEqual(latency["p99"], latency["max"])

    def test_more_connections_than_requests(self):
        self.check(5, "--connections", 32, "/ping")

    def test_every_byte_of_a_body_is_seen(self):
        for name, content in FILES.items():
            with self.subTest(name):
                self.check(40, "--connections", 4, "/" + name, body_bytes=40 * len(content))

    def test_paths_are_asked_for_in_turn(self):
        paths = self.server.directory / "paths"
        paths.write_text("/1k\n/16k\n")
        self.check(30, "--connections", 3, "--paths", paths, "/1m",
                   body_bytes=10 * (1024 + 16384 + 1048576))

    def test_pipelined_requests_are_each_answered(self):
        self.check(1001, "--connections", 4, "--depth", 16, "/ping", body_bytes=4004)
        self.check(320, "--connections", 2, "--depth", 16, "/1k", body_bytes=320 * 1024)

    def test_a_connection_for_each_request(self):
        before = self.server.counter("connections_accepted")
        self.check(200, "--connections", 8, "--reopen", "/1k", body_bytes=200 * 1024)
        self.assertGreaterEqual(self.server.counter("connections_accepted") - before, 200)

    def test_open_loop_keeps_its_schedule(self):
        result = self.check(200, "--connections", 8, "--rate", 1000, "/ping")
        self.assertGreaterEqual(result["seconds"], 0.199)
        self.assertEqual(result["unsent"], 0)

    def test_connections_that_the_server_ends_are_replaced(self):
        with harness.Server(files=FILES, sections="limits { keep_alive_requests = 10 }") as server:
            result = load(server.port, "--requests", 100, "--connections", 2, "--depth", 4, "/1k")
        self.assertEqual((result["requests"], result["error_count"]), (100, 0))
        self.assertGreaterEqual(result["reconnects"], 8)

    def test_the_congestion_control_may_be_told(self):
        self.check(10, "--congestion", "reno", "/ping")
        done = subprocess.run([LOAD, "--port", str(self.server.port), "--congestion", "absent",
                               "/ping"], capture_output=True, text=True, timeout=harness.SECONDS)
        self.assertEqual(done.returncode, 2)
        self.assertIn("absent", done.stderr)

    def test_another_status_is_an_error(self):
        result = load(self.server.port, "--requests", 20, "/absent", code=1)
        self.assertEqual((result["requests"], result["errors"]["status"]), (0, 20))

    def test_the_status_may_be_told(self):
        result = load(self.server.port, "--requests", 20, "--status", 404, "/absent")
        self.assertEqual(result["requests"], 20)


class Holders(unittest.TestCase):
    """The connection that requests the counters is itself active."""

    @staticmethod
    def hold(*arguments):
        return subprocess.Popen([HOLDERS, *map(str, arguments)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def check(self, kind, path, key, count):
        """`count` more connections are in that state while the program lives, and none
        afterwards."""
        with harness.Server(files=FILES) as server:
            harness.write_sparse_file(server.root / "100m", 100 << 20)
            before = server.stats()["connections"][key]
            with self.hold(kind, server.port, count, path) as process:
                self.assertEqual(process.stdout.readline(), "ready\n")
                harness.wait_until(
                    lambda: server.stats()["connections"][key] == before + count)
                process.stdin.close()
                self.assertEqual(process.wait(harness.SECONDS), 0)
            harness.wait_until(lambda: server.stats()["connections"][key] == before)

    def test_idle_ones_wait_after_their_answer(self):
        self.check("idle", "/ping", "idle", 50)

    def test_slow_ones_are_still_being_answered(self):
        self.check("slow", "/100m", "active", 20)

    def test_nobody_there_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with self.hold("idle", port, 3, "/") as process:
            self.assertEqual(process.wait(harness.SECONDS), 2)
            self.assertIn("connect", process.stderr.read())


class LoadAgainstOthers(unittest.TestCase):
    def test_an_answer_cut_short_is_an_error(self):
        with OnceServer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort") as server:
            result = load(server.port, "--requests", 3, "--connections", 1, "/", code=1)
        self.assertEqual((result["requests"], result["errors"]["closed"]), (0, 3))

    def test_an_answer_without_length_is_an_error(self):
        with OnceServer(b"HTTP/1.1 200 OK\r\n\r\n") as server:
            result = load(server.port, "--requests", 3, "--connections", 1, "/", code=1)
        self.assertEqual((result["requests"], result["errors"]["framing"]), (0, 3))

    def test_bytes_beyond_an_answer_are_an_error(self):
        with OnceServer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok?") as server:
            result = load(server.port, "--requests", 3, "--connections", 1, "/", code=1)
        self.assertEqual(result["errors"]["framing"], 3)

    def test_nobody_there_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        result = load(port, "--requests", 3, "--connections", 1, "/", code=1)
        self.assertEqual((result["requests"], result["errors"]["connect"]), (0, 3))

    @unittest.skipUnless(CEILING, "built without io_uring, and the ceiling is one")
    def test_the_ceiling_answers_everything(self):
        for body, arguments in ((4, ()), (4, ("--depth", 16)), (1048576, ())):
            with self.subTest(body=body, arguments=arguments):
                self.ask_ceiling(body, [], *arguments)
        with self.subTest("a connection for each request"):
            self.ask_ceiling(1024, ["--close"], "--reopen")

    def ask_ceiling(self, body, options, *arguments):
        process = subprocess.Popen([CEILING, "0", str(body), *options], stdout=subprocess.PIPE,
                                   text=True)
        try:
            port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
            result = load(port, "--requests", 320, "--connections", 8, *arguments, "/")
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(harness.SECONDS)
        self.assertEqual(result["body_bytes"], 320 * body)


if __name__ == "__main__":
    harness.main()

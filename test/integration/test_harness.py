"""The harness itself: it must notice what a wrong server sends, and not repair it.

A thread acts as the server with prepared bytes; the daemon is not needed."""

import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402


class Peer:
    """Accepts one connection, sends the bytes, and closes it."""

    def __init__(self, answer, reset=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(harness.SECONDS)
        self.address = self.listener.getsockname()
        self.answer, self.is_reset = answer, reset
        self.is_awaited = threading.Event()  # the reset must not come before connect() has returned
        self.thread = threading.Thread(target=self.play, daemon=True)

    def play(self):
        connection, _ = self.listener.accept()
        self.is_awaited.wait(harness.SECONDS)
        with connection:
            connection.sendall(self.answer)
            if self.is_reset:
                harness.Client.reset(self=type("", (), {"socket": connection})())

    def __enter__(self):
        self.thread.start()
        client = harness.Client(self.address, seconds=5)
        self.is_awaited.set()
        return client

    def __exit__(self, *error):
        self.thread.join(harness.SECONDS)
        self.listener.close()


class TheClient(unittest.TestCase):
    def test_two_responses_in_one_segment_are_told_apart(self):
        with Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
                  b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as client, client:
            first, second = client.response(), client.response()
            self.assertEqual((first.status, first.body), (200, b"ab"))
            self.assertEqual((second.status, second.body), (404, b""))
            client.assert_closed()

    def test_chunks_are_joined_and_trailers_skipped(self):
        with Peer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nrest") as client, client:
            self.assertEqual(client.response().body, b"abc0123456789")
            self.assertEqual(client.rest(), b"rest")

    def test_close_delimited_body_ends_with_the_connection(self):
        with Peer(b"HTTP/1.1 200 OK\r\n\r\nall of it") as client, client:
            self.assertEqual(client.response().body, b"all of it")

    def test_head_response_has_no_body(self):
        with Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") \
                as client, client:
            self.assertEqual(client.response("HEAD").body, b"")
            self.assertEqual(client.response().status, 204)

    def test_interim_response_is_kept_beside_the_final_one(self):
        with Peer(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") \
                as client, client:
            response = client.response()
            self.assertEqual((response.status, len(response.interim)), (200, 1))

    def test_cut_body_is_an_error_and_shows_what_came(self):
        with Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") as client, client:
            with self.assertRaises(harness.ConnectionEnded) as caught:
                client.response()
            self.assertEqual(caught.exception.response.body, b"abc")
            self.assertFalse(caught.exception.response.complete)

    def test_reset_is_told_from_an_end(self):
        with Peer(b"", reset=True) as client, client:
            with self.assertRaises(harness.ConnectionEnded) as caught:
                client.response()
            self.assertTrue(caught.exception.was_reset)

    def test_nonsense_is_refused(self):
        for answer in (b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\na",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"):
            with self.subTest(answer), Peer(answer) as client, client:
                with self.assertRaises(AssertionError):
                    client.response()

    def test_silence_runs_into_the_deadline(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with harness.Client(listener.getsockname(), seconds=0.05) as client:
                with self.assertRaises(TimeoutError):
                    client.response()

    def test_sinks_see_every_byte(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "file")
            harness.write_sparse_file(path, 3 * harness.MIB + 1)
            with open(path, "rb") as file:
                content = file.read()
            total, comparison = harness.Sha256(), harness.Comparison(path)
            for sink in (total, comparison):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
                with Peer(head + content) as client, client:
                    response = client.response(sink=sink)
                    self.assertEqual((response.length, response.body), (len(content), b""))
            self.assertEqual(total.hexdigest(), harness.sha256_of_file(path))
            self.assertTrue(comparison.is_whole())

    def test_comparison_finds_a_wrong_byte_and_a_missing_one(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            for parts, is_whole in (((b"0123", b"456789"), True), ((b"0123", b"45678"), False),
                                    ((b"0123", b"456788"), False), ((b"1123", b"456789"), False),
                                    ((b"0123456789", b"0"), False)):
                comparison = harness.Comparison(file.name)
                for part in parts:
                    comparison(part)
                self.assertEqual(comparison.is_whole(), is_whole, parts)


class TheFiles(unittest.TestCase):
    def test_pattern_has_the_length_asked_for(self):
        for length in (0, 1, 2 * harness.KIB, 2 * harness.MIB, 3 * harness.MIB + 1):
            self.assertEqual(len(harness.pattern_bytes(length)), length)

    def test_pattern_blocks_differ(self):
        content = harness.pattern_bytes(3 * harness.MIB)
        blocks = {hashlib.sha256(content[i:i + harness.MIB]).digest()
                  for i in range(0, len(content), harness.MIB)}
        self.assertEqual(len(blocks), 3)


class TheProcess(unittest.TestCase):
    def test_forbidden_system_call_fails_with_the_errno_asked_for(self):
        program = ("import ctypes; c = ctypes.CDLL(None, use_errno=True);"
                   f"r = c.syscall({harness.IO_URING_SETUP}, 0, 0);"
                   "print(r, ctypes.get_errno())")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              preexec_fn=harness.forbid_system_call(harness.IO_URING_SETUP, 1))
        self.assertEqual(done.stdout, "-1 1\n", done.stderr)

    def test_wait_until_fails_when_nothing_happens(self):
        with self.assertRaises(AssertionError):
            harness.wait_until(lambda: False, 0.05)

    def test_children_are_found_while_they_live(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        self.assertIn(child.pid, harness.children_of(os.getpid()))
        self.assertTrue(harness.process_is_alive(child.pid))
        child.stdin.close()
        child.wait(harness.SECONDS)
        self.assertNotIn(child.pid, harness.children_of(os.getpid()))


# A daemon for the harness: it prints `ready:`, has one child, and ends as the environment says.
FAKE_DAEMON = f"#!{sys.executable}" + """
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
reader, writer = os.pipe()
worker = os.fork()
if worker == 0:
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
if os.environ.get("FAKE_ERROR"):
    sys.exit(os.environ["FAKE_ERROR"])
print("serving www", file=sys.stderr)
print(f"ready: http://localhost:{listener.getsockname()[1]}/   (Ctrl-C stops)",
      file=sys.stderr, flush=True)
signal.sigwait({signal.SIGINT, signal.SIGTERM})
os.kill(worker, signal.SIGKILL)
print(os.environ.get("FAKE_LAST_WORD", "bye"), file=sys.stderr, flush=True)
os._exit(int(os.environ.get("FAKE_EXIT_CODE", "0")))
"""


class TheServer(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.binary = os.path.join(self.directory.name, "daemon")
        with open(self.binary, "w") as file:
            file.write(FAKE_DAEMON)
        os.chmod(self.binary, 0o755)

    def server(self, **environment):
        return harness.Server(binary=self.binary, environment=environment)

    def test_ready_line_tells_the_port_and_the_worker_is_found(self):
        with self.server() as server:
            with server.client():
                self.assertGreater(server.port, 0)
            self.assertEqual(len(server.worker_pids()), 1)
            self.assertGreater(server.descriptor_count(), 0)
            worker = server.worker_pid()
        harness.wait_until(lambda: not harness.process_is_alive(worker))
        self.assertFalse(server.directory.exists())

    def test_exit_code_other_than_zero_fails(self):
        with self.assertRaisesRegex(harness.HarnessError, "exit code 3"):
            with self.server(FAKE_EXIT_CODE="3"):
                pass

    def test_word_of_a_sanitizer_fails(self):
        with self.assertRaisesRegex(harness.HarnessError, "AddressSanitizer"):
            with self.server(FAKE_LAST_WORD="ERROR: AddressSanitizer: heap-use-after-free"):
                pass

    def test_start_that_fails_shows_what_was_said(self):
        with self.assertRaisesRegex(harness.HarnessError, "cannot listen"):
            with self.server(FAKE_ERROR="cannot listen"):
                pass

    def test_daemon_that_died_in_between_fails(self):
        with self.assertRaisesRegex(harness.HarnessError, "exit code -9"):
            with self.server() as server:
                os.kill(server.pid, 9)
                server.process.wait(harness.SECONDS)

    def assert_ended_test_leaves_nothing(self, end, case="signal.pause()"):
        """A test whose case starts a daemon and a process in a session of its own is ended."""
        program = f"""
import os, signal, subprocess, sys, unittest
sys.path.insert(0, {os.path.dirname(harness.__file__)!r})
import harness
class Case(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return harness.Server(binary={self.binary!r})
    def test(self):
        other = subprocess.Popen(
            [sys.executable, "-c",
             "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
             "print(os.fork() or os.getpid(), flush=True); signal.pause()"],
            stdout=subprocess.PIPE, start_new_session=True)
        more = other.stdout.readline(), other.stdout.readline()
        print(self.server.worker_pid(), other.pid, *map(int, more), flush=True)
        {case}
harness.main()
"""
        test = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        with test:
            self.assertEqual(test.stdout.readline(), "1..1\n")
            pids = [int(word) for word in test.stdout.readline().split()]
            self.assertEqual(len(pids), 4)
            end(test)
        harness.wait_until(lambda: not any(map(harness.process_is_alive, pids)))

    def test_terminated_test_leaves_no_process(self):
        self.assert_ended_test_leaves_nothing(lambda test: test.terminate())

    def test_killed_test_leaves_no_process(self):
        """As `meson test` does it with a test that exceeds its time."""
        self.assert_ended_test_leaves_nothing(
            lambda test: os.killpg(test.pid, signal.SIGKILL))

    def test_failed_test_leaves_no_process(self):
        self.assert_ended_test_leaves_nothing(lambda test: None, case="self.fail()")

    def test_test_that_kills_itself_leaves_no_process(self):
        self.assert_ended_test_leaves_nothing(
            lambda test: None, case="os.kill(os.getpid(), signal.SIGKILL)")


if __name__ == "__main__":
    harness.main()

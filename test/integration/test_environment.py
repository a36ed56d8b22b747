"""What a machine may refuse: descriptors, io_uring, memory for the ring."""

import errno
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402


class Descriptors(unittest.TestCase):
    def test_under_sixty_four_descriptors_everybody_is_served(self):
        with Server(files={"index.html": b"hello"},
                    before_exec=harness.limit_descriptors(64)) as server:
            self.assertRegex(server.stderr, r" warning .*(descriptors|RLIMIT_NOFILE)")
            clients = [server.client() for _ in range(100)]
            try:
                for client in clients:
                    client.send(client.head("GET", "/", {"Connection": "close"}))
                for client in clients:
                    self.assertEqual(client.response().body, b"hello")
                    client.close()
            finally:
                for client in clients:
                    client.close()
            self.assertEqual(server.get("/ping").body, b"pong")

    def test_idle_clients_at_the_limit_do_not_lock_out_those_who_come_later(self):
        with Server(before_exec=harness.limit_descriptors(64)) as server:
            idle = [server.client() for _ in range(80)]
            try:
                # An accepted client leaves; the next one in the queue is served.
                for client in idle[:70]:
                    client.close()
                self.assertEqual(server.get("/ping").body, b"pong")
            finally:
                for client in idle:
                    client.close()


@unittest.skipIf(harness.BACKEND != "io_uring", "the other backend does without io_uring")
class Forbidden(unittest.TestCase):
    def test_auto_falls_back_with_one_line_that_says_why_and_what_to_do(self):
        with Server(backend=None, files={"index.html": b"hello"}, before_exec=(
                harness.forbid_system_call(harness.IO_URING_SETUP, errno.EPERM))) as server:
            lines = [line for line in server.stderr_lines() if "io_uring" in line]
            self.assertEqual(len(lines), 1, server.stderr)
            self.assertRegex(
                lines[0], r"^ringlet \S+, epoll: io_uring_setup says EPERM \(.+\); .+")
            self.assertEqual(server.stats()["backend"], "epoll")
            self.assertEqual(server.get("/").body, b"hello")

    def test_auto_takes_io_uring_where_it_is_allowed(self):
        with Server(backend=None) as server:
            self.assertRegex(server.stderr, r"(?m)^ringlet \S+, io_uring \(kernel [0-9.]+.*, "
                                            r"liburing [0-9.]+\), 1 worker$")
            self.assertEqual(server.stats()["backend"], "io_uring")

    def test_explicit_io_uring_fails_at_start_with_the_same_text(self):
        server = Server(backend="io_uring", before_exec=(
            harness.forbid_system_call(harness.IO_URING_SETUP, errno.ENOSYS)))
        try:
            server.start()
            self.assertEqual(server.await_exit(), 1)
            self.assertRegex(server.stderr, r"io_uring_setup says ENOSYS \(.+\)")
        finally:
            server.abandon()


if __name__ == "__main__":
    harness.main()

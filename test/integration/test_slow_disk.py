"""A disk that does not answer keeps those waiting who want something of it, and nobody else.

The disk is a FUSE file system of the test (slow_files.py), so that no case is about time: what must
not wait is answered while the disk still holds its answers back."""

import contextlib
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
import slow_files  # noqa: E402
from harness import KIB, MIB, Server, wait_until  # noqa: E402
from slow_files import FLUSH, GETATTR, LOOKUP, OPEN, READ, STATFS  # noqa: E402

WHY_SKIPPED = slow_files.why_unavailable()
LONG_AGO = (1_000_000_000, 1_000_000_000)
HOT = harness.pattern_bytes(200 * KIB)
SMALL = harness.pattern_bytes(3 * KIB, seed=1)
LONG = harness.pattern_bytes(MIB, seed=2)
SHORT = harness.pattern_bytes(5 * KIB, seed=3)
COLD_COUNT = 32

SITE_ON_DISK = """
site "disk" {
  root = "%s"
  location "/" { endpoint = "static" }
  location "/dynamic/" { endpoint = "dynamic" }
}
"""


@unittest.skipIf(WHY_SKIPPED, WHY_SKIPPED)
class SlowDisk(unittest.TestCase):
    @contextlib.contextmanager
    def serve(self, sections=""):
        """A server with the slow disk beneath its root, which is also a site's own root."""
        server = Server({"hot": HOT, "dynamic/hot": HOT, "small": SMALL}, sections=sections)
        disk = server.root / "disk"
        disk.mkdir()
        (server.root / "dynamic" / "disk").symlink_to("../disk")
        for path in server.root.rglob("*"):
            os.utime(path, LONG_AGO)
        text = server.configuration.read_text() + SITE_ON_DISK % disk
        server.configuration.write_text(text)
        with slow_files.SlowFiles(disk, {"long": LONG, "short": SHORT, "later": SHORT}) as slow:
            with server:
                if not sections:
                    self.warm(server)
                try:
                    yield server, slow
                finally:
                    slow.release()

    def warm(self, server):
        wait_until(lambda: server.get("/small").body == SMALL
                   and server.stats()["cache"]["cache_bytes"] >= len(SMALL))

    def assert_rest_is_served(self, server):
        with server.client() as client:
            for target, content in (("/ping", None), ("/small", SMALL), ("/hot", HOT),
                                    ("/dynamic/hot", HOT), ("/small", SMALL), ("/none", None)):
                response = client.get(target)
                self.assertEqual(response.status, 404 if target == "/none" else 200, target)
                if content:
                    self.assertEqual(response.body, content, target)

    def ask(self, stack, server, targets):
        """Requests whose answers nobody waits for yet: pairs of client and content."""
        asked = []
        for target, host, content in targets:
            client = stack.enter_context(server.client())
            client.send(client.head("GET", target, host=host))
            asked.append((client, content))
        return asked

    def assert_answers_come(self, asked):
        for client, content in asked:
            response = client.response()
            self.assertEqual(response.status, 200)
            self.assertEqual(response.body, content)

    TARGETS = [("/disk/long", "localhost", LONG), ("/disk/short", "localhost", SHORT),
               ("/long", "disk", LONG), ("/short", "disk", SHORT)]

    def test_whatever_the_disk_does_not_answer_the_rest_is_served(self):
        for operation in (None, LOOKUP, GETATTR, STATFS, OPEN, READ):
            with self.subTest(operation=operation), contextlib.ExitStack() as stack:
                server, slow = stack.enter_context(self.serve())
                slow.stall(operation)
                asked = self.ask(stack, server, self.TARGETS)
                slow.await_stalled()
                self.assert_rest_is_served(server)
                asked += self.ask(stack, server, self.TARGETS * 3)
                self.assert_rest_is_served(server)
                slow.release()
                self.assert_answers_come(asked)

    def test_a_disk_that_stalls_when_a_file_is_closed_stalls_nobody(self):
        with self.serve("cache { entries = 0 }") as (server, slow):
            slow.stall(FLUSH)
            with server.client() as client:
                client.send(client.head("GET", "/dynamic/disk/later"))
                slow.await_stalled()
                self.assert_rest_is_served(server)

    def test_files_in_memory_do_not_queue_behind_cold_ones(self):
        with contextlib.ExitStack() as stack:
            server, slow = stack.enter_context(self.serve())
            slow.stall(READ)
            asked = self.ask(stack, server, [("/disk/long", "localhost", LONG)] * COLD_COUNT)
            slow.await_stalled()
            self.assert_rest_is_served(server)
            slow.release()
            self.assert_answers_come(asked)

    def test_clients_that_leave_while_the_disk_stalls_leave_nothing_behind(self):
        with self.serve() as (server, slow):
            before = server.resting_descriptor_count()
            with contextlib.ExitStack() as stack:
                slow.stall(READ)
                asked = self.ask(stack, server, self.TARGETS * 4)
                slow.await_stalled()
                for client, _ in asked:
                    client.reset()
            self.assert_rest_is_served(server)
            slow.release()
            wait_until(lambda: server.stats()["connections"]["open"] <= 1)
            self.assertLessEqual(server.resting_descriptor_count(), before + 8)


if __name__ == "__main__":
    harness.main()

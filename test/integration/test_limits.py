"""Each limit and each timeout of the configuration has a client just below it and a client just
above it. A limit without such a pair fails here.

A case is named after its setting: test_SETTING_just_under_… and test_SETTING_just_over_…. For a
setting of `timeouts` it is header_timeout and so on, for one of `cache` cache_entries. The server's
own clock counts: `tick()` waits until the server closes a silent connection, which takes half of
the time that the clients in the test are allowed."""

import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Client, Server  # noqa: E402

# Quantities that do not limit what a client does.
NO_LIMITS = {
    "workers": "how many there are",
    "compress_level": "how much pains are taken",
    "expires": "what caches are told",
}

TICK_MS = int(500 * float(os.environ.get("RINGLET_TEST_PATIENCE", "1")))


def chunked(body):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


class Case(unittest.TestCase):
    def serve(self, sections="", **locations):
        text = {"/echo": 'endpoint = "echo"', "/ping": 'endpoint = "ping"',
                "/palindrome": 'endpoint = "palindrome"', "/stats": 'endpoint = "stats"',
                "/": 'endpoint = "static"', **locations}
        self.server = self.enterContext(Server(sections=sections, locations=text))
        return self.server

    def connect(self, **options):
        return self.enterContext(self.server.client(**options))

    def assert_refused(self, client, status):
        """Closed after its answer, with nothing behind it."""
        response = client.response()
        self.assertEqual((response.status, response.field("Connection")), (status, "close"))
        client.assert_closed()


class Limits(Case):
    def head_of(self, length, target=b"/ping"):
        """A request head of this length, most of it in a field."""
        head = b"GET %s HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n" % target
        return head.replace(b"A: ", b"A: " + b"a" * (length - len(head)))

    def line_of(self, length):
        """A request line of this length, including its end."""
        return b"GET /ping?%s HTTP/1.1\r\n" % (b"a" * (length - len(b"GET /ping? HTTP/1.1\r\n")))

    def test_header_bytes_just_under_is_served(self):
        self.serve("limits { header_bytes = 1K }")
        client = self.connect()
        for head in (self.head_of(KIB), self.line_of(KIB - 11) + b"Host: x\r\n\r\n"):
            self.assertEqual(len(head), KIB)
            client.send(head)
            self.assertEqual(client.response().body, b"pong")
        client.send_byte_by_byte(self.head_of(KIB))
        self.assertEqual(client.response().body, b"pong")

    def test_header_bytes_just_over_is_431_and_414_for_the_line_alone(self):
        self.serve("limits { header_bytes = 1K }")
        for head, status in ((self.head_of(KIB + 1), 431),
                             (self.line_of(KIB - 10) + b"Host: x\r\n\r\n", 431),
                             (self.line_of(KIB) + b"Host: x\r\n\r\n", 431),
                             (self.line_of(KIB + 1) + b"Host: x\r\n\r\n", 414)):
            client = self.connect()
            client.send(head)
            self.assert_refused(client, status)

    def test_body_bytes_just_under_is_served(self):
        self.serve("limits { body_bytes = 1K }")
        client, body = self.connect(), b"x" * KIB
        self.assertTrue(client.request("POST", "/echo", body=body).body.endswith(b"\n" + body))
        client.send(client.head("POST", "/echo", {"Transfer-Encoding": "chunked"}) + chunked(body))
        self.assertTrue(client.response().body.endswith(b"\n" + body))

    def test_body_bytes_just_over_is_413(self):
        self.serve("limits { body_bytes = 1K }")
        body = b"x" * (KIB + 1)
        for fields, sent in (({"Content-Length": len(body)}, body),
                             ({"Content-Length": len(body)}, b""),
                             ({"Content-Length": len(body), "Expect": "100-continue"}, b""),
                             ({"Transfer-Encoding": "chunked"}, chunked(body))):
            client = self.connect()
            client.send(client.head("POST", "/echo", fields) + sent)
            self.assert_refused(client, 413)

    # Bodies are stored in blocks of 4 KiB, of which the server uses 24 bytes.
    GATHERED = 64 * KIB // 4096 * (4096 - 24)

    def test_gathered_bytes_just_under_is_served(self):
        self.serve("limits { gathered_bytes = 64K }")
        client = self.connect()
        for _ in range(3):
            response = client.request("POST", "/palindrome", body=b"x" * self.GATHERED)
            self.assertEqual(response.status, 200)

    def test_gathered_bytes_just_over_is_503_until_there_is_room(self):
        self.serve("limits { gathered_bytes = 64K }")
        client = self.connect()
        response = client.request("POST", "/palindrome", body=b"x" * (self.GATHERED + 1))
        self.assertEqual(response.status, 503)
        holder, other = self.connect(), self.connect()
        holder.send(holder.head("POST", "/palindrome", {"Content-Length": self.GATHERED}))
        holder.send(b"x" * (self.GATHERED - 1))
        harness.wait_until(
            lambda: self.connect().request("POST", "/palindrome", body=b"x").status == 503)
        holder.send(b"x")
        self.assertEqual(holder.response().status, 200)
        self.assertEqual(other.request("POST", "/palindrome", body=b"x").status, 200)

    def test_connections_just_under_are_served_at_once(self):
        self.serve("limits { connections = 4 }")
        clients = [self.connect() for _ in range(4)]
        for client in clients + clients:
            self.assertEqual(client.get("/ping").body, b"pong")

    def test_connections_just_over_wait_for_one_to_end(self):
        self.serve("limits { connections = 4 }")
        clients = [self.connect() for _ in range(4)]
        for client in clients:
            client.get("/ping")
        fifth = self.connect()
        fifth.send(fifth.head("GET", "/ping"))
        for client in clients:
            client.get("/ping")
        self.assertFalse(fifth.has_bytes_within(0.1))
        clients[0].close()
        self.assertEqual(fifth.response().body, b"pong")

    def test_keep_alive_requests_just_under_keep_the_connection(self):
        self.serve("limits { keep_alive_requests = 3 }")
        client = self.connect()
        for _ in range(2):
            self.assertIsNone(client.get("/ping").field("Connection"))

    def test_keep_alive_requests_just_over_find_it_closed(self):
        self.serve("limits { keep_alive_requests = 3 }")
        client = self.connect()
        client.send(client.head("GET", "/ping") * 4)
        fields = [client.response().field("Connection") for _ in range(3)]
        self.assertEqual(fields, [None, None, "close"])
        client.assert_closed()

    def serve_store(self):
        directory = tempfile.mkdtemp(prefix="ringlet-store-")
        self.addCleanup(shutil.rmtree, directory)
        self.serve(**{"/store": f'endpoint = "store"  directory = "{directory}"'
                                '  store_bytes = 100'})

    def test_store_bytes_just_under_are_kept(self):
        self.serve_store()
        client = self.connect()
        self.assertEqual(client.request("PUT", "/store", body=b"x" * 100).status, 201)
        client.send(client.head("PUT", "/store", {"Transfer-Encoding": "chunked"}))
        client.send(chunked(b"y" * 100))
        self.assertEqual(client.response().status, 204)
        self.assertEqual(client.get("/store").body, b"y" * 100)

    def test_store_bytes_just_over_are_413_and_change_nothing(self):
        self.serve_store()
        self.connect().request("PUT", "/store", body=b"x" * 100)
        for fields, body in (({"Content-Length": 101}, b"y" * 101),
                             ({"Transfer-Encoding": "chunked"}, chunked(b"y" * 101))):
            client = self.connect()
            client.send(client.head("PUT", "/store", fields) + body)
            self.assertEqual(client.response().status, 413)
        self.assertEqual(self.connect().get("/store").body, b"x" * 100)


    def serve_compressed(self, sections=""):
        """Texts that compress badly, so that a client that does not read soon blocks their
        compression."""
        self.serve(sections, **{
            "/dynamic/": 'endpoint = "dynamic"  compress = yes  compress_min_bytes = 100'})
        for length in (99, 100, 8 * MIB):
            text = harness.pattern_bytes(length // 2 + 1).hex().encode()[:length]
            self.server.write(f"dynamic/{length}.txt", text)

    def coding_of(self, length):
        response = self.server.get(f"/dynamic/{length}.txt", fields={"Accept-Encoding": "gzip"})
        return response.field("Content-Encoding")

    def hold_a_compression(self):
        client = self.connect(receive_buffer=4096)
        client.send(client.head("GET", f"/dynamic/{8 * MIB}.txt", {"Accept-Encoding": "gzip"}))
        client.receive(1)
        return client

    def test_compress_min_bytes_just_under_go_out_as_they_are(self):
        self.serve_compressed()
        self.assertIsNone(self.coding_of(99))

    def test_compress_min_bytes_just_over_are_compressed(self):
        self.serve_compressed()
        self.assertEqual(self.coding_of(100), "gzip")

    def test_compressions_just_under_are_compressed(self):
        self.serve_compressed("limits { compressions = 2 }")
        self.hold_a_compression()
        self.assertEqual(self.coding_of(100), "gzip")

    def test_compressions_just_over_go_out_as_they_are_until_one_ends(self):
        self.serve_compressed("limits { compressions = 1 }")
        holder = self.hold_a_compression()
        self.assertIsNone(self.coding_of(100))
        holder.close()
        harness.wait_until(lambda: self.coding_of(100) == "gzip")


    def serve_cached(self, setting, *lengths):
        """Files with old modification times, named by their numbers."""
        self.serve(f"cache {{ {setting} }}")
        for i, length in enumerate(lengths):
            path = self.server.write(f"{i}", b"x" * length)
            os.utime(path, (1e9, 1e9))

    def cached(self, name):
        return self.server.stats()["cache"][f"cache_{name}"]

    def get_files(self, *names):
        client = self.connect()
        for name in names:
            self.assertEqual(client.get(f"/{name}").status, 200)

    def await_in_memory(self, length, *names):
        """The cache reads a file into memory when it is requested again."""
        def ask():
            self.get_files(*names)
            return self.cached("bytes") == length
        harness.wait_until(ask)

    def test_cache_max_file_just_under_is_kept_in_memory(self):
        self.serve_cached("max_file = 1K", KIB)
        self.await_in_memory(KIB, 0)
        self.assertEqual(self.cached("descriptors"), 0)

    def test_cache_max_file_just_over_is_kept_open(self):
        self.serve_cached("max_file = 1K", KIB + 1, 1)
        self.await_in_memory(1, 0, 1)
        self.get_files(0)
        self.assertEqual((self.cached("bytes"), self.cached("descriptors")), (1, 1))

    def test_cache_bytes_just_under_are_kept_together(self):
        self.serve_cached("bytes = 2K", KIB, KIB)
        self.await_in_memory(2 * KIB, 0, 1)
        self.assertEqual(self.server.counter("cache_evictions"), 0)

    def test_cache_bytes_just_over_drive_the_oldest_out(self):
        self.serve_cached("bytes = 2K", KIB, KIB, 1)
        self.await_in_memory(2 * KIB, 0, 1)
        self.await_in_memory(KIB + 1, 2)

    def test_cache_entries_just_under_are_all_known(self):
        self.serve_cached("entries = 4", 1, 1, 1, 1)
        self.get_files(0, 1, 2, 3)
        before = self.server.counter("cache_hits")
        self.get_files(0, 1, 2, 3)
        self.assertEqual(self.server.counter("cache_hits"), before + 4)

    def test_cache_entries_just_over_drive_the_oldest_out(self):
        self.serve_cached("entries = 4", 1, 1, 1, 1, 1)
        self.get_files(0, 1, 2, 3)
        self.assertEqual(self.server.counter("cache_evictions"), 0)
        self.get_files(4)
        self.assertEqual(self.server.counter("cache_evictions"), 1)
        self.assertEqual(self.cached("entries"), 4)


class Constants(Case):
    """Limits without a setting."""

    def test_hundred_fields_are_served_and_one_more_is_431(self):
        self.serve()
        for count, status in ((99, 200), (100, 431)):
            client = self.connect()
            client.send(client.head("GET", "/ping", [("A", "b")] * count))  # and Host
            self.assertEqual(client.response().status, status)

    def test_path_of_4096_bytes_is_looked_for_and_a_longer_one_is_414(self):
        self.serve()
        client = self.connect()
        for length, status in ((4096, 404), (4097, 414)):
            self.assertEqual(client.get("/" + "a/" * 2000 + "a" * (length - 4001)).status, status)

    def test_unwanted_body_of_64_kib_is_read_past_and_a_longer_one_closes(self):
        self.serve()
        for length, connection in ((64 * KIB, None), (64 * KIB + 1, "close")):
            client = self.connect()
            client.send(client.head("POST", "/ping", {"Content-Length": length}))
            self.assertEqual(client.response().field("Connection"), connection)


class Timeouts(Case):
    """Clients are allowed two ticks. A client that is allowed longer shows it by taking three."""

    def serve_ticking(self, setting, ticking):
        """`ticking` is the setting by which the server closes the connections of tick()."""
        times = {name: "1h" for name in ("header", "body", "idle", "send")}
        times |= {setting: f"{2 * TICK_MS}ms", ticking: f"{TICK_MS}ms"}
        self.ticking = ticking
        return self.serve(
            "timeouts { %s }" % "  ".join(f"{name} = {time}" for name, time in times.items()))

    def tick(self):
        """A connection has timeouts.header before its first request and timeouts.idle after it."""
        with self.server.client() as client:
            if self.ticking == "idle":
                client.get("/ping")
            client.assert_closed()

    def test_header_timeout_just_under_is_served(self):
        self.serve_ticking("header", ticking="idle")
        client = self.connect()
        self.tick()
        for _ in range(2):  # each head has its own time, from its first byte on
            client.send(b"GET /ping HT")
            self.tick()
            client.send(b"TP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(client.response().body, b"pong")

    def test_header_timeout_just_over_is_408_however_it_drips(self):
        self.serve_ticking("header", ticking="idle")
        dripping = self.connect()
        dripping.send(b"GET /ping HT")
        self.tick()
        later = self.connect()
        later.send(b"GET /ping HT")
        dripping.send(b"TP/1.1\r\nHost:")
        self.assert_refused(dripping, 408)
        self.assertFalse(later.has_bytes_within(0.01))
        self.assert_refused(later, 408)

    def test_header_timeout_just_over_closes_who_asks_for_nothing(self):
        self.serve_ticking("header", ticking="idle")
        self.connect().assert_closed()

    def test_body_timeout_just_under_is_served_as_long_as_bytes_come(self):
        self.serve_ticking("body", ticking="idle")
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 4}))
        for byte in b"bod":
            client.send(bytes([byte]))
            self.tick()
        client.send(b"y")
        self.assertTrue(client.response().body.endswith(b"\nbody"))

    def test_body_timeout_just_over_is_408(self):
        self.serve_ticking("body", ticking="idle")
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 4}) + b"bod")
        self.assert_refused(client, 408)

    def test_idle_timeout_just_under_is_served(self):
        self.serve_ticking("idle", ticking="header")
        client = self.connect()
        for _ in range(4):
            self.assertEqual(client.get("/ping").body, b"pong")
            self.tick()
        self.assertEqual(client.get("/ping").body, b"pong")

    def test_idle_timeout_just_over_is_closed_without_a_word(self):
        self.serve_ticking("idle", ticking="header")
        client = self.connect()
        self.assertIsNone(client.get("/ping").field("Connection"))
        client.assert_closed()

    def begin_download(self):
        harness.write_sparse_file(self.server.root / "large", 64 * MIB)
        client = self.connect(receive_buffer=4096)
        client.send(client.head("GET", "/large"))
        return client

    def test_send_timeout_just_under_is_served_as_long_as_bytes_leave(self):
        self.serve_ticking("send", ticking="idle")
        client = self.begin_download()
        taken = []
        for _ in range(3):
            while sum(map(len, taken)) < 8 * MIB * (len(taken) > 0):
                taken.append(client.receive())
            self.tick()
        client.kept = b"".join(taken) + client.kept
        sink = harness.Sha256()
        client.response(sink=sink)
        self.assertEqual(sink.length, 64 * MIB)

    def test_send_timeout_just_over_is_cut(self):
        self.serve_ticking("send", ticking="idle")
        client = self.begin_download()
        harness.wait_until(lambda: self.server.counter("responses_cut") == 1)
        with self.assertRaises((harness.ConnectionEnded, ConnectionResetError)):
            client.response()

    def drain_a_download(self, drain):
        self.serve(f"timeouts {{ drain = {drain} }}")
        client = self.begin_download()
        client.receive(1)
        self.server.send_signal(signal.SIGTERM)
        self.server.await_stderr("draining")
        return client

    def test_drain_timeout_just_under_ends_whole(self):
        client = self.drain_a_download("1h")
        parts = []
        while data := client.receive():
            parts.append(len(data))
        self.assertGreater(sum(parts), 64 * MIB)
        self.assertEqual(self.server.await_exit(), 0)
        self.assertNotIn("timeouts.drain passed", self.server.stderr)

    def test_stuck_timeout_just_under_keeps_the_worker(self):
        self.serve("timeouts { stuck = 1h }")
        worker = self.server.worker_pid()
        harness.suspend(worker)
        client = self.connect()
        client.send(Client.head("GET", "/ping"))
        self.assertFalse(client.has_bytes_within(TICK_MS / 1000))
        os.kill(worker, signal.SIGCONT)
        self.assertEqual(client.response().body, b"pong")
        self.assertEqual(self.server.worker_pid(), worker)

    def test_stuck_timeout_just_over_replaces_the_worker(self):
        self.serve(f"timeouts {{ stuck = {4 * TICK_MS}ms }}")
        worker = self.server.worker_pid()
        harness.suspend(worker)
        client = self.connect()
        client.send(Client.head("GET", "/ping"))
        self.server.await_stderr(rf"error supervisor worker 1 \(pid {worker}\) has not reacted for "
                                 r"timeouts\.stuck \(state T \(stopped\).*\); replacing it$")
        self.assertEqual(client.response().body, b"pong")
        self.server.await_stderr(rf"worker 1 \(pid {worker}\) was killed by signal")
        self.assertGreaterEqual(self.server.stats()["restarts"], 1)

    def test_drain_timeout_just_over_is_cut(self):
        client = self.drain_a_download(f"{TICK_MS}ms")
        self.server.await_stderr("timeouts.drain passed")
        self.assertEqual(self.server.await_exit(), 0)
        received = 0
        try:
            while data := client.receive():
                received += len(data)
        except ConnectionResetError:
            pass
        self.assertLess(received, 64 * MIB)


class Everything(unittest.TestCase):
    """The settings come from the program's own description."""

    # How cases name the settings of a section; "{}" is for sections that are not listed here.
    CALLED = {"timeouts": "{}_timeout", "cache": "cache_{}"}

    def quantities(self):
        """The names that cases use for settings that are a size, a time or a number."""
        called = "{}"
        for line in harness.run("--help-config=markdown").stdout.splitlines():
            if match := re.match(r"#+ `?(\w+)", line):
                called = self.CALLED.get(match[1], "{}")
            elif match := re.match(r"\| `(\w+)` \| a (size|time|whole) ", line):
                yield called.format(match[1])

    def test_every_limit_has_a_case_on_either_side_of_it(self):
        cases = [name for each in (Limits, Timeouts) for name in dir(each)]
        limits = set(self.quantities()) - set(NO_LIMITS)
        self.assertLessEqual({"header_timeout", "store_bytes"}, limits)
        missing = [f"{name}: no client goes just {side} it"
                   for name in sorted(limits) for side in ("under", "over")
                   if not any(case.startswith(f"test_{name}_just_{side}_") for case in cases)]
        self.assertEqual(missing, [], "add cases, or say in NO_LIMITS what else it is")

    def test_what_is_no_limit_exists(self):
        self.assertLessEqual(set(NO_LIMITS), set(self.quantities()))


if __name__ == "__main__":
    harness.main()

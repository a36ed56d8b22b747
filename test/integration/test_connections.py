"""The connection itself: order, persistence, interim responses, and ends that lose nothing
(RFC 9112 §9; RFC 9110 §7.6.1, §7.8, §10.1.1, §15.2)."""

import json
import pathlib
import re
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Server  # noqa: E402

LARGE = harness.pattern_bytes(300 * KIB)
READ = harness.pattern_bytes(200 * KIB, seed=1)
TEXT = harness.pattern_bytes(70 * KIB, seed=2).hex().encode()  # more than is delivered unconsumed

LOCATIONS = {
    "/": 'endpoint = "static"',
    "/dynamic/": 'endpoint = "dynamic"',
    "/echo": 'endpoint = "echo"',
    "/palindrome": 'endpoint = "palindrome"',
    "/ping": 'endpoint = "ping"',
    "/stats": 'endpoint = "stats"',
    "/moved": 'redirect = "/ping"',
}


def chunked(body, length):
    pieces = [body[i:i + length] for i in range(0, len(body), length)]
    return b"".join(b"%x;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + \
        b"0\r\nT: u\r\n\r\n"


class Connections(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return Server(files={"large": LARGE, "dynamic/read": READ, "dynamic/short": b"short",
                             "directory/a": b""},
                      locations=LOCATIONS, sections="limits { body_bytes = 1M }")

    # Order (RFC 9112 §9.3.2)

    def exchanges(self, client):
        """Pairs of the bytes of a request and its response: method, status, body."""
        posted = client.head("POST", "/echo", {"Content-Length": len(TEXT)}) + TEXT
        in_chunks = client.head("POST", "/echo", {"Transfer-Encoding": "chunked"}) + \
            chunked(TEXT, 4099)
        unwanted = client.head("PUT", "/ping", {"Content-Length": 3000}) + b"x" * 3000
        part = client.head("GET", "/large", {"Range": "bytes=1000-100999"})
        return [
            (client.head("GET", "/ping"), ("GET", 200, b"pong")),
            (client.head("GET", "/large"), ("GET", 200, LARGE)),
            (posted, ("POST", 200, TEXT)),
            (client.head("HEAD", "/dynamic/read"), ("HEAD", 200, b"")),
            (client.head("GET", "/dynamic/read"), ("GET", 200, READ)),
            (client.head("GET", "/nothing"), ("GET", 404, b"404 Not Found\n")),
            (in_chunks, ("POST", 200, TEXT)),
            (part, ("GET", 206, LARGE[1000:101000])),
            (unwanted, ("PUT", 405, b"405 Method Not Allowed\n")),
            (client.head("BREW", "/ping"), ("BREW", 501, b"501 Not Implemented\n")),
            (client.head("HEAD", "/nothing"), ("HEAD", 404, b"")),
            (client.head("GET", "/large", {"If-None-Match": "*"}), ("GET", 304, b"")),
        ]

    def assert_answers(self, client, expected):
        method, status, body = expected
        response = client.response(method)
        self.assertEqual((response.status, response.interim), (status, []))
        echoed = response.body.partition(b"\r\n\r\n")[2] if method == "POST" else response.body
        self.assertEqual(echoed, body)

    def test_requests_of_every_kind_are_answered_in_order(self):
        client = self.connect()
        exchanges = self.exchanges(client) * 4
        sender = threading.Thread(
            target=client.send, args=(b"".join(request for request, _ in exchanges),))
        sender.start()
        for _, expected in exchanges:
            self.assert_answers(client, expected)
        sender.join()
        self.assertEqual(client.get("/ping").body, b"pong")

    def test_requests_of_every_kind_are_answered_in_order_to_a_client_that_is_slow_to_read(self):
        """RFC 9112 §9.3.2: the answers wait, and so do the later requests."""
        client = self.connect(receive_buffer=4 * KIB)
        exchanges = self.exchanges(client)
        requests = b"".join(request for request, _ in exchanges)
        sender = threading.Thread(target=client.send, args=(requests,))
        sender.start()
        for _, expected in exchanges:
            self.assert_answers(client, expected)
        sender.join()

    def test_answers_that_are_ready_together_leave_in_one_send(self):
        """RFC 9112 §9.3.2; the answer of a file is not ready at once, because the file is looked up
        first."""
        kinds = [("GET", "/ping", 200), ("HEAD", "/ping", 200), ("DELETE", "/ping", 405),
                 ("GET", "/moved", 301), ("BREW", "/ping", 501), ("GET", "/%zz", 400),
                 ("GET", "/ping/x", 404), ("GET", "/ping", 200)] * 2
        watcher, client = self.connect(), self.connect()
        client.get("/ping")
        first = self.sends(watcher)
        look = self.sends(watcher) - first
        client.send(b"".join(client.head(method, target) for method, target, _ in kinds))
        for method, _, status in kinds:
            self.assertEqual(client.response(method).status, status)
        self.assertEqual(self.sends(watcher) - first - 2 * look, 1)

    @harness.on_a_plain_wire_only
    def test_head_waits_for_what_is_read_and_leaves_with_it(self):
        watcher, client = self.connect(), self.connect()
        for target, fields, body in (("/dynamic/short", {}, b"short"),
                                     ("/large", {"Range": "bytes=1000-1999"}, LARGE[1000:2000])):
            with self.subTest(target):
                first = self.sends(watcher)
                look = self.sends(watcher) - first
                self.assertEqual(client.get(target, fields=fields).body, body)
                self.assertEqual(self.sends(watcher) - first - 2 * look, 1)

    def sends(self, watcher):
        return json.loads(watcher.get("/stats?format=json").body)["counters"]["sends"]

    def test_last_answer_and_the_end_leave_in_one_segment(self):
        """For a client that said close. The least of several tries counts: a busy machine sends
        acknowledgements in segments of their own."""
        kept = min(self.segments_of("/ping", {}) for _ in range(9))
        closed = min(self.segments_of("/ping", {"Connection": "close"}) for _ in range(9))
        self.assertEqual(closed, kept)

    def segments_of(self, target, fields):
        with self.server.client() as client:
            self.assertEqual(client.get(target, fields=fields).body, b"pong")
            if fields:
                client.assert_closed()
            return harness.segments_received(client.socket)

    # Interim responses (RFC 9110 §10.1.1, §15.2)

    def reading_body(self):
        return self.server.stats()["connections"]["input"]["reading_body"]

    def test_1_1_is_told_to_go_on_with_the_body_that_is_wanted(self):
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 3, "Expect": "100-Continue"}))
        client.kept = client.receive()
        self.assertEqual(client.kept, b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"abc")
        response = client.response()
        self.assertEqual([interim.status for interim in response.interim], [100])
        self.assertTrue(response.body.endswith(b"\r\n\r\nabc"))

    def test_1_0_gets_no_interim_response_however_long_it_waits(self):
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 3, "Expect": "100-continue"},
                                version="HTTP/1.0"))
        harness.wait_until(lambda: self.reading_body() == 1, what="a body awaited")
        client.send(b"abc")
        self.assert_answers(client, ("POST", 200, b"abc"))
        client.assert_closed()

    def test_expectation_without_a_body_is_not_told_to_go_on(self):
        """RFC 9110 §10.1.1: the server may leave out 100 if the body is there already."""
        for fields in ({"Expect": "100-continue"}, {"Expect": "100-continue", "Content-Length": 0}):
            client = self.connect()
            client.send(client.head("POST", "/echo", fields))
            self.assert_answers(client, ("POST", 200, b""))

    def test_expectation_of_a_body_that_nobody_wants_gets_the_answer_alone(self):
        """RFC 9110 §10.1.1: the client may send the body or not, so this is the last request."""
        client = self.connect()
        response = client.request("POST", "/ping", {"Content-Length": 3, "Expect": "100-continue"})
        self.assertEqual((response.status, response.interim), (405, []))
        self.assertEqual(response.field("Connection"), "close")
        client.assert_closed()

    # Upgrade (RFC 9110 §7.8)

    def test_upgrade_is_ignored(self):
        client = self.connect()
        for protocol, more in (("h2c", {"HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}),
                               ("websocket", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}),
                               ("TLS/1.0", {}), ("HTTP/3, x", {})):
            response = client.get("/ping", fields={
                "Connection": "Upgrade, HTTP2-Settings", "Upgrade": protocol, **more})
            self.assertEqual((response.status, response.body, response.interim),
                             (200, b"pong", []))
            self.assertEqual(response.all("Upgrade"), [])
            self.assertEqual(response.all("Connection"), [])

    # Persistence (RFC 9112 §9.3)

    def test_persistence_is_as_version_and_options_say(self):
        for version, options, field in (
                ("HTTP/1.1", None, None), ("HTTP/1.1", "keep-alive", None),
                ("HTTP/1.1", "close", "close"), ("HTTP/1.1", "x, CLOSE", "close"),
                ("HTTP/1.1", "keep-alive, close", "close"), ("HTTP/1.1", "closed", None),
                ("HTTP/1.0", None, "close"), ("HTTP/1.0", "Keep-Alive", "keep-alive"),
                ("HTTP/1.0", "close, keep-alive", "close"), ("HTTP/1.0", "x", "close")):
            for target in ("/ping", "/large", "/dynamic/read", "/nothing", "/moved"):
                with self.subTest(f"{version} {options} {target}"):
                    self.assert_persists(version, options, field, target)

    def assert_persists(self, version, options, field, target):
        with self.server.client() as client:
            fields = {"Connection": options} if options else {}
            response = client.get(target, version=version, fields=fields)
            self.assertEqual(response.field("Connection"), field)
            if field == "close":
                client.assert_closed()
            else:
                self.assertEqual(client.get("/ping").body, b"pong")

    def test_old_pipelined_requests_are_answered_as_long_as_they_ask_for_it(self):
        client = self.connect()
        kept = client.head("GET", "/ping", {"Connection": "keep-alive"}, version="HTTP/1.0")
        client.send(kept * 3 + client.head("GET", "/ping", version="HTTP/1.0") + kept)
        fields = [client.response().field("Connection") for _ in range(4)]
        self.assertEqual(fields, ["keep-alive"] * 3 + ["close"])
        client.assert_closed()

    # Ends (RFC 9112 §9.6)

    def test_client_that_is_still_sending_reads_the_whole_answer(self):
        """RFC 9112 §9.6: the server reads and discards further input; otherwise a reset would
        destroy the answer."""
        announced = 64 * MIB
        for name, status, head in (
                ("too long", 413, {"Content-Length": announced}),
                ("framed twice", 400, {"Content-Length": 1, "Transfer-Encoding": "chunked"}),
                ("unknown coding", 501, {"Transfer-Encoding": "x"}),
                ("unknown expectation", 417, {"Content-Length": announced, "Expect": "x"})):
            with self.subTest(name), self.server.client() as client:
                client.send(client.head("POST", "/echo", head))
                client.send(bytes(8 * MIB))
                self.assertEqual(client.response().status, status)
                client.assert_closed()

    def test_client_that_sends_a_body_that_nobody_wants_reads_the_whole_answer(self):
        """RFC 9112 §9.3, §9.6: the body is too long to be discarded, so the answer is the last
        one."""
        for target in ("/ping", "/large"):
            with self.subTest(target), self.server.client() as client:
                client.send(client.head("POST", target, {"Content-Length": MIB}))
                client.send(bytes(MIB))
                response = client.response()
                self.assertEqual((response.status, response.field("Connection")), (405, "close"))
                client.assert_closed()

    def test_client_that_sends_an_endless_head_reads_the_whole_answer(self):
        for line, status in ((b"GET /", 414), (b"GET / HTTP/1.1\r\nA: ", 431)):
            with self.subTest(status), self.server.client() as client:
                client.send(line + b"a" * (4 * MIB))
                self.assertEqual(client.response().status, status)
                client.assert_closed()


class LastAnswers(unittest.TestCase):
    def test_last_answer_is_read_whole_by_a_client_that_goes_on_sending(self):
        """RFC 9112 §9.6: the server closes, and the client cannot know that in advance. For files
        by zero copy and by reads."""
        with Server(files={"large": LARGE, "dynamic/read": READ}, locations=LOCATIONS,
                    settings={"keep_alive": "no"}) as server:
            for target, body in (("/large", LARGE), ("/dynamic/read", READ)) * 5:
                with self.subTest(target), server.client(receive_buffer=4 * KIB) as client:
                    client.send(client.head("GET", target) + client.head("GET", "/ping"))
                    client.send(client.head("GET", "/ping") * 20000)
                    response = client.response()
                    self.assertEqual(response.field("Connection"), "close")
                    self.assertEqual(response.body, body)
                    client.assert_closed()

    def test_stray_bytes_behind_a_closing_request_lose_nothing(self):
        """The kernel holds most of the answer when the server has finished with it."""
        body = harness.pattern_bytes(MIB)
        with Server(files={"file": body, "dynamic/read": body}, locations=LOCATIONS,
                    settings={"access_log": '"-"'}) as server:
            for target in ("/file?1", "/dynamic/read?2", "/file?3", "/dynamic/read?4"):
                with self.subTest(target), server.client(receive_buffer=4 * KIB) as client:
                    client.send(client.head("GET", target, {"Connection": "close"}))
                    server.await_stdout(f'"GET {re.escape(target)} HTTP/1.1" 200')
                    client.send(b"stray" * 100)
                    self.assertEqual(client.response().body, body)
                    client.assert_closed()


if __name__ == "__main__":
    harness.main()

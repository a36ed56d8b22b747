"""HTTP/1 as a client sees it: framing, persistence, refusals, deadlines (RFC 9110, RFC 9112)."""

import email.utils
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

GET_PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"

# The status for each of these requests. Nothing may follow the response (RFC 9112 §2.2, §3, §5,
# §6).
REFUSED = {
    "bare LF": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "bare LF behind a field": (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "NUL in a value": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400),
    "NUL in the target": (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "folded field": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "no field name": (b"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
    "two spaces in the request line": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: x\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "bad Host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "length and coding": (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                    b"Content-Length: 3\r\n\r\nabc", 400),
    "signed length": (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
    "list of lengths": (b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    "huge length": (b"POST /ping HTTP/1.1\r\nHost: x\r\n"
                    b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "unknown coding": (b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "bad escape": (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "encoded slash": (b"GET /a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "encoded NUL": (b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "rubbish": (b"\x15\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}

# These leave the connection usable: the server understood the request and refuses it.
DENIED = {
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "method not allowed": (b"DELETE /ping HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "nothing there": (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "below an endpoint": (b"GET /ping/x HTTP/1.1\r\nHost: x\r\n\r\n", 404),
}


class Http(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return Server(files={"index.html": b"<p>hello</p>\n", "pingx": b"a file",
                             "dynamic/text.txt": b"read, not spliced\n"})

    # Responses

    def test_ping_is_pong_with_every_field_of_a_response(self):
        response = self.server.get("/ping")
        self.assertEqual((response.version, response.status, response.body),
                         ("HTTP/1.1", 200, b"pong"))
        self.assertEqual(response.field("Content-Length"), "4")
        self.assertEqual(response.field("Server"), "Ringlet")
        self.assertRegex(response.field("Content-Type"), r"^text/plain")
        date = email.utils.parsedate_to_datetime(response.field("Date"))
        self.assertLess(abs(date.timestamp() - time.time()), 5)
        self.assertTrue(response.field("Date").endswith(" GMT"))
        self.assertIsNone(response.field("Connection"))

    def test_head_has_the_fields_of_get_and_no_body(self):
        client = self.connect()
        for target in ("/", "/ping", "/dynamic/text.txt", "/nothing"):
            with self.subTest(target):
                head = client.request("HEAD", target)
                get = client.get(target)
                self.assertEqual(head.status, get.status)
                names = [name for name, _ in head.fields if name != "Date"]
                self.assertEqual(names, [name for name, _ in get.fields if name != "Date"])
                self.assertEqual(head.field("Content-Length"), str(len(get.body)))

    def test_errors_have_a_short_plain_body_that_reflects_nothing(self):
        response = self.server.get("/nothing<script>")
        self.assertEqual((response.status, response.body), (404, b"404 Not Found\n"))
        self.assertRegex(response.field("Content-Type"), "^text/plain")
        for name in ("Date", "Server", "Content-Length"):
            self.assertIsNotNone(response.field(name))

    def test_not_allowed_names_what_is(self):
        with self.connect() as client:
            for target in ("/ping", "/"):
                response = client.request("POST", target, body=b"x")
                self.assertEqual(response.status, 405)
                self.assertEqual(response.field("Allow"), "GET, HEAD, OPTIONS")

    def test_location_matches_whole_segments_and_the_rest_are_files(self):
        with self.connect() as client:
            self.assertEqual(client.get("/ping").body, b"pong")
            self.assertEqual(client.get("/ping?x=y").body, b"pong")
            self.assertEqual(client.get("/pingx").body, b"a file")
            self.assertEqual(client.get("/ping/x").status, 404)
            self.assertEqual(client.get("/%70ing").body, b"pong")

    # Requests

    def test_request_may_come_byte_by_byte(self):
        with self.connect() as client:
            client.send_byte_by_byte(GET_PING)
            self.assertEqual(client.response().body, b"pong")

    def test_pipelined_requests_are_answered_in_order(self):
        with self.connect() as client:
            client.send(b"".join(
                client.head("GET", target)
                for target in ("/ping", "/", "/nothing", "/dynamic/text.txt") * 25))
            for _ in range(25):
                self.assertEqual(client.response().body, b"pong")
                self.assertEqual(client.response().body, b"<p>hello</p>\n")
                self.assertEqual(client.response().status, 404)
                self.assertEqual(client.response().body, b"read, not spliced\n")

    def test_many_pipelined_requests_do_not_overflow_anything(self):
        with self.connect() as client:
            client.send(GET_PING * 3000)
            for _ in range(3000):
                self.assertEqual(client.response().body, b"pong")

    def test_refused_requests_end_the_connection(self):
        for name, (request, status) in REFUSED.items():
            with self.subTest(name), self.connect() as client:
                client.send(request)
                response = client.response()
                self.assertEqual(response.status, status)
                self.assertRegex(response.body, rb"^%d [A-Z][^\n]*\n$" % status)
                if not name.startswith(("bad escape", "encoded")):
                    self.assertEqual(response.field("Connection"), "close")
                    client.assert_closed()

    def test_nothing_after_a_refused_request_is_answered(self):
        with self.connect() as client:
            client.send(REFUSED["two lengths"][0] + GET_PING)
            self.assertEqual(client.response().status, 400)
            client.assert_closed()

    def test_denied_requests_leave_the_connection_open(self):
        for name, (request, status) in DENIED.items():
            with self.subTest(name), self.connect() as client:
                client.send(request)
                self.assertEqual(client.response().status, status)
                self.assertEqual(client.get("/ping").body, b"pong")

    def test_every_bad_request_has_its_reason_in_the_log(self):
        self.connect().send(REFUSED["two lengths"][0])
        self.server.await_stderr(r" info .*400.*Content-Length")

    def test_long_heads_are_431_and_long_lines_414(self):
        with self.connect() as client:
            client.send(b"GET /ping HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 17000 + b"\r\n\r\n")
            self.assertEqual(client.response().status, 431)
        with self.connect() as client:
            client.send(b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(client.response().status, 414)
        with self.connect() as client:
            client.send(b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n")
            self.assertEqual(client.response().status, 431)
        with self.connect() as client:
            client.send(b"GET /ping HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 16000 + b"\r\n\r\n")
            self.assertEqual(client.response().status, 200)

    def test_unwanted_bodies_are_read_past(self):
        with self.connect() as client:
            client.send(b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n")
            client.send(b"x" * 30000 + GET_PING)
            self.assertEqual(client.response().status, 405)
            self.assertEqual(client.response().body, b"pong")

    def test_old_client_needs_no_host(self):
        with self.connect() as client:
            response = client.get("/ping", version="HTTP/1.0", host=None)
            self.assertEqual((response.body, response.field("Connection")), (b"pong", "close"))
            client.assert_closed()

    def test_old_client_may_ask_to_keep_the_connection(self):
        with self.connect() as client:
            for _ in range(2):
                response = client.get("/ping", version="HTTP/1.0",
                                      fields={"Connection": "Keep-Alive"})
                self.assertEqual(response.field("Connection"), "keep-alive")

    def test_client_that_asks_for_close_gets_it(self):
        with self.connect() as client:
            response = client.get("/ping", fields={"Connection": "close"})
            self.assertEqual(response.field("Connection"), "close")
            client.assert_closed()

    def test_requests_behind_a_close_are_not_answered(self):
        """RFC 9112 §9.6"""
        with self.connect() as client:
            client.send(client.head("GET", "/ping", {"Connection": "close"}) + GET_PING)
            self.assertEqual(client.response().field("Connection"), "close")
            client.assert_closed()

    def test_targets_of_other_schemes_are_refused(self):
        """RFC 9110 §7.4: a request for https did not come over https; RFC 9112 §3.2.3, §3.2.4"""
        with self.connect() as client:
            for target in ("https://localhost/ping", "ftp://localhost/ping", "localhost:80", "*"):
                with self.subTest(target):
                    self.assertEqual(client.get(target).status, 400)

    def test_every_minor_version_is_answered_with_1_1(self):
        """RFC 9110 §2.5, §6.2"""
        for version in ("HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9"):
            with self.subTest(version), self.connect() as client:
                response = client.get("/ping", version=version)
                self.assertEqual((response.version, response.body), ("HTTP/1.1", b"pong"))

    def test_half_closed_client_gets_its_answers(self):
        with self.connect() as client:
            client.send(client.head("GET", "/") + GET_PING)
            client.end_sending()
            self.assertEqual(client.response().body, b"<p>hello</p>\n")
            self.assertEqual(client.response().body, b"pong")
            client.assert_closed()

    def test_absolute_target_is_understood(self):
        with self.connect() as client:
            self.assertEqual(client.get("http://example.com/ping").body, b"pong")


class Settings(unittest.TestCase):
    def test_without_keep_alive_every_response_closes(self):
        with Server(files={"index.html": b"hello"}, settings={"keep_alive": "no"}) as server:
            for target, body in (("/", b"hello"), ("/ping", b"pong"), ("/x", b"404 Not Found\n")):
                with server.client() as client:
                    response = client.get(target)
                    self.assertEqual(response.body, body)
                    self.assertEqual(response.field("Connection"), "close")
                    client.assert_closed()

    def test_last_of_the_allowed_requests_says_close(self):
        with Server(sections="limits { keep_alive_requests = 3 }") as server:
            with server.client() as client:
                for _ in range(2):
                    self.assertIsNone(client.get("/ping").field("Connection"))
                self.assertEqual(client.get("/ping").field("Connection"), "close")
                client.assert_closed()

    def test_header_limit_is_the_configured_one(self):
        with Server(sections="limits { header_bytes = 1K }") as server:
            head = b"GET /ping HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n"
            for length, status in ((1024, 200), (1025, 431)):
                with self.subTest(length), server.client() as client:
                    client.send(head.replace(b"A: ", b"A: " + b"a" * (length - len(head))))
                    self.assertEqual(client.response().status, status)

    def test_body_limit_is_the_configured_one(self):
        with Server(sections="limits { body_bytes = 1K }") as server:
            for length, status in ((1024, 405), (1025, 413)):
                with self.subTest(length), server.client() as client:
                    client.send(client.head("POST", "/ping", {"Content-Length": length}))
                    client.send(b"x" * length)
                    self.assertEqual(client.response().status, status)

    def test_slow_head_is_408_and_silence_is_closed(self):
        sections = "timeouts { header = 300ms  idle = 300ms }"
        with Server(sections=sections) as server:
            with server.client() as client:
                client.send(b"GET /ping HT")
                self.assertEqual(client.response().status, 408)
                client.assert_closed()
            with server.client() as client:
                client.assert_closed()
            with server.client() as client:
                client.get("/ping")
                client.assert_closed()

    def test_client_that_takes_nothing_is_reset(self):
        """A FIN would stand behind megabytes that the kernel keeps for minutes."""
        with Server(sections="timeouts { send = 500ms }") as server:
            harness.write_sparse_file(server.root / "large", 50 * harness.MIB)
            with server.client(receive_buffer=4096) as client:
                client.send(client.head("GET", "/large"))
                harness.wait_until(
                    lambda: server.stats()["counters"]["responses_cut"] == 1)
                with self.assertRaises(ConnectionResetError):
                    while client.socket.recv(harness.MIB):
                        pass

    def test_access_log_knows_a_client_that_is_gone(self):
        with Server(settings={"access_log": '"-"'}) as server:
            harness.write_sparse_file(server.root / "large", 50 * harness.MIB)
            with server.client() as client:
                client.send(client.head("GET", "/large"))
                client.receive(1000)
                client.reset()
            server.await_stdout(r'^127\.0\.0\.1 - .*"GET /large HTTP/1\.1" 200 ')

    def test_debug_log_prints_each_transition(self):
        with Server(settings={"log_level": "debug"}) as server:
            server.get("/ping")
            server.await_stderr(r"connection \d+: reading \+ head_read -> handling$")
            server.await_stderr(r"connection \d+: handling \+ answered -> sending$")

    def test_states_and_counters_stand_in_stats(self):
        with Server(files={"dynamic/a": b"x"}) as server:
            with server.client() as held:
                held.get("/ping")
                stats = server.stats()
                self.assertEqual(stats["backend"], server.backend)
                # The held connection, and the one that requests the count: its request is on its
                # way to the endpoint.
                self.assertEqual(stats["connections"]["output"]["reading"], 2)
                self.assertEqual(stats["connections"]["input"]["reading_head"], 1)
                self.assertEqual(stats["connections"]["input"]["holding"], 1)
                self.assertEqual(stats["counters"]["requests"], 1)
                self.assertGreater(stats["counters"]["transitions"], 3)


if __name__ == "__main__":
    harness.main()

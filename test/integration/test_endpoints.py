"""The endpoints as a client sees them, on a real server (docs/endpoints.md)."""

import json
import pathlib
import random
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402


def chunked(body, length=1000):
    """A body in chunks of `length` bytes."""
    chunks = [body[i:i + length] for i in range(0, len(body), length)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def post_chunked(client, target, body, length=1000, method="POST", fields=()):
    client.send(client.head(method, target, [*fields, ("Transfer-Encoding", "chunked")]))
    client.send(chunked(body, length))
    return client.response()


class Case(harness.ServerCase):
    """A server for all tests of the class, with the class's locations."""

    locations = {}
    sections = ""

    @classmethod
    def make_server(cls):
        return Server(locations={**cls.locations, "/stats": 'endpoint = "stats"'},
                      sections=cls.sections)


class Ping(Case):
    """test/bench/test_counters.py tests that it allocates nothing."""

    locations = {"/ping": 'endpoint = "ping"'}

    def test_answer_is_pong_and_nothing_else(self):
        client = self.connect()
        response = client.get("/ping")
        self.assertEqual((response.status, response.body), (200, b"pong"))
        self.assertEqual([name for name, _ in response.fields],
                         ["Date", "Server", "Content-Type", "Content-Length"])
        self.assertEqual((response.field("Content-Length"), response.field("Content-Type")),
                         ("4", "text/plain"))
        self.assertEqual(client.request("HEAD", "/ping").fields, response.fields)
        self.assertEqual(client.get("/ping/x").status, 404)
        self.assertEqual(client.request("POST", "/ping", body=b"x").status, 405)

    def test_answer_is_one_send_and_no_file_operation(self):
        client = self.connect()

        def counters():
            return json.loads(client.get("/stats?format=json").body)["counters"]

        before = counters()
        for _ in range(100):
            client.get("/ping")
        grown = {name: value - before[name] for name, value in counters().items()}
        self.assertEqual((grown["requests"], grown["sends"]), (101, 101))
        for name in ("opens", "stats", "reads", "writes", "sendfiles", "sendfile_calls",
                     "splices", "pool_works", "short_sends"):
            self.assertEqual(grown[name], 0, name)


class Echo(Case):
    locations = {"/echo": 'endpoint = "echo"', "/open": 'endpoint = "echo"  redact = no'}
    sections = "limits { body_bytes = 256K }"

    def test_request_comes_back_as_it_was(self):
        client = self.connect()
        head = (b"POST /echo?a=%62 HTTP/1.1\r\nHost: x\r\nx-OdD: \xc3\xa4 b\r\n"
                b"Content-Length: 4\r\n\r\n")
        client.send(head + b"body")
        response = client.response()
        self.assertEqual((response.status, response.body), (200, head + b"body"))
        self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(response.field("X-Content-Type-Options"), "nosniff")

    def test_secrets_are_redacted_unless_the_location_says_no(self):
        fields = {"Cookie": "secret", "AUTHORIZATION": "secret", "Proxy-Authorization": "secret"}
        hidden = self.server.get("/echo", fields=fields).body
        self.assertNotIn(b"secret", hidden)
        self.assertEqual(hidden.count(b": [redacted]\r\n"), 3)
        self.assertEqual(self.server.get("/open", fields=fields).body.count(b": secret\r\n"), 3)

    def test_bodies_of_any_length_and_framing_come_back(self):
        client = self.connect()
        for length in (1, 4079, 4080, 4081, 65536, 256 * harness.KIB):
            body = harness.pattern_bytes(length)
            with self.subTest(length):
                response = client.request("PUT", "/echo", body=body)
                self.assertEqual(response.body.split(b"\r\n\r\n", 1)[1], body)
                response = post_chunked(client, "/echo", body, 999)
                self.assertEqual(response.body.split(b"\r\n\r\n", 1)[1], body)

    def test_body_of_tiny_chunks_comes_back(self):
        response = post_chunked(self.connect(), "/echo", b"abc" * 5000, 1)
        self.assertTrue(response.body.endswith(b"\r\n\r\n" + b"abc" * 5000))

    def test_body_beyond_the_limit_is_413(self):
        too_long = b"x" * (256 * harness.KIB + 1)
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": len(too_long)}))
        self.assertEqual(client.response().status, 413)
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Transfer-Encoding": "chunked"}))
        client.send(chunked(too_long, 65536)[:-5])
        self.assertEqual(client.response().status, 413)

    def test_body_is_only_asked_for_when_it_is_wanted(self):
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 2,
                                                  "Expect": "100-continue"}))
        client.send(b"ok")
        self.assertTrue(client.response().body.endswith(b"\r\n\r\nok"))

    def test_broken_bodies_are_400_and_late_ones_408(self):
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Transfer-Encoding": "chunked"}) + b"zz\r\n")
        self.assertEqual(client.response().status, 400)
        client = self.connect()
        client.send(client.head("POST", "/echo", {"Content-Length": 9}) + b"half")
        client.end_sending()
        self.assertEqual(client.response().status, 400)
        # A server of its own: on a slow machine the other cases' bodies are late as well.
        with Server(locations=self.locations, sections="timeouts { body = 500ms }") as server:
            with server.client() as client:
                client.send(client.head("POST", "/echo", {"Content-Length": 9}) + b"half")
                self.assertEqual(client.response().status, 408)

    def test_client_that_goes_away_in_its_body_leaves_nothing(self):
        for _ in range(20):
            client = self.connect()
            client.send(client.head("POST", "/echo", {"Content-Length": 100000}) + b"x" * 50000)
            client.reset()
        self.assertEqual(self.server.get("/echo").status, 200)

    def test_head_has_no_body_but_its_length(self):
        client = self.connect()
        response = client.request("HEAD", "/echo")
        self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(client.get("/echo").status, 200)


class GatheredBytes(Case):
    locations = {"/echo": 'endpoint = "echo"'}
    sections = "limits { gathered_bytes = 1M }"

    def test_bodies_of_all_clients_together_are_bounded_and_given_back(self):
        body = b"x" * 250 * harness.KIB
        head = harness.Client.head("POST", "/echo", {"Transfer-Encoding": "chunked"})
        held = [self.connect() for _ in range(4)]
        for client in held:
            client.send(head + b"%x\r\n" % len(body) + body)
        # A request before that would take memory that one of them needs, and that one would be
        # refused.
        harness.wait_until(
            lambda: self.server.counter("bytes_received") >= len(held) * len(body))

        def status():
            return self.connect().request("POST", "/echo", body=body[:30000]).status

        harness.wait_until(lambda: status() == 503)
        self.assertEqual(self.connect().get("/echo").status, 200)
        for client in held:
            client.reset()
        harness.wait_until(lambda: status() == 200)


class Palindrome(Case):
    locations = {"/palindrome": 'endpoint = "palindrome"'}

    def ask(self, text, query="", **fields):
        client = self.connect()
        response = client.request("POST", "/palindrome" + query, fields, text) if text else \
            client.request("POST", "/palindrome" + query, [("Content-Length", 0)])
        self.assertEqual(response.field("Content-Type"), "application/json")
        return response.status, json.loads(response.body)

    def test_answer_is_json_with_the_length_in_code_points(self):
        self.assertEqual(self.server.client().request("POST", "/palindrome", body=b"racecar").body,
                         b'{"palindrome": true, "length": 7}\n')
        self.assertEqual(self.ask(b""), (200, {"palindrome": True, "length": 0}))
        self.assertEqual(self.ask("\u00e4\u20ac\U0001f600".encode()),
                         (200, {"palindrome": False, "length": 3}))

    def test_fold_passes_over_case_spaces_and_punctuation(self):
        text = b"A man, a plan, a canal: Panama!"
        self.assertFalse(self.ask(text)[1]["palindrome"])
        self.assertTrue(self.ask(text, "?fold=1")[1]["palindrome"])
        self.assertFalse(self.ask(text, "?fold=0")[1]["palindrome"])

    def test_text_is_for_whom_accepts_text(self):
        client = self.connect()
        for body, answer in ((b"abba", b"true\n"), (b"abb", b"false\n")):
            response = client.request("POST", "/palindrome", {"Accept": "text/plain"}, body)
            self.assertEqual((response.status, response.body), (200, answer))
            self.assertRegex(response.field("Content-Type"), "^text/plain")

    def test_texts_by_chance_are_judged_as_python_does(self):
        chance = random.Random(4)
        client = self.connect()
        for _ in range(300):
            half = bytes(chance.choice(b"ab \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0")
                         for _ in range(chance.randrange(6)))
            body = half + half.decode("utf-8", "ignore")[::-1].encode()
            if not body:
                continue
            response = client.request("POST", "/palindrome", body=body)
            try:
                text = body.decode()
            except UnicodeDecodeError as error:
                expected = 400, {"error": "invalid UTF-8", "offset": error.start}
            else:
                expected = 200, {"palindrome": text == text[::-1], "length": len(text)}
            with self.subTest(body):
                self.assertEqual((response.status, json.loads(response.body)), expected)

    def test_long_and_chunked_texts_up_to_the_limit(self):
        client = self.connect()
        text = ("\u20ac" * 170000 + "x" + "\u20ac" * 170000).encode()
        for length in (1000, 16384):
            response = post_chunked(client, "/palindrome", text, length)
            self.assertEqual(json.loads(response.body), {"palindrome": True, "length": 340001})
        client.send(client.head("POST", "/palindrome", {"Transfer-Encoding": "chunked"}))
        client.send(chunked(b"x" * (harness.MIB + 1), 65536)[:-5])
        self.assertEqual(client.response().status, 413)

    def test_other_methods_are_405(self):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            response = self.connect().request(method, "/palindrome")
            self.assertEqual((response.status, response.field("Allow")), (405, "POST, OPTIONS"))


class Health(unittest.TestCase):
    locations = {"/healthz": 'endpoint = "health"', "/readyz": 'endpoint = "ready"'}

    def test_ready_is_503_while_draining_and_health_is_not(self):
        with Server(locations=self.locations) as server, server.client() as first, \
                server.client() as second:
            self.assertEqual((first.get("/healthz").status, first.get("/readyz").status),
                             (200, 200))
            second.get("/readyz")
            server.send_signal(signal.SIGTERM)
            server.await_stderr("draining")
            response = first.get("/readyz")
            self.assertEqual((response.status, response.body), (503, b"draining\n"))
            self.assertEqual(second.get("/healthz").status, 200)
            self.assertEqual(server.await_exit(), 0)


class Methods(Case):
    locations = {"/post": 'endpoint = "echo"  methods = {"POST", "PUT"}',
                 "/get": 'endpoint = "ping"  methods = {"POST", "GET"}',
                 "/all": 'endpoint = "echo"'}

    def test_allowed_are_those_of_the_location_that_the_endpoint_knows(self):
        client = self.connect()
        for target, allowed in (("/post", ["POST", "PUT"]), ("/get", ["GET", "HEAD"]),
                                ("/all", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])):
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
                with self.subTest(target=target, method=method):
                    response = client.request(method, target)
                    self.assertEqual(response.status, 200 if method in allowed else 405)
                    if method not in allowed:
                        self.assertEqual(response.field("Allow"),
                                         ", ".join([*allowed, "OPTIONS"]))


if __name__ == "__main__":
    harness.main()

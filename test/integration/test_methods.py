"""Methods: which are known, which are allowed where, and HEAD, which is GET without a body (RFC
9110 §9, §15.5.6, §15.6.2)."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

LOCATIONS = {
    "/": 'endpoint = "static"',
    "/dynamic/": 'endpoint = "dynamic"',
    "/pages/": 'error_page = {"404 /lost.html"}',
    "/list/": "autoindex = yes",
    "/packed/": 'precompressed = {"gz"}',
    "/ping": 'endpoint = "ping"',
    "/echo": 'endpoint = "echo"',
    "/old/": 'redirect = "/new/" expires = 1h',
    "/palindrome": 'endpoint = "palindrome"',
    "/health": 'endpoint = "health"',
    "/ready": 'endpoint = "ready"',
    "/closed/": 'endpoint = "static" deny = {"all"}',
    "/post": 'endpoint = "echo" methods = {"POST", "PUT"}',
    "/get": 'endpoint = "echo" methods = {"GET"}',
    "/stats": 'endpoint = "stats"',
    "/metrics": 'endpoint = "metrics"',
}
FILES = {"a.txt": b"some text", "empty": b"", "dynamic/b.txt": b"read", "lost.html": b"<p>lost",
         "list/x": b"", "d/index.html": b"<p>index", "packed/p.txt": b"p" * 100,
         "packed/p.txt.gz": b"packed", "bare/.x": b""}


class Case(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return Server(files=FILES, locations=LOCATIONS)


class Allowed(Case):
    def test_options_lists_the_methods_of_any_path(self):
        """RFC 9110 §9.3.7, §10.2.1"""
        client = self.connect()
        for target, methods in (
                ("/", "GET, HEAD"), ("/a.txt", "GET, HEAD"), ("/dynamic/x?y", "GET, HEAD"),
                ("/palindrome", "POST"), ("/echo", "GET, HEAD, POST, PUT, DELETE, PATCH"),
                ("/post", "POST, PUT"), ("/get", "GET, HEAD"), ("/stats", "GET, HEAD"),
                ("*", "GET, HEAD, POST, PUT, DELETE, PATCH")):
            with self.subTest(target):
                response = client.request("OPTIONS", target)
                self.assertEqual((response.status, response.body), (200, b""))
                self.assertEqual(response.field("Allow"), f"{methods}, OPTIONS")
                self.assertEqual(response.field("Content-Length"), "0")

    def test_options_is_refused_where_every_request_is(self):
        client = self.connect()
        for target, status in (("/closed/", 403), ("/ping/x", 404), ("/%", 400)):
            self.assertEqual(client.request("OPTIONS", target).status, status)

    def test_known_methods_that_are_not_allowed_are_405(self):
        """RFC 9110 §15.5.6; no endpoint allows TRACE (§9.3.8) and CONNECT (§9.3.6)"""
        client = self.connect()
        for method, target, allowed in (
                ("POST", "/a.txt", "GET, HEAD"), ("PUT", "/none", "GET, HEAD"),
                ("DELETE", "/dynamic/b.txt", "GET, HEAD"), ("PATCH", "/ping", "GET, HEAD"),
                ("GET", "/palindrome", "POST"), ("HEAD", "/post", "POST, PUT"),
                ("TRACE", "/", "GET, HEAD"), ("TRACE", "/post", "POST, PUT"),
                ("CONNECT", "example.com:443", "GET, HEAD, POST, PUT, DELETE, PATCH")):
            with self.subTest(method=method, target=target):
                response = client.request(method, target)
                self.assertEqual(response.status, 405)
                self.assertEqual(response.field("Allow"), f"{allowed}, OPTIONS")

    def test_unknown_methods_are_501(self):
        """RFC 9110 §9.1, §15.6.2; methods are case-sensitive"""
        client = self.connect()
        for method in ("BREW", "get", "Head", "PROPFIND", "X-1", "!#$%&'*+-.^_`|~", "M" * 1000):
            with self.subTest(method):
                response = client.request(method, "/a.txt")
                self.assertEqual((response.status, response.field("Allow")), (501, None))

    def test_body_of_a_refused_method_is_no_request(self):
        client = self.connect()
        inner = client.head("GET", "/ping")
        for method in ("POST", "TRACE", "OPTIONS", "BREW"):
            client.send(client.head(method, "/a.txt", {"Content-Length": len(inner)}) + inner)
            self.assertIn(client.response().status, (200, 405, 501))
        self.assertEqual(client.get("/ping").body, b"pong")


class Head(Case):
    # Targets for GET and then HEAD, and the status of both.
    REQUESTS = (
        (200, "/a.txt", {}), (200, "/empty", {}), (200, "/dynamic/b.txt", {}), (200, "/d/", {}),
        (200, "/list/", {}), (200, "/ping", {}), (200, "/health", {}),
        (200, "/ready", {}), (200, "/packed/p.txt", {"Accept-Encoding": "gzip"}),
        (301, "/d", {}), (301, "/old/x?y", {}),
        (304, "/a.txt", {"If-None-Match": "*"}), (304, "/dynamic/b.txt", {"If-None-Match": "*"}),
        (304, "/packed/p.txt", {"If-None-Match": "*", "Accept-Encoding": "gzip"}),
        (400, "/%zz", {}), (403, "/bare/", {}), (403, "/closed/x", {}),
        (404, "/none", {}), (404, "/dynamic/none", {}), (404, "/ping/x", {}), (404, "/pages/x", {}),
        (405, "/palindrome", {}), (405, "/post", {}),
        (406, "/packed/p.txt", {"Accept-Encoding": "gzip;q=0, identity;q=0"}),
        (412, "/a.txt", {"If-Match": '"other"'}), (414, "/" + "a" * 5000, {}),
    )

    def assert_alike(self, get, head, status):
        self.assertEqual((get.status, head.status), (status, status))
        self.assertEqual([field for field in head.fields if field[0] not in ("Date", "Expires")],
                         [field for field in get.fields if field[0] not in ("Date", "Expires")])
        self.assertEqual(head.body, b"")

    def test_fields_are_those_of_get_for_every_status_and_there_is_no_body(self):
        """RFC 9110 §9.3.2"""
        client = self.connect()
        for status, target, fields in self.REQUESTS:
            with self.subTest(status=status, target=target[:20]):
                get = client.get(target, fields=fields)
                self.assert_alike(get, client.request("HEAD", target, fields), status)
        self.assertEqual(client.get("/ping").body, b"pong")

    def test_bodies_that_change_have_the_same_names_of_fields(self):
        client = self.connect()
        for target in ("/stats", "/stats?format=json", "/metrics", "/echo", "/get"):
            get, head = client.get(target), client.request("HEAD", target)
            self.assertEqual((get.status, head.status, head.body), (200, 200, b""))
            self.assertEqual([name for name, _ in get.fields], [name for name, _ in head.fields])

    def test_range_means_nothing_to_head(self):
        """RFC 9110 §14.2: neither 206 nor 416"""
        client = self.connect()
        for target in ("/a.txt", "/dynamic/b.txt"):
            get = client.get(target)
            for value in ("bytes=0-1", "bytes=0-0,2-2", "bytes=1000-", "x"):
                head = client.request("HEAD", target, {"Range": value})
                self.assert_alike(get, head, 200)

    def test_old_client_gets_no_body_either(self):
        for status, target, fields in self.REQUESTS:
            with self.subTest(status=status, target=target[:20]), self.server.client() as client:
                client.send(client.head("HEAD", target, fields, version="HTTP/1.0"))
                self.assertEqual(client.response("HEAD").status, status)
                client.assert_closed()

    def test_refused_head_that_began_with_head_has_no_body(self):
        for fields in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n"):
            with self.subTest(fields), self.server.client() as client:
                client.send(b"HEAD / HTTP/1.1\r\n" + fields + b"\r\n")
                self.assertEqual(client.response("HEAD").status, 400)
                client.assert_closed()


if __name__ == "__main__":
    harness.main()

"""Which site answers: Host and the authority of the target (RFC 9110 §7.2, RFC 9112 §3.2)."""

import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

SITES = ("example.com", "*.example.com", "*.b.example.com", "a.b.example.com", "[::1]", "192.0.2.1")


def serve(case, *sites):
    """Each site serves its name as the file /name, and sends it in a field."""
    text = ['listen "127.0.0.1:0" {}', "workers = 1", 'access_log = ""']
    files = {}
    for number, site in enumerate(sites):
        files[f"{number}/name"] = site.encode()
        text.append(f'site "{site}" {{\n  root = "{{root}}/{number}"\n'
                    f'  add_header = {{"X-Site: {site}"}}\n}}')
    # The directories must exist before the configuration is checked.
    return case.enterContext(Server(files=files, configuration="\n".join([*text, ""])))


class Hosts(unittest.TestCase):
    def assert_site(self, server, host, site):
        with self.subTest(host=host):
            response = server.get("/name", host=host)
            self.assertEqual((response.status, response.body.decode()), (200, site))
            self.assertEqual(response.field("X-Site"), site)

    def test_the_best_name_answers_whatever_case_port_and_final_dot(self):
        server = serve(self, "first.org", *SITES)
        for host, site in (
                ("example.com", "example.com"), ("EXAMPLE.com.:8080", "example.com"),
                ("example.com:", "example.com"), ("www.example.com", "*.example.com"),
                ("b.example.com", "*.example.com"), ("c.B.example.com:1", "*.b.example.com"),
                ("d.c.b.example.com.", "*.b.example.com"), ("a.b.example.com", "a.b.example.com"),
                ("[::1]:80", "[::1]"), ("192.0.2.1:80", "192.0.2.1"),
                ("notexample.com", "first.org"), ("example.com.org", "first.org")):
            self.assert_site(server, host, site)

    def test_other_names_go_to_the_site_for_any_or_else_to_the_first(self):
        server = serve(self, "first.org", "*.example.com", "*")
        for host in ("other.org", "example.com", "localhost", "[::2]", "1.2.3.4", ""):
            self.assert_site(server, host, "*")
        server = serve(self, "first.org", "second.org")
        for host in ("other.org", "", "second"):
            self.assert_site(server, host, "first.org")
        self.assert_site(server, "second.org", "second.org")

    def test_old_client_without_host_gets_the_default_site(self):
        for sites, name in ((("first.org", "*"), "*"), (("first.org", "second.org"), "first.org")):
            server = serve(self, *sites)
            response = server.get("/name", version="HTTP/1.0", host=None)
            self.assertEqual(response.body.decode(), name)
            response = server.get("/name", version="HTTP/1.0", host=sites[1])
            self.assertEqual(response.body.decode(), sites[1])

    def test_authority_of_the_target_outweighs_host(self):
        """RFC 9112 §3.2.2"""
        server = serve(self, "*", "example.com", "*.example.com")
        for target, host, site in (
                ("http://example.com/name", "www.example.com", "example.com"),
                ("HTTP://WWW.example.com:8080/name", "example.com", "*.example.com"),
                ("http://other.org/name", "example.com", "*"), ("/name", "example.com",
                                                                "example.com")):
            with self.subTest(target):
                response = server.get(target, host=host)
                self.assertEqual((response.status, response.body.decode()), (200, site))

    def test_host_that_is_missing_doubled_or_none_is_400(self):
        """RFC 9112 §3.2"""
        server = serve(self, "*")
        for fields in ("", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n",
                       *(f"Host: {value}\r\n" for value in (
                           "user@a", "user:secret@a", "a:b", "a:65536", "a:-1", "a:80:80", ":80",
                           "[::1", "::1", "[]", "[::g]", "[::1]a", "a/b", "http://a", "a b", "a,b c",
                           "a?b", "a#b", "a\\b", "\xe4", "a\tb", "<a>", '"a"'))):
            with self.subTest(fields), server.client() as client:
                client.send(f"GET /name HTTP/1.1\r\n{fields}\r\n")
                self.assertEqual(client.response().status, 400)
                client.assert_closed()
        for target in ("http://user@a/name", "http://a:b/name", "http:///name", "http://[::1/name"):
            self.assertEqual(server.get(target).status, 400)
        with server.client() as client:  # the target does not replace the missing Host
            client.send(b"GET http://a/name HTTP/1.1\r\n\r\n")
            self.assertEqual(client.response().status, 400)


class SeveralNames(unittest.TestCase):
    """One site with several names; canonical = yes redirects the others to the first."""

    def serve(self, canonical):
        text = ('listen ":0"\nworkers = 1\naccess_log = off\n'
                'site "first.org" { root = "{root}" }\n'
                'site "example.com" "www.example.com" "*.example.net" "[::1]" {\n'
                f'  root = "{{root}}/b"\n  canonical = {canonical}\n'
                '  location "/echo" { endpoint = echo }\n}\n')
        return self.enterContext(Server(files={"name": b"a", "b/name": b"b"},
                                        configuration=text))

    def test_all_names_lead_to_the_same_site(self):
        server = self.serve("no")
        for host, body in (("example.com", b"b"), ("www.example.com:8080", b"b"),
                           ("x.example.net", b"b"), ("[::1]:80", b"b"), ("first.org", b"a"),
                           ("other.example.com", b"a"), ("", b"a")):
            with self.subTest(host):
                response = server.get("/name", host=host)
                self.assertEqual((response.status, response.body), (200, body))

    def test_others_are_redirected_to_the_first(self):
        server = self.serve("yes")
        for host, target, location in (
                ("www.example.com", "/name", "//example.com/name"),
                ("WWW.example.com.:8080", "/a%20b/?q=1&r", "//example.com:8080/a%20b/?q=1&r"),
                ("x.example.net", "/", "//example.com/"),
                ("[::1]:81", "//evil.org/x", "//example.com:81//evil.org/x"),
                ("other.org", "http://www.example.com:82/name", "//example.com:82/name")):
            with self.subTest(host):
                response = server.get(target, host=host)
                self.assertEqual((response.status, response.field("Location")), (308, location))
        for host, body in (("example.com", b"b"), ("EXAMPLE.com:8080", b"b"), ("first.org", b"a"),
                           ("other.org", b"a")):
            with self.subTest(host):
                response = server.get("/name", host=host)
                self.assertEqual((response.status, response.body), (200, body))

    def test_the_method_stays(self):
        server = self.serve("yes")
        with server.client() as client:
            response = client.request("POST", "/echo", body=b"some", host="www.example.com")
            self.assertEqual(response.status, 308)
            self.assertEqual(client.get("/name", host="example.com").status, 200)


class Dual(unittest.TestCase):
    """A listen of every address takes IPv4 and IPv6 clients, and knows IPv4 ones for what they
    are."""

    def test_both_families_are_served(self):
        server = self.enterContext(Server(configuration=(
            'listen ":0"\nworkers = 1\naccess_log = off\nsite "*" {\n'
            '  location "/four" { endpoint = ping allow = {"127.0.0.1"} }\n'
            '  location "/six" { endpoint = ping allow = {"::1"} }\n'
            '  location "/stats" { endpoint = stats }\n}\n')))
        port = server.port
        for host, four, six in (("127.0.0.1", 200, 403), ("::1", 403, 200)):
            with socket.create_connection((host, port), timeout=harness.SECONDS) as connection:
                for path, status in (("/four", four), ("/six", six), ("/stats", 200)):
                    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                                       "Connection: keep-alive\r\n\r\n".encode())
                    self.assertIn(f"HTTP/1.1 {status} ".encode(), connection.recv(65536))


if __name__ == "__main__":
    harness.main()

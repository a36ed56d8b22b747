"""Behind a proxy: which address counts, and what happens to a client that claims one."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

LOCATIONS = {
    "/": 'endpoint = "static"',
    "/ping": 'endpoint = "ping"',
    "/inside": 'endpoint = "ping" allow = {"192.0.2.0/24", "2001:db8::/32"}',
    "/outside": 'endpoint = "ping" deny = {"192.0.2.0/24"}',
    "/stats": 'endpoint = "stats"',
    "/metrics": 'endpoint = "metrics"',
    "/open": 'endpoint = "stats" allow = {"192.0.2.0/24"}',
}


def serve(case, trusted='{"127.0.0.1"}', **options):
    settings = {"access_log": '"-"', "trusted_proxies": trusted, **options.pop("settings", {})}
    return case.enterContext(Server(settings=settings, locations=LOCATIONS, **options))


class Proxies(unittest.TestCase):
    def status(self, server, target, *lines):
        return server.get(target, fields=[("X-Forwarded-For", line) for line in lines]).status

    def test_access_log_names_the_client(self):
        server = serve(self)
        for number, (lines, client) in enumerate((
                (["192.0.2.1"], r"192\.0\.2\.1"), (["1.1.1.1, 192.0.2.2:80"], r"192\.0\.2\.2"),
                (["1.1.1.1", "[2001:db8::1]:443, 127.0.0.1"], "2001:db8::1"),
                (["192.0.2.1, unknown"], "-"), (["fe80::1%eth0"], "-"), ([""], r"127\.0\.0\.1"),
                ([], r"127\.0\.0\.1"))):
            self.status(server, f"/ping?{number}", *lines)
            server.await_stdout(rf'^{client} - - .*"GET /ping\?{number} ')

    def test_json_log_names_the_client(self):
        server = serve(self, settings={"access_log_format": "json"})
        self.status(server, "/ping?a", "192.0.2.1")
        line = server.await_stdout(r'.*"/ping\?a".*')[0]
        self.assertEqual(json.loads(line)["remote"], "192.0.2.1")

    def test_each_request_of_a_connection_has_its_own_client(self):
        server = serve(self)
        with server.client() as client:
            client.send(b"".join(client.head("GET", f"/ping?{i}",
                                             {"X-Forwarded-For": f"192.0.2.{i}"})
                                 for i in range(1, 9)) + client.head("GET", "/ping?9"))
            for _ in range(9):
                self.assertEqual(client.response().status, 200)
        for i in range(1, 9):
            server.await_stdout(rf'^192\.0\.2\.{i} - - .*"GET /ping\?{i} ')
        server.await_stdout(r'^127\.0\.0\.1 - - .*"GET /ping\?9 ')

    def test_allow_and_deny_are_about_the_client(self):
        server = serve(self)
        for lines, inside, outside in ((["192.0.2.1"], 200, 403), (["198.51.100.1"], 403, 200),
                                       (["192.0.2.1, 198.51.100.1"], 403, 200),
                                       (["198.51.100.1, 192.0.2.1"], 200, 403),
                                       (["2001:db8::1"], 200, 200), ([], 403, 200),
                                       (["unknown"], 403, 403), (["fe80::1%eth0"], 403, 403)):
            with self.subTest(lines):
                self.assertEqual(self.status(server, "/inside", *lines), inside)
                self.assertEqual(self.status(server, "/outside", *lines), outside)

    def test_field_of_somebody_else_is_not_believed(self):
        for trusted in ("{}", '{"127.0.0.2", "::1", "unix:"}'):
            with self.subTest(trusted):
                server = serve(self, trusted)
                self.assertEqual(self.status(server, "/inside", "192.0.2.1"), 403)
                self.assertEqual(self.status(server, "/outside", "192.0.2.1"), 200)
                server.await_stdout(r'^127\.0\.0\.1 - - .*"GET /outside ')

    def test_what_is_for_this_machine_is_refused_through_a_proxy(self):
        server = serve(self)
        for lines in (["192.0.2.1"], ["127.0.0.1"], [""], ["::1, 127.0.0.1"]):
            for target in ("/stats", "/metrics"):
                with self.subTest(target + str(lines)):
                    self.assertEqual(self.status(server, target, *lines), 403)
        self.assertEqual(self.status(server, "/stats"), 200)
        self.assertEqual(self.status(server, "/open", "192.0.2.1"), 200)
        self.assertEqual(self.status(server, "/open"), 403)

    def test_a_proxy_may_come_by_a_local_socket_or_ipv6(self):
        path = self.enterContext(tempfile.TemporaryDirectory()) + "/socket"
        server = serve(self, '{"::1", "unix:"}', listen=("[::1]:0", f"unix:{path}"))
        for address in (("::1", server.port), path):
            with harness.Client(address) as client:
                fields = {"X-Forwarded-For": "192.0.2.1"}
                self.assertEqual(client.get("/inside", fields=fields).status, 200)
                self.assertEqual(client.get("/stats", fields=fields).status, 403)
                self.assertEqual(client.get("/stats").status, 200)
        server.await_stdout(r'^192\.0\.2\.1 - - .*"GET /inside ')
        server.await_stdout(r'^unix: - - .*"GET /stats ')

    def test_refused_head_is_logged_with_the_peer(self):
        server = serve(self)
        with server.client() as client:
            client.send(b"GET /bad HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
            self.assertEqual(client.response().status, 400)
        server.await_stdout(r'^127\.0\.0\.1 - - .*" 400 ')

    def test_mistakes_are_found_when_the_configuration_is_read(self):
        for value, wrong in (('{"all"}', "is everybody"), ('{"localhost"}', "is no network"),
                             ('{"::1", "127.0.0.1/33"}', "is no network")):
            with self.assertRaisesRegex(harness.HarnessError, wrong + ", expected networks as"):
                with Server(settings={"trusted_proxies": value}):
                    pass


if __name__ == "__main__":
    harness.main()

"""The configurations of docs/deploy.md, with other ports and paths: Ringlet behind nginx and behind
Caddy.

The client connects from 127.0.0.2 and the proxy from 127.0.0.1, so that a test can tell which
address Ringlet took."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

DOCUMENT = (harness.TREE / "docs" / "deploy.md").read_text(encoding="utf-8")
CLIENT = "127.0.0.2"
FILE = harness.pattern_bytes(300_000)
SBIN = f"{os.environ['PATH']}:/usr/sbin"  # Debian installs nginx there
NGINX, CADDY = shutil.which("nginx", path=SBIN), shutil.which("caddy")


def example(language):
    """The only block of this language in the document."""
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", DOCUMENT)
    if len(blocks) != 1:
        raise AssertionError(f"{len(blocks)} blocks of {language}")
    return blocks[0]


def replaced(text, replacements):
    for old, new in replacements.items():
        if old not in text:
            raise AssertionError(f"{old!r} is not in the document")
        text = text.replace(old, str(new))
    return text


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def make_certificate(directory):
    """Names every site that the proxies serve: for another one, Caddy would make an authority of
    its own and install it in the system's trust store, which takes it half a minute."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=example.com",
         "-addext", "subjectAltName=DNS:example.com,IP:127.0.0.1",
         "-keyout", directory / "key.pem", "-out", directory / "chain.pem"],
        check=True, capture_output=True, timeout=harness.SECONDS)


class Proxy:
    """A proxy as a process; `start` gets ports and returns its command line."""

    def __init__(self, start, directory):
        self._start, self._directory = start, directory

    def __enter__(self):
        for _ in range(3):  # another process may have taken a port meanwhile
            self.http, self.https = free_port(), free_port()
            with open(self._directory / "proxy.log", "wb") as log:
                self.process = subprocess.Popen(
                    self._start(self.http, self.https), stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, cwd=self._directory,
                    env={**os.environ, "HOME": str(self._directory),
                         "XDG_DATA_HOME": str(self._directory),
                         "XDG_CONFIG_HOME": str(self._directory)})
            try:
                harness.wait_until(lambda: self.process.poll() is not None or self.answers())
            except BaseException as error:
                self.__exit__()
                error.add_note(self.log())
                raise
            if self.process.poll() is None:
                return self
        raise AssertionError(self.log())

    def log(self):
        return (self._directory / "proxy.log").read_text()

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.https), harness.SECONDS):
                return True
        except ConnectionRefusedError:
            return False

    def __exit__(self, *error):
        self.process.terminate()
        try:
            self.process.wait(harness.SECONDS)
        finally:
            self.process.kill()
            self.process.wait(harness.SECONDS)


class Deployment:
    """Ringlet as in the document, with further locations for the tests, and a proxy in front of
    it."""

    LOCATIONS = f"""
  location "/echo"    {{ endpoint = "echo" }}
  location "/client"  {{ endpoint = "ping" allow = {{"{CLIENT}"}} }}
  location "/proxy"   {{ endpoint = "ping" allow = {{"127.0.0.1"}} }}
  location "/refused" {{ endpoint = "ping" deny = {{"{CLIENT}"}} }}
"""

    def __init__(self, enter, start_proxy, by_socket=False):
        self.directory = pathlib.Path(enter(tempfile.TemporaryDirectory()))
        make_certificate(self.directory)
        self.socket = f"{self.directory}/socket"
        text = replaced(example("ringlet"), {
            "127.0.0.1:8080": "127.0.0.1:0", "/var/log/ringlet": self.directory,
            "/srv/www": "{root}"})
        if by_socket:
            text = replaced(text, {
                '{"127.0.0.1"}': '{"unix:"}',
                'listen "127.0.0.1:0" {}': 'listen "127.0.0.1:0" {}\n'
                                           f'listen "unix:{self.socket}" {{}}'})
        text = text.replace('location "/" ', self.LOCATIONS + '  location "/" ')
        self.server = enter(Server(files={"file.bin": FILE}, configuration=text))
        self.backend = f"unix:{self.socket}" if by_socket else f"127.0.0.1:{self.server.port}"
        self.proxy = enter(start_proxy(self))
        self.context = ssl.create_default_context(cafile=self.directory / "chain.pem")

    def connect(self, source=CLIENT):
        return http.client.HTTPSConnection(
            "127.0.0.1", self.proxy.https, timeout=harness.SECONDS, context=self.context,
            source_address=(source, 0))

    def request(self, method, target, fields=None, body=None, **options):
        connection = self.connect()
        try:
            connection.request(method, target, body, {"Host": "example.com", **(fields or {})},
                               **options)
            response = connection.getresponse()
            response.content = response.read()
            return response
        finally:
            connection.close()

    def log_has(self, pattern):
        log = self.directory / "access.log"
        harness.wait_until(lambda: re.search(pattern, log.read_text(), re.MULTILINE),
                           what=lambda: log.read_text())


def start_nginx(deployment):
    directory = deployment.directory

    def start(http_port, https_port):
        server = replaced(example("nginx"), {
            "server 127.0.0.1:8080;": f"server {deployment.backend};",
            "listen 80;": f"listen 127.0.0.1:{http_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{https_port} ssl http2;",
            "/etc/ssl/example.com/fullchain.pem": directory / "chain.pem",
            "/etc/ssl/example.com/privkey.pem": directory / "key.pem"})
        paths = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.getuid() == 0 else ""
        (directory / "nginx.conf").write_text(
            f"daemon off;\n{user}worker_processes 1;\npid {directory}/nginx.pid;\n"
            f"error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n")
        return [NGINX, "-e", "stderr", "-p", directory, "-c", directory / "nginx.conf"]

    return Proxy(start, directory)


def start_caddy(deployment):
    directory = deployment.directory

    def start(http_port, https_port):
        backend = deployment.backend.replace("unix:", "unix/")
        site = replaced(example("caddy"), {
            "example.com {": f"https://127.0.0.1:{https_port}, https://example.com:{https_port} "
                             f"{{\n\tbind 127.0.0.1\n\ttls {directory}/chain.pem "
                             f"{directory}/key.pem",
            "reverse_proxy 127.0.0.1:8080": f"reverse_proxy {backend}"})
        (directory / "Caddyfile").write_text(
            f"{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {http_port}\n"
            f"\tauto_https disable_redirects\n}}\n{site}")
        return [CADDY, "run", "--config", directory / "Caddyfile", "--adapter", "caddyfile"]

    return Proxy(start, directory)


class BehindProxy:
    """The claims about any proxy; `start` and `by_socket` say which."""

    by_socket = False

    @classmethod
    def setUpClass(cls):
        cls.deployment = Deployment(cls.enterClassContext, cls.start, cls.by_socket)

    def request(self, *arguments, **options):
        return self.deployment.request(*arguments, **options)

    def test_files_ranges_and_conditions_pass(self):
        whole = self.request("GET", "/file.bin")
        self.assertEqual((whole.status, whole.content), (200, FILE))
        self.assertEqual(whole.getheader("Content-Length"), str(len(FILE)))
        self.assertEqual(whole.getheader("X-Content-Type-Options"), "nosniff")
        part = self.request("GET", "/file.bin", {"Range": "bytes=100000-100099"})
        self.assertEqual((part.status, part.content), (206, FILE[100_000:100_100]))
        self.assertEqual(part.getheader("Content-Range"), f"bytes 100000-100099/{len(FILE)}")
        same = self.request("GET", "/file.bin", {"If-None-Match": whole.getheader("ETag")})
        self.assertEqual((same.status, same.content), (304, b""))
        head = self.request("HEAD", "/file.bin")
        self.assertEqual((head.status, head.getheader("Content-Length")), (200, str(len(FILE))))
        self.assertEqual(self.request("GET", "/none").status, 404)

    def test_bodies_pass_in_chunks_and_host_with_them(self):
        body = FILE[:200_000]
        answer = self.request("POST", "/echo", {"Transfer-Encoding": "chunked"},
                              iter([body[:70_000], body[70_000:]]), encode_chunked=True)
        head, _, content = answer.content.partition(b"\r\n\r\n")
        self.assertEqual((answer.status, content), (200, body))
        self.assertRegex(head, rb"^POST /echo HTTP/1\.1\r\n")
        self.assertRegex(head, rb"(?mi)^transfer-encoding: chunked\r$")
        self.assertRegex(head, rb"(?mi)^host: example\.com\r$")
        self.assertRegex(head, rb"(?mi)^x-forwarded-for: 127\.0\.0\.2\r$")
        self.assertRegex(head, rb"(?mi)^x-forwarded-proto: https\r?$")
        self.assertNotRegex(head, rb"(?mi)^connection: close")

    def test_client_is_who_connects_to_the_proxy(self):
        for target, status in (("/client", 200), ("/proxy", 403), ("/refused", 403)):
            self.assertEqual(self.request("GET", target).status, status)
        self.deployment.log_has(rf'^{re.escape(CLIENT)} - - .*"GET /client HTTP/1\.1" 200 ')

    def test_client_that_claims_an_address_is_not_believed(self):
        claim = {"X-Forwarded-For": "127.0.0.1"}
        self.assertEqual(self.request("GET", "/proxy", claim).status, 403)
        self.assertEqual(self.request("GET", "/client", claim).status, 200)

    def test_stats_are_refused_through_the_proxy_and_given_directly(self):
        self.assertEqual(self.request("GET", "/stats").status, 403)
        self.assertEqual(self.deployment.server.get("/stats").status, 200)

    def test_connections_to_ringlet_are_kept(self):
        server = self.deployment.server
        before = server.counter("connections_accepted")
        for _ in range(5):
            self.assertEqual(self.request("GET", "/client").status, 200)
        # At most one by the proxy, and one by the second request for the counter.
        self.assertLessEqual(server.counter("connections_accepted") - before, 2)


@unittest.skipUnless(NGINX, "nginx is not there (Debian: nginx-light)")
class Nginx(BehindProxy, unittest.TestCase):
    start = staticmethod(start_nginx)

    def test_without_tls_clients_are_sent_to_it(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.deployment.proxy.http,
                                                timeout=harness.SECONDS)
        self.addCleanup(connection.close)
        connection.request("GET", "/a?b", headers={"Host": "example.com"})
        response = connection.getresponse()
        self.assertEqual((response.status, response.getheader("Location")),
                         (301, "https://example.com/a?b"))


@unittest.skipUnless(NGINX, "nginx is not there (Debian: nginx-light)")
class NginxBySocket(BehindProxy, unittest.TestCase):
    start, by_socket = staticmethod(start_nginx), True


@unittest.skipUnless(CADDY, "Caddy is not there (Debian: caddy)")
class Caddy(BehindProxy, unittest.TestCase):
    start = staticmethod(start_caddy)


@unittest.skipUnless(CADDY, "Caddy is not there (Debian: caddy)")
class CaddyBySocket(BehindProxy, unittest.TestCase):
    start, by_socket = staticmethod(start_caddy), True


class Logs(unittest.TestCase):
    def test_log_that_logrotate_copied_and_truncated_goes_on_at_its_beginning(self):
        self.assertIn("copytruncate", example("logrotate"))
        with Server(settings={"access_log": '"access.log"'}) as server:
            log = server.directory / "access.log"
            server.get("/ping?one")
            harness.wait_until(lambda: b"/ping?one" in log.read_bytes())
            os.truncate(log, 0)
            server.get("/ping?two")
            harness.wait_until(lambda: b"/ping?two" in log.read_bytes())
            self.assertTrue(log.read_bytes().startswith(b"127.0.0.1 "))
            self.assertNotIn(b"/ping?one", log.read_bytes())


class Unit(unittest.TestCase):
    def test_service_gives_time_to_drain_and_starts_what_was_checked(self):
        unit = example("ini")
        command = re.search(r"(?m)^ExecStart=(.*)$", unit)[1]
        self.assertIn(f"ExecStartPre={command} -t\n", unit)
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)s", unit)[1]), 5)


if __name__ == "__main__":
    harness.main()

"""HTTPS as clients see it: certificates by name, sessions across workers, and the two mix-ups of
plain and encrypted."""

import pathlib
import ssl
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

CONFIGURATION = """
    workers = 2
    access_log = off
    listen "127.0.0.1:0" {{ tls = yes }}
    listen "unix:plain"
    site "*" {{ root = "{{root}}"  certificate = {{"{default}"}} }}
    site "other.test" {{ root = "{{root}}"  certificate = {{"{other}"}} }}
"""


def make_certificate(directory, name):
    command = [harness.TREE / "scripts" / "certificate", "--directory", directory, name]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return made.stdout.strip()


class Https(harness.ServerCase):
    @classmethod
    def make_server(cls):
        directory = cls.enterClassContext(harness.tempfile.TemporaryDirectory())
        configuration = CONFIGURATION.format(default=make_certificate(directory, "default.test"),
                                             other=make_certificate(directory, "other.test"))
        cls.directory = pathlib.Path(directory)
        return Server(files={"a": b"hello"}, configuration=configuration)

    def connect_as(self, name, trusted, session=None):
        context = ssl.create_default_context(cafile=self.directory / f"{trusted}.pem")
        plain = socket.create_connection(("127.0.0.1", self.server.port), harness.SECONDS)
        return context.wrap_socket(plain, server_hostname=name, session=session)

    def test_certificate_is_that_of_the_name_asked_for(self):
        for name in ("default.test", "other.test"):
            with self.subTest(name), self.connect_as(name, name) as client:
                client.sendall(f"GET /a HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_plain_request_is_answered_in_plain(self):
        with harness.Client(("127.0.0.1", self.server.port)) as client:
            response = client.get("/a")
            self.assertEqual(response.status, 400)
            self.assertIn(b"this port speaks HTTPS", response.body)
            client.assert_closed()

    def test_client_hello_on_a_plain_listener_ends_with_a_line_in_the_log(self):
        with harness.Client(str(self.server.directory / "plain")) as client:
            client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            client.assert_closed()
        self.server.await_stderr("the client speaks TLS, but this port does not")


class Mistakes(unittest.TestCase):
    def test_what_is_wrong_with_certificates_is_said_with_its_place(self):
        with harness.tempfile.TemporaryDirectory() as directory:
            one = make_certificate(directory, "one.test").split()
            two = make_certificate(directory, "two.test").split()
            path = pathlib.Path(directory) / "ringlet.conf"
            for certificate, expected in (
                    ("", r"conf:1:\d+: .*no site has a certificate"),
                    (f"certificate = {{\"{one[0]} {two[1]}\"}}",
                     r"conf:2:\d+: .*the key does not fit the certificate"),
                    (f"certificate = {{\"{one[0]} {directory}/none\"}}",
                     r"conf:2:\d+: .*cannot read .*/none: No such file")):
                with self.subTest(expected):
                    path.write_text('listen "127.0.0.1:0" { tls = yes }\n'
                                    f'site "*" {{ root = "." {certificate} }}\n')
                    result = harness.run("-c", path, "-t")
                    self.assertEqual(result.returncode, 1)
                    self.assertRegex(result.stderr, expected)


if __name__ == "__main__":
    harness.main()

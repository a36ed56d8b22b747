"""The example at the end of docs/endpoints.md, compiled into a server of its own.

RINGLET_WITH_HELLO   that server (default: the one in build/)"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

BINARY = os.path.abspath(os.environ.get(
    "RINGLET_WITH_HELLO", harness.TREE / "build" / "test" / "integration" / "ringlet_with_hello"))
DOCUMENT = harness.TREE / "docs" / "endpoints.md"


def configuration_help():
    return subprocess.run([BINARY, "--help-config"], capture_output=True, text=True, check=True,
                          timeout=harness.SECONDS).stdout


class Example(unittest.TestCase):
    def serve(self):
        server = Server(binary=BINARY, locations={
            "/hello": 'endpoint = "hello"', "/stats": 'endpoint = "stats"'})
        return self.enterContext(server)

    def test_example_answers_as_its_comment_says(self):
        target, answer = re.search(r'GET (\S+) is answered "(.*)"', DOCUMENT.read_text()).groups()
        response = self.serve().get(target)
        self.assertEqual((response.status, response.body), (200, f"{answer}\n".encode()))

    def test_example_is_described_like_all_others(self):
        self.assertIn("Greets whoever asks.", configuration_help())

    def test_example_has_thirty_lines_at_most(self):
        code = re.search(r"```c\n(.*?)```\n\Z", DOCUMENT.read_text(), re.DOTALL)[1]
        self.assertLessEqual(len(code.splitlines()), 30)

    def test_example_keeps_the_rules_of_every_endpoint(self):
        server = self.serve()
        with server.client() as client:
            self.assertEqual(client.request("HEAD", "/hello?name=x").field("Content-Length"), "10")
            self.assertEqual(client.request("POST", "/hello").field("Allow"),
                             "GET, HEAD, OPTIONS")
            self.assertEqual(client.get("/hello?name=" + "x" * 300).status, 414)
            self.assertEqual(client.get("/hello").body, b"Hello, world!\n")
        requests = {each["name"]: each["requests"] for each in server.stats()["endpoints"]}
        self.assertEqual(requests["hello"], 3)


if __name__ == "__main__":
    harness.main()

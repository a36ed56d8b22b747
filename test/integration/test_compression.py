"""Compressed answers: the same bytes for clients that accept the coding, and the right fields."""

import gzip
import pathlib
import sys
import tempfile
import threading
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Server, wait_until  # noqa: E402

GZIP = {"Accept-Encoding": "gzip"}


def text_of(length):
    """Similar lines, as in a log, but no two the same."""
    lines = b"".join(b"line %d of a text, %d\n" % (i, i * 7919 % 1000)
                     for i in range(length // 20 + 1))
    return lines[:length]


class Inflated:
    """A sink that decompresses the body and keeps the sum and the lengths."""

    def __init__(self):
        self.sum = harness.Sha256()
        self.length = 0
        self._stream = zlib.decompressobj(wbits=31)

    def __call__(self, chunk):
        self.length += len(chunk)
        self.sum(self._stream.decompress(chunk))

    @property
    def is_whole(self):
        return self._stream.eof and not self._stream.unused_data


LOCATIONS = {
    "/": 'endpoint = "static"',
    "/dynamic/": 'endpoint = "dynamic" error_page = {"404 /dynamic/missing.html"}',
    "/plain/": 'endpoint = "dynamic" compress = no',
    "/all/": 'endpoint = "dynamic" compress_types = {"application/octet-stream"} '
             'compress_min_bytes = 1 compress_level = 9',
    "/list/": 'endpoint = "dynamic" autoindex = yes',
    "/ssi/": 'endpoint = "dynamic" filters = {"ssi"}',
    "/ping": 'endpoint = "ping"',
    "/echo": 'endpoint = "echo"',
    "/stats": 'endpoint = "stats"',
    "/metrics": 'endpoint = "metrics"',
}
CONFIGURATION = """listen "127.0.0.1:0" {}
workers = 1
access_log = ""
limits { compressions = %d }
site "*" {
  root = "{root}"
  compress = yes
  add_header = {"X-Added: yes"}
%s
}
""" % (40, "\n".join(f'  location "{path}" {{ {text} }}' for path, text in LOCATIONS.items()))


class Case(harness.ServerCase):
    """One server for all cases of a class."""

    lengths = {"empty": 0, "under": KIB - 1, "least": KIB, "middle": 100 * KIB,
               "large": 50 * MIB + 17}

    @classmethod
    def make_server(cls):
        cls.texts = {name: text_of(length) for name, length in cls.lengths.items()}
        files = {f"dynamic/{name}.txt": text for name, text in cls.texts.items()}
        files |= {"dynamic/missing.html": b"<p>Nothing is here.</p>\n" * 100,
                  "dynamic/picture.png": bytes(5000), "all/data": bytes(5000),
                  "middle.txt": cls.texts["middle"], "plain/middle.txt": cls.texts["middle"]}
        files |= {"ssi/page.html": b'<!--#include virtual="/ssi/part.html" -->\n' * 20,
                  "ssi/part.html": b"<p>A part of a page that is put together.</p>\n" * 100}
        files |= {f"list/{i:040}": b"" for i in range(200)}
        return Server(files, configuration=CONFIGURATION)

    def get(self, target, fields=None, method="GET", **options):
        with self.server.client() as client:
            return client.request(method, target, GZIP if fields is None else fields, **options)

    def counters(self):
        return self.server.stats()["counters"]


class Bytes(Case):
    def test_every_length_comes_back_byte_for_byte(self):
        for name, text in self.texts.items():
            with self.subTest(name):
                response = self.get(f"/dynamic/{name}.txt")
                self.assertEqual(response.status, 200)
                if len(text) < KIB:
                    self.assertIsNone(response.field("Content-Encoding"))
                    self.assertEqual(response.body, text)
                    continue
                self.assertEqual(response.field("Content-Encoding"), "gzip")
                self.assertEqual(response.field("Transfer-Encoding"), "chunked")
                self.assertIsNone(response.field("Content-Length"))
                self.assertLess(len(response.body), len(text) / 2)
                self.assertTrue(gzip.decompress(response.body) == text)

    def test_http_1_0_reads_until_the_end(self):
        """RFC 9112 §6.3"""
        with self.server.client() as client:
            client.send(client.head("GET", "/dynamic/middle.txt", GZIP, version="HTTP/1.0"))
            response = client.response()
            self.assertIsNone(response.field("Transfer-Encoding"))
            self.assertIsNone(response.field("Content-Length"))
            self.assertEqual(response.field("Content-Encoding"), "gzip")
            self.assertTrue(gzip.decompress(response.body) == self.texts["middle"])
            client.assert_closed()

    def test_responses_follow_one_another_on_a_connection(self):
        with self.server.client() as client:
            for _ in range(3):
                client.send(client.head("GET", "/dynamic/middle.txt", GZIP)
                            + client.head("GET", "/ping")
                            + client.head("GET", "/dynamic/least.txt", GZIP))
                self.assertTrue(gzip.decompress(client.response().body) == self.texts["middle"])
                self.assertEqual(client.response().body, b"pong")
                self.assertEqual(gzip.decompress(client.response().body), self.texts["least"])

    def test_generated_bodies_are_compressed(self):
        body = b"Mirror, mirror on the wall.\n" * 100
        for target, sign in (("/stats?format=json", b'"connections"'),
                             ("/metrics", b"ringlet_compressions_total"),
                             ("/list/", b"Index of")):
            with self.subTest(target):
                response = self.get(target)
                self.assertEqual(response.field("Content-Encoding"), "gzip")
                self.assertIn(sign, gzip.decompress(response.body))
        response = self.get("/echo", method="POST", body=body)
        self.assertEqual(response.field("Content-Encoding"), "gzip")
        self.assertTrue(gzip.decompress(response.body).endswith(b"\r\n\r\n" + body))

    def test_pages_put_together_are_compressed(self):
        response = self.get("/ssi/page.html")
        self.assertEqual(response.field("Content-Encoding"), "gzip")
        self.assertEqual(gzip.decompress(response.body), self.get("/ssi/page.html", {}).body)
        self.assertEqual(gzip.decompress(response.body).count(b"put together"), 2000)

    def test_pages_of_errors_are_compressed(self):
        response = self.get("/dynamic/nothing")
        self.assertEqual(response.status, 404)
        self.assertEqual(response.field("Content-Encoding"), "gzip")
        self.assertEqual(gzip.decompress(response.body), b"<p>Nothing is here.</p>\n" * 100)

    def test_settings_choose_types_lengths_and_locations(self):
        for target, coding in (("/dynamic/picture.png", None), ("/plain/middle.txt", None),
                               ("/middle.txt", None), ("/all/data", "gzip"), ("/ping", None)):
            with self.subTest(target):
                self.assertEqual(self.get(target).field("Content-Encoding"), coding)

    def test_counters_tell_what_was_saved(self):
        before = self.counters()
        response = self.get("/dynamic/middle.txt")
        after = self.counters()
        self.assertEqual({key: after[key] - before[key] for key in after if "compress" in key},
                         {"compressions": 1, "compressions_skipped": 0,
                          "compression_bytes_in": len(self.texts["middle"]),
                          "compression_bytes_out": len(response.body)})


class Fields(Case):
    lengths = {"middle": 100 * KIB}
    target = "/dynamic/middle.txt"

    def test_head_has_the_fields_of_get(self):
        """RFC 9110 §9.3.2"""
        for version in ("HTTP/1.1", "HTTP/1.0"):
            for target in (self.target, "/all/data", "/dynamic/picture.png", "/stats"):
                head = self.get(target, method="HEAD", version=version)
                whole = self.get(target, version=version)
                self.assertEqual([field for field in head.fields if field[0] != "Date"],
                                 [field for field in whole.fields if field[0] != "Date"])
                self.assertEqual(head.body, b"")

    def test_weights_decide(self):
        """RFC 9110 §12.5.3"""
        for accepted, coding in (("gzip", "gzip"), ("x-gzip", "gzip"), ("*", "gzip"),
                                 ("br;q=1.0, gzip;q=0.2", "gzip"), ("gzip, identity;q=0", "gzip"),
                                 ("gzip;q=0", None), ("identity", None), ("br", None), ("", None),
                                 ("gzip;q=0.2, identity;q=0.8", None), ("*;q=0", None)):
            with self.subTest(accepted):
                response = self.get(self.target, {"Accept-Encoding": accepted})
                self.assertEqual(response.field("Content-Encoding"), coding)
                self.assertEqual(response.field("Vary"), "Accept-Encoding")
                body = gzip.decompress(response.body) if coding else response.body
                self.assertTrue(body == self.texts["middle"])
        self.assertIsNone(self.get(self.target, {}).field("Content-Encoding"))

    def test_vary_is_said_where_the_client_could_have_chosen(self):
        """RFC 9110 §12.5.5"""
        for target, vary in ((self.target, ["Accept-Encoding"]), ("/dynamic/picture.png", []),
                             ("/plain/middle.txt", []), ("/middle.txt", []),
                             ("/stats", ["Accept", "Accept-Encoding"])):
            for fields in (GZIP, {}):
                self.assertEqual(self.get(target, fields).all("Vary"), vary, (target, fields))

    def test_the_weak_tag_is_known_again(self):
        """RFC 9110 §8.8.3, §13.1.2; RFC 9111 §4.3.4"""
        tag, strong = self.get(self.target).field("ETag"), self.get(self.target, {}).field("ETag")
        self.assertEqual(tag, "W/" + strong)
        for method in ("GET", "HEAD"):
            response = self.get(self.target, GZIP | {"If-None-Match": tag}, method)
            self.assertEqual((response.status, response.field("ETag")), (304, tag))
            self.assertEqual(response.field("Vary"), "Accept-Encoding")
            self.assertIsNone(response.field("Content-Encoding"))
            response = self.get(self.target, {"If-None-Match": tag}, method)
            self.assertEqual((response.status, response.field("ETag")), (304, strong))
            self.assertEqual(response.field("Vary"), "Accept-Encoding")

    def test_ranges_are_those_of_the_file(self):
        """RFC 9110 §14.2: also for clients that would get the whole file compressed."""
        text = self.texts["middle"]
        whole = self.get(self.target)
        self.assertIsNone(whole.field("Accept-Ranges"))
        self.assertEqual(self.get(self.target, {}).field("Accept-Ranges"), "bytes")
        for fields in (GZIP, {}):
            response = self.get(self.target, fields | {"Range": "bytes=100-199"})
            self.assertEqual((response.status, response.body), (206, text[100:200]))
            self.assertIsNone(response.field("Content-Encoding"))
            self.assertEqual(response.field("Vary"), "Accept-Encoding")
            self.assertFalse(response.field("ETag").startswith("W/"))

    def test_if_range_with_the_weak_tag_gives_the_whole(self):
        """RFC 9110 §13.1.5"""
        tag = self.get(self.target).field("ETag")
        response = self.get(self.target, GZIP | {"Range": "bytes=100-199", "If-Range": tag})
        self.assertEqual((response.status, response.field("Content-Encoding")), (200, "gzip"))
        self.assertTrue(gzip.decompress(response.body) == self.texts["middle"])


class Load(Case):
    """The large file compresses badly, so that it does not fit into the buffers of a socket."""

    lengths = {"middle": 100 * KIB}
    large = harness.pattern_bytes(16 * MIB)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.write("dynamic/large.txt", cls.large)

    def test_the_loop_answers_while_it_compresses(self):
        """A ping comes back between two chunks of one response."""
        with self.server.client() as busy, self.server.client() as other:
            busy.send(busy.head("GET", "/dynamic/large.txt", GZIP))
            inflated, pings = Inflated(), []

            def take(chunk):
                inflated(chunk)
                pings.append(other.get("/ping").body)

            busy.response(sink=take)
            self.assertTrue(inflated.is_whole)
            self.assertEqual(set(pings), {b"pong"})
            self.assertGreater(len(pings), 10)

    def test_many_at_once_come_back_whole(self):
        """Beyond limits.compressions, answers are not compressed."""
        wrong, codings = [], []

        def ask():
            with self.server.client() as client:
                for _ in range(5):
                    response = client.get("/dynamic/middle.txt", fields=GZIP)
                    coding = response.field("Content-Encoding")
                    body = gzip.decompress(response.body) if coding else response.body
                    codings.append(coding)
                    if body != self.texts["middle"]:
                        wrong.append(response)

        threads = [threading.Thread(target=ask) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.SECONDS)
        self.assertEqual((len(codings), wrong), (320, []))

    def stall(self, count):
        """Clients that have received the beginning of a large response and stop reading."""
        clients = [self.server.client(receive_buffer=4096) for _ in range(count)]
        for client in clients:
            client.send(client.head("GET", "/dynamic/large.txt", GZIP))
        return clients, [client.receive(1) for client in clients]

    def test_beyond_the_limit_answers_go_out_as_they_are(self):
        before = self.counters()["compressions_skipped"]
        clients, _ = self.stall(40)
        response = self.get("/dynamic/middle.txt")
        self.assertIsNone(response.field("Content-Encoding"))
        self.assertEqual(response.field("Vary"), "Accept-Encoding")
        self.assertTrue(response.body == self.texts["middle"])
        self.assertGreater(self.counters()["compressions_skipped"], before)
        for client in clients:
            client.close()
        wait_until(lambda: self.get("/dynamic/middle.txt").field("Content-Encoding") == "gzip")

    def test_clients_that_leave_in_the_middle_leave_nothing_behind(self):
        descriptors = self.server.resting_descriptor_count()

        def leave(count):
            for i in range(count):
                clients, _ = self.stall(4)
                for client in clients:
                    client.reset() if i % 2 else client.close()
            self.server.await_descriptor_count(descriptors)

        leave(10)
        memory = self.server.anonymous_bytes()
        leave(20)
        if not harness.is_sanitized():
            self.assertLess(self.server.anonymous_bytes(), memory + 2 * MIB)
        self.assertEqual(self.get("/dynamic/middle.txt").field("Content-Encoding"), "gzip")

    def test_memory_does_not_grow_with_answers(self):
        def download():
            inflated = Inflated()
            self.get("/dynamic/large.txt", sink=inflated)
            self.assertTrue(inflated.is_whole)
            self.assertEqual(inflated.sum.length, len(self.large))

        # Heap and stacks of the pool's threads grow for some rounds: until each thread has worked
        # once.  A leak shows in every round.
        grown = []
        while len(grown) < 2 or (grown[-1] > 64 * KIB and len(grown) < 10):
            memory = self.server.anonymous_bytes()
            download()
            for _ in range(50):
                self.get("/dynamic/middle.txt")
            grown.append(self.server.anonymous_bytes() - memory)
        if not harness.is_sanitized():
            self.assertLessEqual(grown[-1], 64 * KIB, grown)

    def test_a_server_that_stops_does_not_wait_for_readers(self):
        with Server({"dynamic/large.txt": self.large},
                    configuration=CONFIGURATION) as server:
            with server.client(receive_buffer=4096) as client:
                client.send(client.head("GET", "/dynamic/large.txt", GZIP))
                client.receive(1)
                server.stop()


class Configuration(unittest.TestCase):
    def refused(self, location):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "wrong.conf")
            file.write_text(f'listen "127.0.0.1:0" {{}}\nsite "*" {{ root = "/"\n'
                            f'location "/x/" {{ {location} }} }}\n')
            return harness.run("-c", file, "-t").stderr

    def test_static_refuses_and_names_precompressed(self):
        said = self.refused('endpoint = "static" compress = yes')
        self.assertRegex(said, r"wrong.conf:3:[0-9]+: compress: the endpoint static sends files as "
                               r"they are, expected precompressed")

    def test_wrong_values_are_told(self):
        for location, sign in (('compress_types = {"text"}', "no media type"),
                               ("compress_level = 10", "compress_level"),
                               ("compress_min_bytes = 0", "compress_min_bytes"),
                               ("compress = maybe", "compress")):
            said = self.refused(f'endpoint = "dynamic" {location}')
            self.assertRegex(said, r"wrong.conf:3:[0-9]+: .*" + sign)


if __name__ == "__main__":
    harness.main()

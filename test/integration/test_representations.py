"""Which part of a file is sent: nothing, because the client has it (RFC 9110 §13), a range, or
another representation. The same cases run for static and for dynamic."""

import email.utils
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import GIB, MIB, Server  # noqa: E402

MODIFIED = 784111777
THREE_FORMS = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
               "Sun Nov  6 08:49:37 1994")
DIRECTORIES = ("/", "/dynamic/")


class Case(harness.ServerCase):
    @classmethod
    def make_server(cls):
        server = Server()
        for directory in DIRECTORIES:
            path = server.write(f"{directory[1:]}file.txt", b"0123456789")
            os.utime(path, (MODIFIED, MODIFIED))
        return server

    def get(self, target, fields=(), method="GET"):
        with self.server.client() as client:
            return client.request(method, target, fields)

    def everywhere(self):
        for directory in DIRECTORIES:
            with self.subTest(directory):
                yield directory + "file.txt"


class Conditions(Case):
    def test_known_tag_is_304_with_etag_and_date_and_no_more(self):
        """§13.1.2, §15.4.5"""
        for target in self.everywhere():
            whole = self.get(target)
            with self.server.client() as client:
                for method in ("GET", "HEAD"):
                    client.send(client.head(method, target, {"If-None-Match": whole.field("ETag")}))
                    response = client.response()
                    self.assertEqual((response.status, response.reason), (304, "Not Modified"))
                    self.assertEqual(response.field("ETag"), whole.field("ETag"))
                    self.assertEqual({name for name, _ in response.fields},
                                     {"Date", "Server", "ETag"})
                # No byte of a body is between it and the next response (RFC 9112 §6.3).
                self.assertEqual(client.get(target).body, b"0123456789")

    def test_tags_come_weak_in_lists_and_in_several_lines(self):
        """§13.1.2, §8.8.3.2, §5.3"""
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            for fields, status in (
                    ([("If-None-Match", f"W/{tag}")], 304),
                    ([("If-None-Match", f'"x", {tag}')], 304),
                    ([("If-None-Match", '"x"'), ("If-None-Match", f'"y",{tag}')], 304),
                    ([("If-None-Match", "*")], 304),
                    ([("If-None-Match", '"x", "y"')], 200),
                    ([("If-None-Match", tag.strip('"'))], 200)):
                self.assertEqual(self.get(target, fields).status, status, fields)

    def test_dates_in_all_three_forms(self):
        """§13.1.3, §5.6.7"""
        for target in self.everywhere():
            for date in THREE_FORMS:
                self.assertEqual(self.get(target, {"If-Modified-Since": date}).status, 304, date)
            self.assertEqual(self.get(target, {"If-Modified-Since": THREE_FORMS[0]}, "HEAD").status,
                             304)
            for date in ("Sun, 06 Nov 1994 08:49:36 GMT", "never", ""):
                response = self.get(target, {"If-Modified-Since": date})
                self.assertEqual((response.status, response.body), (200, b"0123456789"), date)

    def test_preconditions_that_fail_are_412(self):
        """§13.1.1, §13.1.4"""
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            for fields, status in (({"If-Match": tag}, 200), ({"If-Match": "*"}, 200),
                                   ({"If-Match": '"x"'}, 412), ({"If-Match": f"W/{tag}"}, 412),
                                   ({"If-Unmodified-Since": THREE_FORMS[1]}, 200),
                                   ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"}, 412)):
                response = self.get(target, fields)
                self.assertEqual(response.status, status, fields)
            self.assertEqual(self.get(target, {"If-Match": '"x"'}).body,
                             b"412 Precondition Failed\n")

    def test_precedence_of_preconditions(self):
        """§13.2.2: the number is the status."""
        early, late = "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            for status, fields in (
                    (200, {"If-Match": tag, "If-Unmodified-Since": early}),
                    (412, {"If-Match": '"x"', "If-None-Match": tag}),
                    (412, {"If-Unmodified-Since": early, "If-None-Match": tag}),
                    (304, {"If-Match": tag, "If-None-Match": tag}),
                    (200, {"If-None-Match": '"x"', "If-Modified-Since": late}),
                    (304, {"If-None-Match": tag, "If-Modified-Since": early})):
                self.assertEqual(self.get(target, fields).status, status, fields)

    def test_last_modified_is_never_later_than_date(self):
        """§8.8.2.1"""
        for directory in DIRECTORIES:
            path = self.server.write(f"{directory[1:]}future", b"x")
            os.utime(path, (time.time() + 86400,) * 2)
            response = self.get(f"{directory}future")
            modified, date = (email.utils.parsedate_to_datetime(response.field(name))
                              for name in ("Last-Modified", "Date"))
            self.assertLessEqual(modified, date)

    def test_tag_changes_with_a_rewrite_of_the_same_size_within_a_second(self):
        """§8.8.1: a strong validator"""
        for directory in DIRECTORIES:
            path = self.server.write(f"{directory[1:]}rewritten", b"one")
            target, seen = f"{directory}rewritten", {}
            second = None
            for content in (b"one", b"two", b"six", b"ten"):
                path.write_bytes(content)
                second = int(path.stat().st_mtime) if second is None else second
                nanoseconds = path.stat().st_mtime_ns % 10**9
                os.utime(path, ns=(0, second * 10**9 + nanoseconds))
                response = self.get(target)
                self.assertEqual(response.body, content)
                seen.setdefault(response.field("ETag"), set()).add(content)
                self.assertEqual(response.field("Last-Modified"),
                                 email.utils.formatdate(second, usegmt=True))
                # The kernel's clock for file times advances every few milliseconds.
                harness.wait_until(lambda: self.tick(path) != nanoseconds)
            self.assertEqual(len(seen), 4, seen)
            old = next(iter(seen))
            self.assertEqual(self.get(target, {"If-None-Match": old}).status, 200)
            self.assertEqual(self.get(target, {"If-Match": old}).status, 412)

    def tick(self, path):
        probe = path.with_name("probe")
        probe.write_bytes(b"")
        return probe.stat().st_mtime_ns % 10**9

    def test_descriptors_do_not_grow_with_answers_without_a_body(self):
        count = self.server.resting_descriptor_count() + 1
        with self.server.client() as client:
            for _ in range(100):
                for target in ("/file.txt", "/dynamic/file.txt"):
                    self.assertEqual(client.get(target, fields={"If-None-Match": "*"}).status, 304)
                    self.assertEqual(client.get(target, fields={"If-Match": '"x"'}).status, 412)
            self.server.await_descriptor_count(count)


def parse_parts(response):
    """Pairs of Content-Range and bytes, as RFC 9110 §14.6 and RFC 2046 §5.1.1 frame them."""
    boundary = re.fullmatch(r"multipart/byteranges; boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})",
                            response.field("Content-Type"))[1].encode()
    pieces = (b"\r\n" + response.body).split(b"\r\n--" + boundary)
    if pieces[0] != b"" or pieces[-1] != b"--\r\n":
        raise AssertionError(f"not delimited: {pieces[0]!r}, {pieces[-1]!r}")
    for piece in pieces[1:-1]:
        head, content = piece.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        if lines[0] != "" or lines[1] != "Content-Type: text/plain; charset=utf-8":
            raise AssertionError(f"not a part's head: {lines}")
        yield lines[2].removeprefix("Content-Range: "), content


class Ranges(Case):
    def test_single_ranges(self):
        """§14.1.2, §14.4, §15.3.7.1"""
        for target in self.everywhere():
            for value, expected, content in (
                    ("bytes=0-4", "bytes 0-4/10", b"01234"),
                    ("bytes=5-", "bytes 5-9/10", b"56789"),
                    ("bytes=-3", "bytes 7-9/10", b"789"),
                    ("bytes=-30", "bytes 0-9/10", b"0123456789"),
                    ("bytes=9-100", "bytes 9-9/10", b"9"),
                    ("BYTES=0-0", "bytes 0-0/10", b"0"),
                    ("bytes=2-4,3-6,20-", "bytes 2-6/10", b"23456")):
                response = self.get(target, {"Range": value})
                self.assertEqual((response.status, response.reason), (206, "Partial Content"))
                self.assertEqual(response.field("Content-Range"), expected, value)
                self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
                self.assertEqual(response.field("Last-Modified"), THREE_FORMS[0])
                self.assertEqual(response.body, content, value)

    def test_several_ranges_are_parts(self):
        """§14.6, §15.3.7.2: in the requested order; overlapping ranges are joined"""
        for target in self.everywhere():
            with self.server.client() as client:
                response = client.get(target, fields={"Range": "bytes=8-, 0-1, 90-, 4-5, 5-6"})
                self.assertEqual(response.status, 206)
                self.assertIsNone(response.field("Content-Range"))
                self.assertEqual(list(parse_parts(response)),
                                 [("bytes 8-9/10", b"89"), ("bytes 0-1/10", b"01"),
                                  ("bytes 4-6/10", b"456")])
                # The length was right: the connection continues.
                self.assertEqual(client.get(target).body, b"0123456789")

    def test_ranges_that_cannot_be_met_are_416(self):
        """§15.5.17"""
        for target in self.everywhere():
            for value in ("bytes=10-", "bytes=-0", "bytes=10-12,99-", f"bytes={2**64}-"):
                response = self.get(target, {"Range": value})
                self.assertEqual((response.status, response.field("Content-Range")),
                                 (416, "bytes */10"), value)

    def test_ranges_that_do_not_count_are_ignored(self):
        """§14.2: HEAD, unknown units, what is malformed, too many, and twice"""
        many = "bytes=" + ",".join(f"{i * 2}-{i * 2}" for i in range(257))
        for target in self.everywhere():
            for value in ("bytes=5-4", "bytes=", "bytes=a", "lines=0-1", "0-1", "bytes=0-1;2-3",
                          many):
                response = self.get(target, {"Range": value})
                self.assertEqual((response.status, response.body), (200, b"0123456789"), value)
            twice = [("Range", "bytes=0-1"), ("Range", "bytes=4-5")]
            self.assertEqual(self.get(target, twice).status, 200)
            head = self.get(target, {"Range": "bytes=0-1"}, "HEAD")
            self.assertEqual((head.status, head.field("Content-Length")), (200, "10"))
            self.assertEqual(self.get(target, {"Range": "bytes=0-1"}, "POST").status, 405)

    def test_ranges_are_offered(self):
        """§14.3"""
        for target in self.everywhere():
            self.assertEqual(self.get(target).field("Accept-Ranges"), "bytes")
            self.assertEqual(self.get(target, method="HEAD").field("Accept-Ranges"), "bytes")
        self.assertIsNone(self.get("/ping").field("Accept-Ranges"))

    def test_if_range_decides_between_the_part_and_the_whole(self):
        """§13.1.5"""
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            for validator, status in ((tag, 206), (THREE_FORMS[0], 206), (THREE_FORMS[1], 206),
                                      (THREE_FORMS[2], 206), (f"W/{tag}", 200), ('"x"', 200),
                                      ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
                                      ("Sun, 06 Nov 1994 08:49:38 GMT", 200), ("x", 200)):
                fields = {"Range": "bytes=0-1", "If-Range": validator}
                response = self.get(target, fields)
                self.assertEqual(response.status, status, validator)
                self.assertEqual(response.body, b"01" if status == 206 else b"0123456789")
            # Without a match, no range can be unsatisfiable.
            for validator, status in (('"x"', 200), (tag, 416)):
                fields = {"Range": "bytes=90-", "If-Range": validator}
                self.assertEqual(self.get(target, fields).status, status)

    def test_partial_answer_to_if_range_repeats_nothing(self):
        """§15.3.7: only the required fields"""
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            response = self.get(target, {"Range": "bytes=0-1", "If-Range": tag})
            self.assertEqual({name for name, _ in response.fields},
                             {"Date", "Server", "ETag", "Accept-Ranges", "Content-Range",
                              "Content-Length"})

    def test_conditions_come_before_ranges(self):
        """§13.2.2"""
        for target in self.everywhere():
            tag = self.get(target).field("ETag")
            for condition, status in (({"If-None-Match": tag}, 304), ({"If-Match": '"x"'}, 412),
                                      ({"If-Match": tag}, 206), ({"If-None-Match": '"x"'}, 206)):
                response = self.get(target, {"Range": "bytes=0-1", **condition})
                self.assertEqual(response.status, status, condition)

    def test_empty_file_has_no_ranges(self):
        """§14.1.2"""
        self.server.write("empty", b"")
        self.assertEqual(self.get("/empty", {"Range": "bytes=0-"}).status, 416)
        self.assertEqual(self.get("/empty", {"Range": "bytes=-1"}).status, 200)

    def test_ranges_of_large_files_have_64_bits(self):
        for directory in DIRECTORIES:
            path = self.server.root / f"{directory[1:]}large.txt"
            with open(path, "wb") as file:
                file.truncate(5 * GIB)
                file.seek(5 * GIB)
                file.write(b"the end")
            response = self.get(f"{directory}large.txt", {"Range": f"bytes={5 * GIB - 1}-"})
            self.assertEqual(response.field("Content-Range"),
                             f"bytes {5 * GIB - 1}-{5 * GIB + 6}/{5 * GIB + 7}")
            self.assertEqual(response.body, b"\0the end")
            response = self.get(f"{directory}large.txt", {"Range": "bytes=-3,0-1"})
            self.assertEqual(list(parse_parts(response)),
                             [(f"bytes {5 * GIB + 4}-{5 * GIB + 6}/{5 * GIB + 7}", b"end"),
                              (f"bytes 0-1/{5 * GIB + 7}", b"\0\0")])
            path.unlink()

    def test_hundreds_of_ranges_are_parts(self):
        content = harness.pattern_bytes(4000)
        self.server.write("many.txt", content)
        self.server.write("dynamic/many.txt", content)
        value = "bytes=" + ",".join(f"{i * 15}-{i * 15 + 9}" for i in range(256))
        for target in ("/many.txt", "/dynamic/many.txt"):
            response = self.get(target, {"Range": value})
            self.assertEqual(response.status, 206)
            self.assertEqual([part for _, part in parse_parts(response)],
                             [content[i * 15:i * 15 + 10] for i in range(256)])

    @harness.on_a_plain_wire_only
    def test_parts_of_static_files_are_zero_copy(self):
        """The heads of the parts come from memory; the file's bytes do not pass through the
        process."""
        carrier = {"io_uring": "spliced_bytes", "epoll": "sendfile_bytes"}[self.server.backend]
        content = harness.pattern_bytes(4 * MIB)
        self.server.write("parts.txt", content)
        for value, length in (("bytes=100000-2099999", 2000000),
                              ("bytes=3000000-3999999,0-999999", 2000000)):
            before = self.server.stats()["counters"]
            response = self.get("/parts.txt", {"Range": value})
            after = self.server.stats()["counters"]
            self.assertEqual(after[carrier] - before[carrier], length)
            self.assertEqual(after["read_bytes"], before["read_bytes"])
            if "," in value:
                self.assertEqual([part for _, part in parse_parts(response)],
                                 [content[3000000:4000000], content[:1000000]])
            else:
                self.assertTrue(response.body == content[100000:2100000])

    def test_pieces_of_a_download_make_the_whole(self):
        """Like a download manager: over several connections, with If-Range."""
        content = harness.pattern_bytes(MIB + 12345)
        for directory in DIRECTORIES:
            target = f"{directory}download"
            self.server.write(target[1:], content)
            tag = self.get(target, method="HEAD").field("ETag")
            parts, step = [], 100001
            for start in range(0, len(content), step):
                response = self.get(target, {"Range": f"bytes={start}-{start + step - 1}",
                                             "If-Range": tag})
                self.assertEqual(response.status, 206)
                parts.append(response.body)
            self.assertTrue(b"".join(parts) == content)

    def test_pipelined_ranges_come_in_order(self):
        with self.server.client() as client:
            values = ["bytes=0-0", "bytes=3-4,8-8", "bytes=99-", "bytes=-1"]
            targets = ("/file.txt", "/dynamic/file.txt")
            client.send(b"".join(client.head("GET", target, {"Range": value})
                                 for value in values for target in targets))
            bodies = [client.response() for _ in range(8)]
            self.assertEqual([r.status for r in bodies], [206] * 4 + [416] * 2 + [206] * 2)
            self.assertEqual([bodies[i].body for i in (0, 1, 6, 7)], [b"0", b"0", b"9", b"9"])
            self.assertEqual([part for _, part in parse_parts(bodies[2])], [b"34", b"8"])

    def test_descriptors_do_not_grow_with_ranges(self):
        count = self.server.resting_descriptor_count() + 1
        with self.server.client() as client:
            for _ in range(50):
                for target in ("/file.txt", "/dynamic/file.txt"):
                    for value in ("bytes=0-1", "bytes=0-1,4-5", "bytes=90-"):
                        client.get(target, fields={"Range": value})
            self.server.await_descriptor_count(count)


class Siblings(Case):
    LOCATIONS = {
        "/": 'endpoint = "static"\n precompressed = {"zst", "br", "gz"}',
        "/plain/": 'endpoint = "static"',
        "/stats": 'endpoint = "stats"',
    }
    SIBLINGS = {"": b"0123456789", ".gz": b"gzipped", ".br": b"brotli", ".zst": b"zstandard"}

    @classmethod
    def make_server(cls):
        server = Server(locations=cls.LOCATIONS)
        for directory in ("", "plain/"):
            for suffix, content in cls.SIBLINGS.items():
                path = server.write(f"{directory}file.txt{suffix}", content)
                os.utime(path, (MODIFIED, MODIFIED))
        for name, content, age in (("stale", b"new", 0), ("stale.gz", b"old", 61),
                                   ("index.html", b"<p>", 0), ("index.html.gz", b"gz", 0)):
            os.utime(server.write(name, content), (MODIFIED - age, MODIFIED - age))
        return server

    def negotiate(self, accepted, target="/file.txt", **fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        return self.get(target, {"Accept-Encoding": accepted, **fields})

    def test_siblings_are_chosen_by_weight(self):
        """§12.5.3"""
        for accepted, coding in (
                ("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br, zstd", "zstd"),
                ("gzip;q=1.0, br;q=0.9", "gzip"), ("gzip;q=0.5, br;q=0.50", "br"),
                ("x-gzip", "gzip"), ("GZIP", "gzip"), ("*", "zstd"), ("*;q=0.1, zstd;q=0", "br"),
                ("gzip;q=0", None), ("identity", None), ("", None), ("deflate", None),
                ("gzip;q=0.5, identity", None), ("gzip;q=0.5, identity;q=0.5", "gzip"),
                ("identity;q=0, gzip;q=0.001", "gzip")):
            response = self.negotiate(accepted)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.field("Content-Encoding"), coding, accepted)
            self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
            suffix = {None: "", "gzip": ".gz", "br": ".br", "zstd": ".zst"}[coding]
            self.assertEqual(response.body, self.SIBLINGS[suffix], accepted)
        twice = [("Accept-Encoding", "gzip;q=0.5"), ("Accept-Encoding", "br")]
        self.assertEqual(self.get("/file.txt", twice).field("Content-Encoding"), "br")
        self.assertIsNone(self.get("/file.txt").field("Content-Encoding"))
        self.assertEqual(self.negotiate("gzip", "/").body, b"gz")

    def test_nothing_acceptable_is_406(self):
        """§12.5.3, §15.5.7"""
        for accepted in ("identity;q=0", "*;q=0", "identity;q=0, deflate"):
            self.assertEqual(self.negotiate(accepted).status, 406, accepted)
        self.assertEqual(self.negotiate("gzip, identity;q=0", "/stale").status, 406)
        self.assertEqual(self.negotiate("identity;q=0", "/plain/file.txt").status, 200)

    def test_vary_is_said_wherever_a_sibling_could_be_chosen(self):
        """§12.5.5"""
        for status, fields in ((200, {}), (206, {"Range": "bytes=0-1"}),
                               (304, {"If-None-Match": "*"}), (412, {"If-Match": '"x"'}),
                               (416, {"Range": "bytes=99-"})):
            for accepted in ("gzip", "identity"):
                response = self.negotiate(accepted, **fields)
                self.assertEqual((response.status, response.field("Vary")),
                                 (status, "Accept-Encoding"))
        self.assertEqual(self.get("/file.txt").field("Vary"), "Accept-Encoding")
        self.assertEqual(self.negotiate("gzip", "/stale").field("Vary"), "Accept-Encoding")
        self.assertEqual(self.negotiate("identity;q=0").field("Vary"), "Accept-Encoding")
        plain = self.negotiate("gzip", "/plain/file.txt")
        self.assertEqual((plain.field("Vary"), plain.body), (None, b"0123456789"))

    def test_tags_and_ranges_are_those_of_the_representation(self):
        """§8.8.3.3, §14"""
        codings = ("identity", "gzip", "br", "zstd")
        tags = {coding: self.negotiate(coding).field("ETag") for coding in codings}
        self.assertEqual(len(set(tags.values())), 4, tags)
        for coding in codings:
            for known in codings:
                response = self.negotiate(coding, If_None_Match=tags[known])
                self.assertEqual(response.status, 304 if coding == known else 200)
        response = self.negotiate("gzip", Range="bytes=-4")
        self.assertEqual((response.field("Content-Range"), response.body), ("bytes 3-6/7", b"pped"))
        self.assertEqual(response.field("Content-Encoding"), "gzip")
        response = self.negotiate("gzip", Range="bytes=0-1", If_Range=tags["identity"])
        self.assertEqual((response.status, response.body), (200, b"gzipped"))
        self.assertEqual(self.negotiate("gzip", Range="bytes=0-0,4-4").status, 200)
        self.assertEqual(self.negotiate("identity", Range="bytes=0-0,4-4").status, 206)

    def test_sibling_older_than_its_original_is_not_sent(self):
        for _ in range(3):
            response = self.negotiate("gzip", "/stale")
            self.assertEqual((response.body, response.field("Content-Encoding")), (b"new", None))
        lines = [line for line in self.server.stderr_lines() if "stale.gz is more than" in line]
        self.assertEqual(len(lines), 1, lines)

    def test_sibling_hardly_older_than_its_original_is_sent(self):
        """As `tar -m` or `cp -r` may leave them."""
        self.server.write("copied", b"new")
        path = self.server.write("copied.gz", b"old")
        os.utime(self.server.root / "copied", (MODIFIED, MODIFIED + 0.002))
        for age in (0.001, 1, 59):
            os.utime(path, (MODIFIED, MODIFIED - age))
            self.assertEqual(self.negotiate("gzip", "/copied").body, b"old", age)

    def test_sibling_without_an_original_is_a_file_of_its_own(self):
        self.server.write("alone.gz", b"alone")
        self.assertEqual(self.negotiate("gzip", "/alone").status, 404)
        response = self.negotiate("gzip", "/alone.gz")
        self.assertEqual((response.status, response.field("Content-Encoding")), (200, None))

    def test_what_is_no_readable_file_is_no_sibling(self):
        self.server.write("odd.txt", b"odd")
        (self.server.root / "odd.txt.zst").mkdir()
        os.mkfifo(self.server.root / "odd.txt.br")
        os.symlink("/etc/passwd", self.server.root / "odd.txt.gz")
        response = self.negotiate("zstd, br, gzip", "/odd.txt")
        self.assertEqual((response.status, response.body), (200, b"odd"))
        self.assertEqual(self.server.stderr.count("odd.txt.gz"), 0)

    def test_descriptors_do_not_grow_with_siblings(self):
        count = self.server.resting_descriptor_count() + 1
        with self.server.client() as client:
            for _ in range(50):
                for fields in ({}, {"If-None-Match": "*"}, {"Range": "bytes=99-"}):
                    for accepted in ("gzip", "identity;q=0", "br, gzip"):
                        for target in ("/file.txt", "/stale"):
                            client.get(target, fields={"Accept-Encoding": accepted, **fields})
            self.server.await_descriptor_count(count)

    def test_unknown_kinds_are_refused_with_the_line(self):
        for value, message in (('{"gz", "zip"}', "precompressed = zip: unknown kind"),
                               ('{"gz", "gz"}', "precompressed = gz: named twice")):
            file = self.server.directory / "wrong.conf"
            file.write_text('listen "127.0.0.1:0" {}\nsite "*" {\n root = "/"\n'
                            f' location "/" {{\n  precompressed = {value}\n }}\n}}\n')
            done = harness.run("-c", file, "-t")
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, f"wrong.conf:5:[0-9]+: {re.escape(message)}")


if __name__ == "__main__":
    harness.main()

"""What of a file is sent: nothing, because the client has it (RFC 9110 §13), a part, or another
representation of it.  Whatever holds for static holds for dynamic."""

import email.utils
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

MODIFIED = 784111777
THREE_FORMS = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
               "Sun Nov  6 08:49:37 1994")
DIRECTORIES = ("/", "/dynamic/")


class Case(unittest.TestCase):
    """One server for all cases of a class."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.prepare(cls.server)
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def prepare(cls, server):
        for directory in DIRECTORIES:
            path = server.write(f"{directory[1:]}file.txt", b"0123456789")
            os.utime(path, (MODIFIED, MODIFIED))

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
                # Not a byte of a body stands between it and the next response (RFC 9112 §6.3).
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
                # The kernel's clock for files ticks every few milliseconds.
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
        with self.server.client() as client:
            client.get("/file.txt")
            count = self.server.descriptor_count()
            for _ in range(100):
                for target in ("/file.txt", "/dynamic/file.txt"):
                    self.assertEqual(client.get(target, fields={"If-None-Match": "*"}).status, 304)
                    self.assertEqual(client.get(target, fields={"If-Match": '"x"'}).status, 412)
            self.server.await_descriptor_count(count)


if __name__ == "__main__":
    harness.main()

"""Server-side includes (docs/endpoints.md, dynamic): what a client sees of a page that is completed
while it is sent. The server keeps nothing of it."""

import gzip
import os
import pathlib
import re
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import MIB, Server  # noqa: E402

ERROR = b"[an error occurred while processing the directive]"
LOCATIONS = {"/": 'endpoint = "dynamic" filters = {"ssi"}', "/stats": 'endpoint = "stats"',
             "/plain/": 'endpoint = "dynamic"'}

# A directive ends the file; the rest is a hole, so that it needs no disk space.
LONG = 100 * MIB
END = b'<!--# echo var="QUERY_STRING" -->'


def write_long(path):
    with open(path, "wb") as file:
        file.truncate(LONG - len(END))
        file.seek(LONG - len(END))
        file.write(END)


class Includes(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return Server(locations=LOCATIONS)

    def write(self, path, content):
        return self.server.write(path, content)

    def body(self, target, **options):
        response = self.server.get(target, **options)
        self.assertEqual(response.status, 200)
        return response.body

    def assert_logged(self, start, pattern):
        self.server.await_stderr(pattern, start=start)

    # The answer

    def test_page_is_chunked_and_the_connection_lives_on(self):
        self.write("page.html", b'a<!--#echo var="REQUEST_URI" -->b')
        with self.server.client() as client:
            for target in ("/page.html", "/page.html?1"):
                response = client.get(target)
                self.assertEqual(response.body, b"a" + target.encode() + b"b")
                self.assertEqual(response.field("Transfer-Encoding"), "chunked")
                self.assertIsNone(response.field("Content-Length"))

    def test_http_1_0_is_ended_by_the_close(self):
        self.write("page.html", b'a<!--#echo var="REQUEST_URI" -->b')
        with self.server.client() as client:
            response = client.get("/page.html", version="HTTP/1.0")
            self.assertEqual(response.body, b"a/page.htmlb")
            self.assertIsNone(response.field("Transfer-Encoding"))
            self.assertIsNone(response.field("Content-Length"))
            client.assert_closed()

    def test_head_has_the_fields_of_get(self):
        self.write("page.html", b'<!--#include file="none.html" -->')
        start = len(self.server.stderr_lines())
        with self.server.client() as client:
            head = client.request("HEAD", "/page.html")
            self.assertEqual(self.server.stderr_lines()[start:], [])
            get = client.get("/page.html")
        self.assertEqual([pair for pair in head.fields if pair[0] != "Date"],
                         [pair for pair in get.fields if pair[0] != "Date"])

    def test_validators_conditions_and_ranges_are_gone(self):
        self.write("page.html", b"0123456789")
        for fields in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}, {"If-Match": '"a"'},
                       {"If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"}):
            with self.subTest(fields=fields):
                response = self.server.get("/page.html", fields=fields)
                self.assertEqual((response.status, response.body), (200, b"0123456789"))
                for name in ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range"):
                    self.assertIsNone(response.field(name))

    def test_other_media_types_and_locations_are_files_as_before(self):
        page = b'<!--#echo var="X" -->'
        self.write("page.txt", page)
        self.write("plain/page.html", page)
        for target in ("/page.txt", "/plain/page.html"):
            with self.subTest(target):
                response = self.server.get(target, fields={"Range": "bytes=0-3"})
                self.assertEqual((response.status, response.body), (206, page[:4]))
                self.assertIsNotNone(response.field("ETag"))

    def test_index_and_error_pages_are_worked_on(self):
        locations = {"/": 'endpoint = "dynamic" filters = {"ssi"} '
                          'error_page = {"404 /missing.html"}'}
        with Server(files={"d/index.html": b'<!--#echo var="DOCUMENT_URI" -->',
                           "missing.html": b'no <!--#echo var="REQUEST_URI" -->'},
                    locations=locations) as server:
            self.assertEqual(server.get("/d/").body, b"/d/index.html")
            response = server.get("/none?<")
            self.assertEqual((response.status, response.body), (404, b"no /none?&lt;"))

    def test_page_is_compressed_on_its_way(self):
        locations = {"/": 'endpoint = "dynamic" filters = {"ssi"} compress = yes'}
        with Server(files={"page.html": b'<!--#include file="inner.txt" -->' * 20 + b"end",
                           "inner.txt": b"inner " * 3000}, locations=locations) as server:
            response = server.get("/page.html", fields={"Accept-Encoding": "gzip"})
            self.assertEqual(response.field("Content-Encoding"), "gzip")
            self.assertIsNone(response.field("ETag"))
            self.assertEqual(gzip.decompress(response.body), b"inner " * 60000 + b"end")

    # Values

    def test_client_is_told_what_it_asked_and_from_where(self):
        self.write("page.html", b'<!--# echo var="REMOTE_ADDR" -->'
                                b' <!--# echo var="query_string" -->'
                                b' <!--# echo var="HTTP_USER_AGENT" encoding="url" -->')
        self.assertEqual(self.body("/page.html?a=b", fields={"User-Agent": "a/b c"}),
                         b"127.0.0.1 a=b a%2Fb%20c")

    def test_client_behind_a_trusted_proxy_is_the_client(self):
        with Server(files={"page.html": b'<!--# echo var="REMOTE_ADDR" -->'}, locations=LOCATIONS,
                    settings={"trusted_proxies": '{"127.0.0.1"}'}) as server:
            response = server.get("/page.html", fields={"X-Forwarded-For": "192.0.2.7"})
            self.assertEqual(response.body, b"192.0.2.7")

    def test_no_request_brings_a_script_into_the_page(self):
        script = "<script>alert('1')</script>"
        self.write("page.html", b'<!--# echo var="QUERY_STRING" -->'
                                b'<!--# echo var="HTTP_REFERER" -->'
                                b'<!--# echo var="REQUEST_URI" -->')
        body = self.body(f"/page.html?{script}", fields={"Referer": script + '"'})
        self.assertEqual(body.count(b"&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), 3)
        for byte in b"<>\"'":
            self.assertNotIn(byte, body)

    def test_directives_of_a_request_are_text(self):
        self.write("page.html", b'<!--# echo var="HTTP_REFERER" encoding="none" -->')
        directive = '<!--#echo var="DATE_GMT" -->'
        self.assertEqual(self.body("/page.html", fields={"Referer": directive}),
                         directive.encode())

    def test_dates_are_those_of_now_and_of_files(self):
        path = self.write("old.html", b"x")
        os.utime(path, (1234567890, 1234567890))
        self.write("page.html", b'<!--#config timefmt="%s" --><!--#flastmod file="old.html" -->'
                                b' <!--#config timefmt="%Y %Z" --><!--#echo var="DATE_GMT" -->')
        self.assertRegex(self.body("/page.html"), rb"^1234567890 20\d\d GMT$")

    # Includes

    def test_included_files_stand_in_their_place(self):
        self.write("page.html", b'1<!--#include virtual="/d/inner.html" -->2')
        self.write("d/inner.html", b'(<!--#include file="deep.txt" -->)')
        self.write("d/deep.txt", b'<!--#fsize virtual="../page.html" -->')
        size = len(b'1<!--#include virtual="/d/inner.html" -->2')
        self.assertEqual(self.body("/page.html"), b"1(%d)2" % size)

    def test_files_that_change_are_read_anew(self):
        for version in (b"one", b"another", b"third"):
            self.write("inner.html", b"inner " + version)
            self.write("page.html", version + b' <!--#include file="inner.html" -->')
            for _ in range(3):
                self.assertEqual(self.body("/page.html"), version + b" inner " + version)

    def test_large_files_are_included_whole(self):
        content = harness.pattern_bytes(3 * MIB)
        self.write("large.bin", content)
        self.write("page.html", b'<!--#include file="large.bin" -->' * 2)
        self.assertEqual(self.body("/page.html"), content * 2)

    def test_errors_are_shown_and_logged_with_path_and_line(self):
        self.write("page.html", b'1\n2 <!--#include file="none.html" --> <!--#exec cmd="ls" -->\n')
        errors = self.server.counter("ssi_errors")
        start = len(self.server.stderr_lines())
        self.assertEqual(self.body("/page.html"), b"1\n2 %s %s\n" % (ERROR, ERROR))
        place = re.escape(str(self.server.root / "page.html"))
        self.assert_logged(start, rf"warning .*ssi: {place}:2: /none.html: 404")
        self.assert_logged(start, rf"warning .*ssi: {place}:2: unknown command \"exec\"")
        self.assertEqual(self.server.counter("ssi_errors") - errors, 2)

    def test_loops_and_depth_end(self):
        self.write("loop.html", b'a<!--#include file="back.html" -->')
        self.write("back.html", b'b<!--#include file="loop.html" -->')
        self.assertEqual(self.body("/loop.html"), b"ab" + ERROR)
        for i in range(9):
            self.write(f"{i}.html", b'%d<!--#include file="%d.html" -->' % (i, i + 1))
        self.assertEqual(self.body("/0.html"), b"01234567" + ERROR)

    def test_nothing_outside_the_root_is_included(self):
        secret = self.server.directory / "secret.html"
        secret.write_bytes(b"secret")
        (self.server.root / "link.html").symlink_to(secret)
        (self.server.root / "relative.html").symlink_to("../secret.html")
        self.write(".dot.html", b"secret")
        for path in ("../secret.html", "/../secret.html", "%2e%2e/secret.html", "link.html",
                     "/..%2fsecret.html", "relative.html", str(secret), ".dot.html",
                     "d/../../secret.html", "/proc/self/environ", "./../secret.html"):
            for command in ("include", "fsize", "flastmod"):
                for name in ("virtual", "file"):
                    with self.subTest(path=path, command=command, name=name):
                        self.write("page.html", f'<!--#{command} {name}="{path}" -->'.encode())
                        self.assertEqual(self.body("/page.html"), ERROR)

    def test_rules_of_the_location_of_an_included_file_hold(self):
        page = (b'<!--#include file="inner/a.txt" --><!--#include virtual="/open/a.txt" -->'
                b'<!--#fsize virtual="/x/../inner/a.txt" -->')
        locations = {**LOCATIONS, "/inner/": 'endpoint = "static" allow = {"192.0.2.0/24"}',
                     "/open/": 'endpoint = "static" allow = {"127.0.0.0/8"}'}
        with Server(files={"page.html": page, "inner/a.txt": b"inner", "open/a.txt": b"open"},
                    locations=locations, settings={"trusted_proxies": '{"127.0.0.1"}'}) as server:
            self.assertEqual(server.get("/page.html").body, ERROR + b"open" + ERROR)
            server.await_stderr(r"ssi: .*/page.html:1: /inner/a.txt: not for this client")
            response = server.get("/page.html", fields={"X-Forwarded-For": "192.0.2.1"})
            self.assertEqual(response.body, b"inner" + ERROR + b"5")

    def test_query_of_an_include_is_query_string_in_it(self):
        self.write("page.html", b'<!--#include virtual="q.html?a=b&c" wait="yes" --> '
                                b'<!--#include virtual="/q.html?" wait="no" --> '
                                b'<!--#include virtual="q.html" -->')
        self.write("q.html", b'[<!--#include file="inner.html" -->]')
        self.write("inner.html", b'<!--#echo var="QUERY_STRING" encoding="none" -->')
        self.assertEqual(self.body("/page.html?x"), b"[a=b&c] [] [x]")
        self.write("wait.html", b'<!--#include file="q.html" wait="maybe" -->')
        self.assertEqual(self.body("/wait.html"), ERROR)

    def test_what_is_not_supported_is_one_error_and_shows_no_branch(self):
        for number, (page, body) in enumerate((
                (b'a<!--#if expr="$x = 1" -->b<!--#elif expr="2" -->c<!--#echo var="X" -->'
                 b'<!--#else -->d<!--#endif -->e', b"a" + ERROR + b"e"),
                (b'a<!--#if expr="1" --><!--#if expr="2" -->b<!--#endif -->c<!--#endif -->d',
                 b"a" + ERROR + b"d"),
                (b'<!--#block name="one" -->a<!--#endblock -->b', ERROR + b"b"),
                (b'a<!--#if expr="1" -->b', b"a" + ERROR),
                (b'<!--#if expr=1 -->a<!--#include file="none" --><!--#endif -->', ERROR),
                (b'<!--#set var="x" value="y" -->a<!--#endif -->', ERROR + b"a" + ERROR))):
            with self.subTest(page):
                self.write(f"branch{number}.html", page)
                self.assertEqual(self.body(f"/branch{number}.html"), body)

    def test_fifo_stops_nobody(self):
        os.mkfifo(self.server.root / "fifo")
        self.write("page.html", b'<!--#include file="fifo" -->')
        self.assertEqual(self.body("/page.html"), ERROR)

    def test_slow_client_gets_all_of_it(self):
        self.write("inner.txt", b"x" * 300000)
        self.write("page.html", b'<!--#include file="inner.txt" -->|' * 5)
        with self.server.client(receive_buffer=4096) as client:
            response = client.get("/page.html")
        self.assertEqual(response.body, (b"x" * 300000 + b"|") * 5)

    def test_pipelined_pages_come_in_order(self):
        self.write("page.html", b'<!--#include file="one.txt" --><!--#echo var="QUERY_STRING" -->')
        self.write("one.txt", b"1")
        with self.server.client() as client:
            client.send(b"".join(client.head("GET", f"/page.html?{i}") for i in range(20)))
            for i in range(20):
                self.assertEqual(client.response().body, b"1%d" % i)


class Resources(unittest.TestCase):
    """Servers that no other case uses."""

    def test_long_page_takes_no_more_memory_than_a_short_one(self):
        with Server(locations=LOCATIONS) as server:
            write_long(server.root / "long.html")
            server.write("outer.html", b'<!--#include file="long.html" -->')
            server.get("/stats")
            before = server.anonymous_bytes()
            for target in ("/long.html?end", "/outer.html?end"):
                tail = bytearray()

                def sink(data, tail=tail):
                    tail.extend(data)
                    del tail[:-8]

                with server.client(seconds=3 * harness.SECONDS) as client:
                    response = client.get(target, sink=sink)
                self.assertEqual(response.length, LONG - len(END) + 3)
                self.assertEqual(bytes(tail), b"\0" * 5 + b"end")
                if not harness.is_sanitized():
                    self.assertLess(server.anonymous_bytes() - before, 4 * MIB)

    def test_files_inside_one_another_hold_one_descriptor(self):
        files = {f"{i}.html": b'a<!--#include file="%d.html" -->b' % (i + 1) for i in range(1, 8)}
        with Server(files=files, locations=LOCATIONS) as server:
            write_long(server.root / "8.html")
            at_rest = server.descriptor_count()
            clients = [self.enterContext(server.client()) for _ in range(10)]
            for client in clients:
                client.send(client.head("GET", "/1.html"))
                harness.wait_until(lambda: client.socket.recv(1, socket.MSG_PEEK))
            harness.wait_until(lambda: server.counter("ssi_directives") == 70)
            harness.wait_until(lambda: server.descriptor_count() <= at_rest + 2 * len(clients))

    def test_clients_that_leave_in_the_middle_leave_nothing_behind(self):
        with Server(locations=LOCATIONS) as server:
            write_long(server.root / "long.html")
            server.write("page.html", b'x<!--#include file="inner.html" -->'
                                      b'<!--#include file="long.html" -->')
            server.write("inner.html", b'<!--#fsize file="page.html" -->' * 40)
            descriptors = server.resting_descriptor_count()
            for i in range(50):
                with server.client(receive_buffer=4096) as client:
                    client.send(client.head("GET", "/page.html"))
                    if i % 2:
                        client.receive()
                    client.reset()
            server.await_descriptor_count(descriptors)
            self.assertEqual(server.get("/inner.html").status, 200)
            server.await_descriptor_count(descriptors)

    def test_server_ends_in_the_middle_of_includes(self):
        with Server(locations=LOCATIONS) as server:
            write_long(server.root / "long.html")
            server.write("page.html", b'<!--#include file="long.html" -->')
            clients = [server.client(receive_buffer=4096) for _ in range(5)]
            for client in clients:
                client.send(client.head("GET", "/page.html"))
                client.receive()
            server.stop()
            for client in clients:
                client.close()


if __name__ == "__main__":
    harness.main()

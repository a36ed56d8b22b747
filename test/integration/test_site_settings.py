"""The effects of site and location settings: fields, redirects, pages, listings.

One deliberate difference from nginx: its add_header does not apply to errors unless told `always`.
Here errors get the added fields, except those that would make a cache keep the error."""

import email.utils
import html.parser
import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Server  # noqa: E402


def serve(case, site="", locations=None, files=None, **options):
    """A running server whose site has these settings; the case stops it."""
    text = [f'listen "127.0.0.1:0" {{}}\nworkers = 1\naccess_log = ""\nsite "*" {{\n'
            f'  root = "{{root}}"\n  {site}']
    text += [f'  location "{path}" {{ {words} }}' for path, words in (locations or {}).items()]
    server = Server(files=files, configuration="\n".join([*text, "}", ""]), **options)
    case.enterContext(server)
    return server


class Case(unittest.TestCase):
    def check(self, text):
        """The exit code and the message of -t for a site with this text."""
        server = Server(configuration='listen "127.0.0.1:0" {}\nsite "*" { root = "{root}"\n'
                        f"{text}\n}}\n", arguments=[])
        server.arguments += ["-t"]
        server.start()
        try:
            server.await_exit()
            return server.exit_code, server.stderr
        finally:
            server.abandon()

    def assert_refused(self, text, pattern):
        code, message = self.check(text)
        self.assertEqual(code, 1, text)
        self.assertRegex(message, r":3:[0-9]+: .*" + pattern)


class Fields(Case):
    def test_fields_are_added_to_every_answer_of_a_site(self):
        server = serve(self, 'add_header = {"X-One: 1", "X-Two:two words "}',
                       {"/ping": 'endpoint = "ping"'}, {"a.txt": b"a"})
        for target, status in (("/a.txt", 200), ("/ping", 200), ("/none", 404), ("/ping/x", 404)):
            with self.subTest(target):
                response = server.get(target)
                self.assertEqual(response.status, status)
                self.assertEqual((response.field("X-One"), response.field("X-Two")),
                                 ("1", "two words"))
        with server.client() as client:
            response = client.request("DELETE", "/ping")
            self.assertEqual((response.status, response.field("X-One")), (405, "1"))
            response = client.request("HEAD", "/a.txt")
            self.assertEqual((response.status, response.field("X-One")), (200, "1"))

    def test_a_location_replaces_the_list_of_its_site(self):
        server = serve(self, 'add_header = {"X-One: 1"}',
                       {"/a/": 'add_header = {"X-Two: 2"}', "/b/": "add_header = {}"},
                       {"a/x": b"", "b/x": b"", "x": b""})
        for target, one, two in (("/x", "1", None), ("/a/x", None, "2"), ("/b/x", None, None)):
            response = server.get(target)
            self.assertEqual((response.field("X-One"), response.field("X-Two")), (one, two))

    def test_what_the_answer_says_stays_unless_it_is_removed(self):
        server = serve(self, "", {
            "/a/": 'add_header = {"content-type: text/x-mine", "Server: mine"}',
            "/b/": 'add_header = {"content-type: text/x-mine", "Server: mine"} '
                   'remove_header = {"Content-Type", "server", "ETag"}'},
            {"a/x.txt": b"", "b/x.txt": b""})
        response = server.get("/a/x.txt")
        self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(response.field("Server"), "Ringlet")
        response = server.get("/b/x.txt")
        self.assertEqual(response.field("Content-Type"), "text/x-mine")
        self.assertEqual(response.field("Server"), "mine")
        self.assertIsNone(response.field("ETag"))

    def test_server_can_be_removed(self):
        server = serve(self, 'remove_header = {"Server"}', files={"x": b""})
        for target in ("/x", "/none"):
            self.assertIsNone(server.get(target).field("Server"))

    def test_refused_requests_get_the_fields_of_their_site(self):
        """The fields of the site that Host names, as far as Host was read; otherwise those of the
        default site."""
        text = ('listen "127.0.0.1:0" {}\nworkers = 1\naccess_log = ""\n'
                "limits { body_bytes = 1K }\ntimeouts { header = 200ms }\n")
        for name in ("first.org", "second.org"):
            text += (f'site "{name}" {{ root = "{{root}}" add_header = {{"X-Site: {name}", '
                     '"X-Frame-Options: DENY", "Cache-Control: public"} expires = 1h '
                     'remove_header = {"Server"} }\n')
        server = self.enterContext(Server(configuration=text))
        host = b"Host: second.org\r\n"
        for request, status, site in (
                (b"GET / HTTP/1.1\r\n\r\n", 400, "first.org"),
                (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "first.org"),
                (b"\x15\x03\x01\r\n\r\n", 400, "first.org"),
                (b"GET / HTTP/1.1\r\n" + host + b"bad field\r\n\r\n", 400, "second.org"),
                (b"GET / HTTP/1.1\r\n" + host + b"Content-Length: x\r\n\r\n", 400, "second.org"),
                (b"GET /%zz HTTP/1.1\r\n" + host + b"\r\n", 400, "second.org"),
                (b"GE", 408, "first.org"),
                (b"PUT / HTTP/1.1\r\n" + host + b"Content-Length: 2000\r\n\r\n", 413, "second.org"),
                (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n", 414, "first.org"),
                (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414, "second.org"),
                (b"GET / HTTP/1.1\r\n" + host + b"Expect: x\r\n\r\n", 417, "second.org"),
                (b"GET / HTTP/1.1\r\nA: " + b"a" * 20000, 431, "first.org"),
                (b"BREW / HTTP/1.1\r\n" + host + b"\r\n", 501, "second.org"),
                (b"CONNECT a:1 HTTP/1.1\r\n" + host + b"\r\n", 405, "second.org"),
                (b"GET / HTTP/2.0\r\n\r\n", 505, "first.org")):
            with self.subTest(status=status, request=request[:30]), server.client() as client:
                client.send(request)
                response = client.response()
                self.assertEqual((response.status, response.field("X-Site")), (status, site))
                self.assertEqual(response.field("X-Frame-Options"), "DENY")
                for name in ("Server", "Cache-Control", "Expires"):
                    self.assertIsNone(response.field(name))

    def test_expires_is_a_date_after_date(self):
        server = serve(self, "expires = 1h", files={"x": b""})
        response = server.get("/x")
        self.assertEqual(response.field("Cache-Control"), "max-age=3600")
        date, expires = (email.utils.parsedate_to_datetime(response.field(name))
                         for name in ("Date", "Expires"))
        self.assertEqual((expires - date).total_seconds(), 3600)

    def test_caches_are_told_nothing_about_errors_and_no_lie_about_statistics(self):
        server = serve(self, 'expires = 1h add_header = {"Cache-Control: public"}',
                       {"/stats": 'endpoint = "stats"'}, {"x": b""})
        self.assertEqual(server.get("/x").all("Cache-Control"), ["public", "max-age=3600"])
        response = server.get("/none")
        self.assertEqual((response.status, response.all("Cache-Control"), response.all("Expires")),
                         (404, [], []))
        response = server.get("/stats")
        self.assertEqual((response.field("Cache-Control"), response.all("Expires")),
                         ("no-store", []))

    def test_as_many_fields_as_allowed_arrive_also_pipelined(self):
        lines = [f"X-{i}: {'v' * 255}" for i in range(15)]
        listed = ", ".join(f'"{line}"' for line in lines)
        server = serve(self, f"add_header = {{{listed}}} expires = 1d",
                       {"/ping": 'endpoint = "ping"'})
        with server.client() as client:
            client.send(client.head("GET", "/ping") * 40)
            for _ in range(40):
                response = client.response()
                self.assertEqual(response.body, b"pong")
                self.assertEqual(response.field("X-14"), "v" * 255)

    def test_fields_of_framing_and_broken_ones_are_mistakes(self):
        for field in ("Content-Length: 1", "transfer-encoding: chunked", "Connection: close",
                      "Date: now", "Trailer: x", "Content-Range: bytes */1"):
            self.assert_refused(f'add_header = {{"X-A: b", "{field}"}}',
                                f"{re.escape(field)}.* a field of the message's framing, expected")
        self.assert_refused('remove_header = {"Content-Length"}', "framing, expected names")
        self.assert_refused('remove_header = {"a b"}', "no field name, expected names")
        for field in ("no colon", ": x", "a b: c", ""):
            self.assert_refused(f'add_header = {{"{field}"}}', "no (field name|value), expected")
        self.assert_refused('add_header = {"X: a\\r\\nY: b"}', "a control byte, expected")
        self.assert_refused('add_header = {"X: a\\x01"}', "a control byte, expected")
        self.assert_refused('add_header = {"X:  "}', "no value, expected")
        many = ", ".join(f'"X-{i}: y"' for i in range(16))
        self.assert_refused(f"add_header = {{{many}}}", "too many fields, expected")
        self.assert_refused(f'add_header = {{"X: {"y" * 5000}"}}', "too long together, expected")
        self.assert_refused("expires = 10", "no unit, expected")


class Redirects(Case):
    def setUp(self):
        self.server = serve(self, 'add_header = {"X-One: 1"}', {
            "/old/": 'redirect = "/new/"', "/page": 'redirect = "/new/page.html"',
            "/far/": 'redirect = "https://example.com" redirect_status = 308',
            "/gone/": 'endpoint = "redirect" redirect = "/" redirect_status = 302',
            "/post": 'redirect = "/other" redirect_status = 307'})

    def follow(self, target, method="GET"):
        with self.server.client() as client:
            response = client.request(method, target)
        return response.status, response.field("Location")

    def test_the_rest_of_the_path_and_the_query_are_kept(self):
        for target, status, location in (
                ("/old/", 301, "/new/"), ("/old/a/b", 301, "/new/a/b"),
                ("/old/a%20b?c=%20d&e", 301, "/new/a%20b?c=%20d&e"),
                ("/page", 301, "/new/page.html"), ("/page?x", 301, "/new/page.html?x"),
                ("/page?", 301, "/new/page.html?"),
                ("/far/", 308, "https://example.com/"), ("/far/x", 308, "https://example.com/x"),
                ("/gone/", 302, "/"), ("/gone/x", 302, "/x"), ("/post", 307, "/other")):
            with self.subTest(target):
                self.assertEqual(self.follow(target), (status, location))

    def test_a_redirect_has_the_fields_of_its_site_and_a_body_for_people(self):
        response = self.server.get("/old/x")
        self.assertEqual((response.field("X-One"), response.body),
                         ("1", b"301 Moved Permanently\n"))
        self.assertEqual(self.follow("/old/x", "HEAD"), (301, "/new/x"))
        self.assertEqual(self.follow("/post", "POST"), (307, "/other"))

    def test_no_path_leads_to_another_host(self):
        for target in ("/gone//example.com", "/gone/%5Cexample.com", "/gone/./%2e/example.com/",
                       "/far/.evil.com", "/far/@evil.com", "/gone/%0d%0aX: y"):
            with self.subTest(target):
                status, location = self.follow(target)
                if status != 400:
                    self.assertRegex(location, r"^(/|https://example\.com/)[^/\\]*/?$")

    def test_an_address_too_long_is_414(self):
        self.assertEqual(self.follow("/old/" + "%20" * 900)[0], 414)

    def test_mistakes_are_found_when_the_configuration_is_read(self):
        for target in ("new", "//host/", "ftp://host/", "https://", "https:///x", "/a b", "/a?b",
                       "/a\\nb", "/\u00e4", ""):
            self.assert_refused(f'location "/a" {{ redirect = "{target}" }}', "expected")
        self.assert_refused('location "/a" { redirect = "/b" redirect_status = 303 }',
                            "unknown word, expected 301, 302, 307 or 308")
        self.assert_refused('location "/a" { endpoint = "ping" redirect = "/b" }',
                            "redirect is a setting of the endpoint redirect, expected")
        self.assert_refused('location "/a" { endpoint = "redirect" }', "redirect is missing")

    def test_a_site_of_redirects_needs_no_root(self):
        with Server(configuration='listen "127.0.0.1:0" {}\nworkers = 1\naccess_log = ""\n'
                    'site "*" { location "/" { redirect = "https://example.com/" } }') as server:
            self.assertEqual(server.get("/a").field("Location"), "https://example.com/a")


class Files(Case):
    FILES = {"app.html": b"<p>app</p>", "404.html": b"<p>lost</p>", "403.html": b"<p>no</p>",
             "a.txt": b"text", ".hidden": b"dot", "d/.git/config": b"dot dir", "empty/.x": b""}

    def test_missing_files_are_the_first_that_can_be_tried(self):
        for endpoint in ("static", "dynamic"):
            with self.subTest(endpoint):
                server = serve(self, 'try = {"/none.html", "/d", "/empty/", "/app.html"}', {
                    "/": f'endpoint = "{endpoint}"', "/plain/": "try = {}",
                    "/gone/": 'try = {"/none"}'}, self.FILES)
                for target in ("/x", "/x/y?z", "/a.txt/", "/.hidden"):
                    response = server.get(target)
                    self.assertEqual((response.status, response.body), (200, b"<p>app</p>"))
                    self.assertEqual(response.field("Content-Type"), "text/html; charset=utf-8")
                self.assertEqual(server.get("/a.txt").body, b"text")
                self.assertEqual(server.get("/d").status, 301)
                self.assertEqual(server.get("/empty/").status, 403)
                for target in ("/plain/x", "/gone/x"):
                    self.assertEqual(server.get(target).status, 404)
                self.assertNotRegex(server.stderr, r" 404 .*/app\.html")

    def test_errors_have_pages_and_keep_their_status(self):
        for endpoint in ("static", "dynamic"):
            with self.subTest(endpoint):
                server = serve(self, 'error_page = {"404 /404.html", "403 /403.html"}', {
                    "/": f'endpoint = "{endpoint}"', "/none/": 'error_page = {"404 /none.html"}',
                    "/dir/": 'error_page = {"404 /d"}'}, self.FILES)
                for target, status, body in (("/x", 404, b"<p>lost</p>"),
                                             ("/empty/", 403, b"<p>no</p>"),
                                             ("/none/x", 404, b"404 Not Found\n"),
                                             ("/dir/x", 404, b"404 Not Found\n")):
                    with server.client() as client:
                        response = client.get(target, fields={"If-None-Match": "*",
                                                              "Range": "bytes=0-1"})
                        self.assertEqual((response.status, response.body), (status, body))
                        self.assertIsNone(response.field("ETag"))
                        self.assertIsNone(response.field("Last-Modified"))
                        head = client.request("HEAD", target)
                        self.assertEqual((head.status, head.field("Content-Length"), head.body),
                                         (status, str(len(body)), b""))
                self.assertEqual(server.get("/404.html").status, 200)
                self.assertEqual(server.get("/d").status, 301)

    def test_refused_methods_and_clients_have_pages_where_files_are(self):
        for endpoint in ("static", "dynamic"):
            with self.subTest(endpoint):
                server = serve(self, 'error_page = {"403 /403.html", "405 /404.html"}', {
                    "/": f'endpoint = "{endpoint}"', "/ping": 'endpoint = "ping"',
                    "/secret/": f'endpoint = "{endpoint}" deny = {{"all"}}',
                    "/none/": f'endpoint = "{endpoint}" error_page = {{"405 /none.html"}}'},
                    self.FILES)
                with server.client() as client:
                    for method, target, status, body in (
                            ("GET", "/secret/a.txt", 403, b"<p>no</p>"),
                            ("GET", "/secret/none", 403, b"<p>no</p>"),
                            ("DELETE", "/a.txt", 405, b"<p>lost</p>"),
                            ("POST", "/none/x", 405, b"405 Method Not Allowed\n"),
                            ("POST", "/ping", 405, b"405 Method Not Allowed\n")):
                        response = client.request(method, target, {"If-Match": "*"}, b"x" * 9000)
                        self.assertEqual((response.status, response.body), (status, body))
                        self.assertEqual(response.field("Allow"),
                                         "GET, HEAD, OPTIONS" if status == 405 else None)
                        self.assertIsNone(response.field("ETag"))
                    head = client.request("HEAD", "/secret/a.txt")
                    self.assertEqual((head.status, head.field("Content-Length"), head.body),
                                     (403, "9", b""))
                    self.assertEqual(client.get("/a.txt").body, b"text")

    def test_rules_of_an_index_file_hold_and_those_of_configured_paths_do_not(self):
        """docs/configuration.md: index, try, error_page"""
        denied = {path: 'deny = {"all"}' for path in ("/d/index.html", "/404.html", "/a.txt")}
        server = serve(self, 'try = {"/a.txt"} error_page = {"403 /404.html"}', {
            "/": 'endpoint = "static"', "/d/": 'endpoint = "static"',
            **denied}, {**self.FILES, "d/index.html": b"secret", "e/index.html": b"open"})
        for target, status, body in (("/d/", 403, b"<p>lost</p>"), ("/e/", 200, b"open"),
                                     ("/d/index.html", 403, b"<p>lost</p>"),
                                     ("/x", 200, b"text"), ("/a.txt", 403, b"<p>lost</p>")):
            for _ in range(2):  # looked up, then known
                response = server.get(target)
                self.assertEqual((response.status, response.body), (status, body), target)

    def test_try_comes_before_the_page_of_the_error(self):
        server = serve(self, 'try = {"/none"} error_page = {"404 /404.html"}', files=self.FILES)
        response = server.get("/x")
        self.assertEqual((response.status, response.body), (404, b"<p>lost</p>"))

    def test_nothing_outside_the_root_is_tried_nor_a_page(self):
        server = serve(self, 'try = {"/out"} error_page = {"404 /out"}', files=self.FILES)
        (server.directory / "secret").write_bytes(b"secret")
        (server.root / "out").symlink_to("../secret")
        self.assertEqual(server.get("/x").body, b"404 Not Found\n")

    def test_dot_files_are_served_where_they_may_be(self):
        server = serve(self, "dot_files = yes", {"/d/": "dot_files = no"}, self.FILES)
        self.assertEqual(server.get("/.hidden").body, b"dot")
        self.assertEqual(server.get("/d/.git/config").status, 404)
        self.assertEqual(server.get("/../.hidden").body, b"dot")

    def test_charset_is_that_of_the_configuration(self):
        server = serve(self, 'charset = "iso-8859-1"', {"/d/": 'charset = ""'},
                       {"a.txt": b"1234", "d/a.txt": b"1", "a.png": b"1"})
        for target, expected in (("/a.txt", "text/plain; charset=iso-8859-1"),
                                 ("/d/a.txt", "text/plain"), ("/a.png", "image/png"),
                                 ("/none", "text/plain; charset=utf-8")):
            self.assertEqual(server.get(target).field("Content-Type"), expected)
        with server.client() as client:
            response = client.get("/a.txt", fields={"Range": "bytes=0-0,2-2"})
            self.assertIn(b"Content-Type: text/plain; charset=iso-8859-1\r\n", response.body)

    def test_index_lists_are_searched_in_their_order(self):
        server = serve(self, 'index = {"no.html", "b.html", "a.html"}',
                       files={"a.html": b"a", "b.html": b"b", "d/a.html": b"d a"})
        self.assertEqual(server.get("/").body, b"b")
        self.assertEqual(server.get("/d/").body, b"d a")

    def test_mistakes_are_found_when_the_configuration_is_read(self):
        for path in ("app.html", "/a//b", "/../x", "/%61", ""):
            self.assert_refused(f'try = {{"/a", "{path}"}}', "no plain path, expected paths")
            self.assert_refused(f'error_page = {{"404 {path}"}}', "no plain path, expected a stat")
        for page in ("/404.html", "200 /x", "600 /x", "4 04 /x", "x /x"):
            self.assert_refused(f'error_page = {{"{page}"}}', "no status from 400 to 599, expected")
        self.assert_refused('error_page = {"404 /x", "404 /y"}', "second page")
        self.assert_refused('charset = "utf-8; x"', "no name of a charset, expected the name")
        self.assert_refused('dot_files = true', "unknown word, expected yes or no")


class Page(html.parser.HTMLParser):
    """The rows of a listing, (address, text) of each link, and whether the page has a script."""

    def __init__(self, page):
        super().__init__()
        self.links, self.tags, self.text, self.open = [], [], "", None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "a":
            self.links.append([dict(attributes)["href"], ""])
            self.open = self.links[-1]

    def handle_endtag(self, tag):
        self.open = None if tag == "a" else self.open

    def handle_data(self, data):
        self.text += data
        if self.open:
            self.open[1] += data


class Listings(Case):
    ODD = ("a b.txt", "<script>alert(1)<", "q\"q'q&amp;", "p%41?x#y", "javascript:alert(1)",
           "\u00e4.txt", "back\\slash")

    def serve(self, site="", **options):
        files = {f"d/{name}": b"x" for name in self.ODD}
        files |= {"d/zz/x": b"", "d/b/x": b"", "d/.hidden": b"", "d/.git/x": b"",
                  "d/new\nline": b"", "d/large": b"x" * 1536, "with/index.html": b"index"}
        return serve(self, f"autoindex = yes {site}", files=files, **options)

    def test_a_directory_is_listed_in_order_with_escaped_names(self):
        for endpoint in ("static", "dynamic"):
            server = self.serve(locations={"/": f'endpoint = "{endpoint}"'})
            response = server.get("/d/")
            self.assertEqual((response.status, response.field("Content-Type")),
                             (200, "text/html; charset=utf-8"))
            page = Page(response.body.decode())
            expected = ["b/", "zz/", *sorted([*self.ODD, "large"], key=os.fsencode)]
            self.assertEqual([text for _, text in page.links[1:]], expected)
            self.assertEqual(page.links[0][0], "../")
            for address, text in page.links[1:]:
                with self.subTest(text):
                    self.assertTrue(address.startswith("./"))
                    self.assertEqual(server.get(f"/d/{address[2:]}").status, 200)
            self.assertNotIn("script", page.tags)
            self.assertIn("1.5 KiB", page.text)
            self.assertRegex(page.text, r"20\d\d-\d\d-\d\d \d\d:\d\d")

    def test_head_empty_and_top_are_listed_too(self):
        server = self.serve()
        (server.root / "empty").mkdir()
        self.assertIn(b"The directory is empty", server.get("/empty/").body)
        page = Page(server.get("/").body.decode())
        self.assertEqual([text for _, text in page.links], ["d/", "empty/", "with/"])
        with server.client() as client:
            response = client.request("HEAD", "/d/")
            self.assertEqual((response.status, response.body), (200, b""))
            self.assertEqual(client.get("/with/").body, b"index")
            self.assertIn(b"</html>", client.get("/d/", version="HTTP/1.0").body)

    def test_dot_files_are_listed_where_they_are_served(self):
        server = self.serve("dot_files = yes")
        names = [text for _, text in Page(server.get("/d/").body.decode()).links]
        self.assertIn(".git/", names)
        self.assertIn(".hidden", names)

    def test_nothing_is_told_of_what_lies_outside(self):
        server = self.serve()
        (server.directory / "private").mkdir()
        (server.directory / "private" / "secret").write_bytes(b"x")
        (server.root / "d" / "out").symlink_to("../../private")
        (server.root / "d" / "inside").symlink_to("b")
        os.mkfifo(server.root / "d" / "fifo")
        self.assertEqual(server.get("/d/out/").status, 404)
        self.assertEqual(server.get("/d/inside/").status, 200)
        names = [text for _, text in Page(server.get("/d/").body.decode()).links]
        self.assertIn("out", names)
        self.assertNotIn("fifo", names)

    def test_it_is_403_where_it_is_off(self):
        server = serve(self, "autoindex = yes", {"/off/": "autoindex = no"}, {"off/x": b""})
        self.assertEqual(server.get("/off/").status, 403)
        self.assertEqual(server.get("/none/").status, 404)

    def test_a_large_directory_is_bounded_and_sent_whole(self):
        server = self.serve()
        (server.root / "large").mkdir()
        for i in range(10_050):
            (server.root / "large" / f"{'n' * 40}{i:05}").touch()
        with server.client() as client:
            response = client.get("/large/")
            self.assertEqual(response.body.count(b"<tr>"), 10_001)
            self.assertIn(b"more entries than are listed", response.body)
            self.assertEqual(client.get("/with/").body, b"index")

    def test_requests_for_one_directory_share_its_listing(self):
        server = self.serve()
        (server.root / "large").mkdir()
        for i in range(10_000):
            (server.root / "large" / f"{'n' * 40}{i:05}").touch()
        server.get("/large/")
        before = harness.anonymous_bytes(server.worker_pid())
        clients = []
        for _ in range(100):
            client = server.client(receive_buffer=4 * KIB)
            self.addCleanup(client.close)
            client.send(client.head("GET", "/large/"))
            clients.append(client)
        for client in clients:
            self.assertIn(b" 200 ", client.receive(20))
        grown = harness.anonymous_bytes(server.worker_pid()) - before
        if not harness.is_sanitized():
            self.assertLess(grown, 32 * MIB)  # a listing has a MiB

    def test_new_and_removed_names_show_at_once_in_a_shared_listing(self):
        server = self.serve()
        (server.root / "n").mkdir()
        for i in range(20):
            (server.root / "n" / f"made{i}").touch()
            harness.wait_until(lambda: f"made{i}<".encode() in server.get("/n/").body, 0.5)
        (server.root / "n" / "made7").unlink()
        harness.wait_until(lambda: b"made7<" not in server.get("/n/").body, 0.5)
        with open(server.root / "n" / "made8", "wb") as file:
            file.write(b"x" * 1536)
        harness.wait_until(lambda: b"1.5 KiB" in server.get("/n/").body)


if __name__ == "__main__":
    harness.main()

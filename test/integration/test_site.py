"""The demonstration site, served by the sample configuration: everything that its pages mention
exists.

What a visitor checks first: every link works, and nothing is loaded from elsewhere."""

import html.parser
import pathlib
import re
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402

WWW = harness.TREE / "www"

# Links to things that the server refuses.
REFUSED = {"/nothing-here": 404, "/static/": 403, "/dynamic": 301}


class Links(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("href", "src", "action")]


def links_of(response):
    media_type, text = response.field("Content-Type"), response.body.decode()
    if media_type.startswith("text/html"):
        return Links(text).found
    if media_type.startswith("text/css"):
        return re.findall(r"url\(['\"]?([^)'\"]+)", text) + re.findall(r"@import\s+\S+", text)
    return []


class TheSite(harness.ServerCase):
    @classmethod
    def make_server(cls):
        sample = (harness.TREE / "docs" / "ringlet.conf").read_text()
        sample = 'listen "127.0.0.1:0" {}\n' + re.sub(r'(?m)^listen ".*$', "", sample)
        assert '"../www"' in sample
        # The store is beside the configuration; the server creates it.
        sample = sample.replace("../www", str(WWW)).replace('"../store"', '"store"')
        return harness.Server(configuration=sample, root=WWW)

    def test_every_link_leads_where_it_says(self):
        seen, waiting = {}, ["/"]
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            response = seen[path] = self.server.get(path)
            with self.subTest(path):
                self.assertEqual(response.status, REFUSED.get(path, 200))
            if response.status == 200:
                for link in links_of(response):
                    with self.subTest(page=path, link=link):
                        self.assertFalse(urllib.parse.urlsplit(link).netloc, "from elsewhere")
                    waiting.append(urllib.parse.urljoin(path, link))
        self.assertLessEqual(set(REFUSED), set(seen))
        self.assertIn("/dynamic/counting.txt", seen)

    def test_every_file_is_served_whole_with_its_type(self):
        types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
                 ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
                 ".txt": "text/plain; charset=utf-8"}
        for file in sorted(path for path in WWW.rglob("*") if path.is_file()):
            target = "/" + str(file.relative_to(WWW))
            with self.subTest(target):
                response = self.server.get(target)
                if b"<!--#" in file.read_bytes():
                    self.assertNotIn(b"<!--#", response.body)
                else:
                    self.assertEqual(response.body, file.read_bytes())
                self.assertEqual(response.field("Content-Type").split(";")[0],
                                 types[file.suffix].split(";")[0])

    def test_pages_fit_a_phone_and_the_dark(self):
        for file in sorted(WWW.rglob("*.html")):
            page = file.read_text()
            if not page.startswith("<!doctype html>"):
                continue  # included in pages
            with self.subTest(file.name):
                self.assertIn('name="viewport"', page)
                self.assertIn('name="color-scheme" content="light dark"', page)
        self.assertIn("prefers-color-scheme: dark", (WWW / "static" / "style.css").read_text())

    def test_what_is_written_is_read_back(self):
        with self.server.client() as client:
            self.assertEqual(client.request("PUT", "/write", body=b"kept").status, 201)
            self.assertEqual(client.get("/read").body, b"kept")
            self.assertEqual(client.request("DELETE", "/write").status, 204)

    def test_page_of_directives_tells_the_visitor(self):
        page = self.server.get("/dynamic/visit.html?<b>", fields={"User-Agent": "Netscape"}).body
        for part in (b"<h1>Your visit</h1>", b"127.0.0.1", b"Netscape", b"?&lt;b&gt;",
                     b"/dynamic/visit.html", b" GMT at Greenwich"):
            self.assertIn(part, page)
        for part in (b"<!--", b"error occurred", b"?<b>"):
            self.assertNotIn(part, page)

    def test_browsers_are_told_to_be_careful_with_every_answer(self):
        with self.server.client() as client:
            answers = [client.get(target) for target in (
                "/", "/static/logo.svg", "/dynamic/visit.html", "/ping", "/echo", "/stats",
                "/nothing-here", "/%zz")]
            answers.append(client.request("DELETE", "/"))
            client.send(b"nonsense\r\n\r\n")
            answers.append(client.response())
        for response in answers:
            with self.subTest(repr(response)):
                self.assertEqual(response.field("X-Content-Type-Options"), "nosniff")
                self.assertEqual(response.field("X-Frame-Options"), "SAMEORIGIN")
                self.assertEqual(response.field("Referrer-Policy"),
                                 "strict-origin-when-cross-origin")
                policy = response.field("Content-Security-Policy")
                self.assertRegex(policy, "^default-src 'self'; ")
                self.assertNotRegex(policy, "script-src|http|[*]")

    def test_error_is_plain(self):
        response = self.server.get("/nothing-here")
        self.assertEqual(response.body, b"404 Not Found\n")
        self.assertEqual(response.field("Content-Type").split(";")[0], "text/plain")


if __name__ == "__main__":
    harness.main()

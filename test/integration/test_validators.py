"""Validators are true: equal tags mean equal bytes, whatever times a tool gave the files."""

import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Server, wait_until  # noqa: E402

CONSTANTS = (0, 1, 315532800, 499162500)  # Nix, OSTree, zip, npm
ORDINARY = 1700000000
LENGTHS = {"short": 1000, "long": 300 * KIB}
LOCATIONS = {
    "/auto/": 'endpoint = "static"',
    "/auto-read/": 'endpoint = "dynamic"',
    "/content/": 'endpoint = "static" etag = content',
    "/content-read/": 'endpoint = "dynamic" etag = content',
    "/time/": 'endpoint = "static" etag = time',
    "/no/": 'endpoint = "static" etag = no',
    "/coded/": 'endpoint = "static" etag = content precompressed = {"gz"}',
    "/": 'endpoint = "static"',
}
STRONG = r'^"[!#-~]+"$'


def write(path, content, time):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time, time))


class Case(harness.ServerCase):
    def get(self, target, fields=(), method="GET"):
        with self.server.client() as client:
            return client.request(method, target, fields)

    def tag(self, target):
        return self.get(target).field("ETag")


class Releases(Case):
    """The root is a link that a deploy switches; the files of both releases are equally long, and
    their times are equal, because a tool has normalised them."""

    @classmethod
    def make_server(cls):
        releases = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-test-releases-"))
        cls.addClassCleanup(shutil.rmtree, releases)
        os.chmod(releases, 0o755)
        for release, byte in (("1", b"a"), ("2", b"b")):
            for location in LOCATIONS:
                for name, length in LENGTHS.items():
                    for time in (*CONSTANTS, ORDINARY):
                        path = f"{release}{location}{name}-{time}"
                        write(releases / path, byte * length, time)
        cls.current = releases / "current"
        os.symlink("1", cls.current)
        return Server(root=cls.current, locations=LOCATIONS)

    def switch(self, release):
        link = self.current.with_name("next")
        os.symlink(release, link)
        os.rename(link, self.current)
        byte = {"1": b"a", "2": b"b"}[release]
        # A root is looked up again after a second.
        for location in LOCATIONS:
            wait_until(lambda: self.get(f"{location}short-0").body[:1] == byte)

    def test_no_304_and_no_206_join_two_releases(self):
        asked = [(location, f"{location}{name}-{time}", time) for location in LOCATIONS
                 for name in LENGTHS for time in (*CONSTANTS, ORDINARY)]
        old = {target: [self.get(target) for _ in range(4)][-1] for _, target, _ in asked}
        self.switch("2")
        self.addCleanup(self.switch, "1")
        for location, target, time in asked:
            tag, date = (old[target].field(name) for name in ("ETag", "Last-Modified"))
            fields = []
            if tag and not (location == "/time/" and time == ORDINARY):
                fields += [{"If-None-Match": tag}, {"Range": "bytes=10-", "If-Range": tag}]
            if date and time != ORDINARY:
                fields += [{"If-Modified-Since": date}, {"Range": "bytes=10-", "If-Range": date}]
            for field in fields:
                response = self.get(target, field)
                self.assertEqual((response.status, response.body[:1]), (200, b"b"),
                                 (target, field))

    def test_times_that_are_constants_are_no_validators(self):
        for time in CONSTANTS:
            for location in LOCATIONS:
                for name in LENGTHS:
                    target = f"{location}{name}-{time}"
                    response = self.get(target)
                    self.assertIsNone(response.field("Last-Modified"), target)
                    is_hashed = "content" in location or "coded" in location or (
                        name == "short" and location not in ("/time/", "/no/"))
                    if is_hashed:
                        self.assertRegex(response.field("ETag"), STRONG, target)
                    else:
                        self.assertIsNone(response.field("ETag"), target)
                    for field in ("If-Modified-Since", "If-Range"):
                        value = "Thu, 01 Jan 1970 00:00:01 GMT"
                        response = self.get(target, {field: value, "Range": "bytes=1-1"})
                        self.assertEqual(response.status, 206 if "Mod" in field else 200)


class Tags(Case):
    @classmethod
    def make_server(cls):
        return Server(locations=LOCATIONS)

    def write(self, path, content, time=ORDINARY):
        write(self.server.root / path, content, time)

    def test_a_tag_stays_however_often_the_file_is_asked_for(self):
        for location in LOCATIONS:
            for name, length in LENGTHS.items():
                self.write(f"{location[1:]}{name}", b"x" * length)
                tags = {self.tag(f"{location}{name}") for _ in range(8)}
                self.assertEqual(len(tags), 1, (location, name))
                if location != "/no/":
                    self.assertRegex(tags.pop(), STRONG)

    def test_equal_content_has_one_tag_wherever_it_lies(self):
        for name, length in (("empty", 0), *LENGTHS.items()):
            for i, location in enumerate(("/content/", "/content-read/", "/coded/")):
                self.write(f"{location[1:]}{name}", b"x" * length, ORDINARY + i)
            with Server({f"content/{name}": b"x" * length}, locations=LOCATIONS) as other:
                tags = {self.tag(f"/content/{name}"), self.tag(f"/content-read/{name}"),
                        self.tag(f"/coded/{name}"), other.get(f"/content/{name}").field("ETag")}
            self.assertEqual(len(tags), 1, name)

    def test_other_content_has_another_tag(self):
        for length in (1, 65536, 65537, 256 * KIB, MIB + 1):
            tags = set()
            for byte in (b"x", b"y"):
                self.write("content/changing", b"x" * (length - 1) + byte)
                wait_until(lambda: self.get("/content/changing").body[-1:] == byte)
                response = self.get("/content/changing")
                tags.add(response.field("ETag"))
            self.assertEqual(len(tags), 2, length)

    def test_each_coding_has_its_own_tag(self):
        gzip = {"Accept-Encoding": "gzip"}
        self.write("coded/a.txt", b"x" * 100)
        self.write("coded/a.txt.gz", b"x" * 100)
        plain, coded = self.get("/coded/a.txt"), self.get("/coded/a.txt", gzip)
        self.assertEqual(coded.field("Content-Encoding"), "gzip")
        self.assertNotEqual(plain.field("ETag"), coded.field("ETag"))
        for known, fields, status in ((plain, gzip, 200), (coded, {}, 200), (coded, gzip, 304)):
            tag = known.field("ETag")
            response = self.get("/coded/a.txt", {**fields, "If-None-Match": tag})
            self.assertEqual(response.status, status)

    def test_a_file_beside_the_file_says_its_tag(self):
        for number, (text, tag) in enumerate((
                (b'"release-7"\n', '"release-7"'), (b"release-7", '"release-7"'),
                (b"release-7\r\n", '"release-7"'), (b"x" * 64, f'"{"x" * 64}"'))):
            name = f"told-{number}"
            self.write(f"{name}.etag", text, ORDINARY)
            self.write(name, b"x" * LENGTHS["long"], ORDINARY)
            self.assertEqual(self.tag(f"/{name}"), tag)
            self.assertEqual(self.tag(f"/{name}"), tag)
        for number, (text, time) in enumerate((
                (b'W/"weak"', ORDINARY), (b"x" * 65, ORDINARY), (b"", ORDINARY),
                (b"a b", ORDINARY), (b'"release-6"', ORDINARY - 1))):
            name = f"untold-{number}"
            self.write(f"{name}.etag", text, time)
            self.write(name, b"x" * LENGTHS["long"], ORDINARY)
            self.assertRegex(self.tag(f"/{name}"), r'^"[0-9a-f]+-[0-9a-f]+"$')

    def test_without_tags_there_is_the_date(self):
        self.write("no/a.txt", b"x")
        response = self.get("/no/a.txt")
        self.assertIsNone(response.field("ETag"))
        date = response.field("Last-Modified")
        self.assertEqual(self.get("/no/a.txt", {"If-None-Match": '"x"'}).status, 200)
        response = self.get("/no/a.txt", {"If-Modified-Since": date})
        self.assertEqual((response.status, response.field("Last-Modified")), (304, date))

    def test_many_who_ask_while_a_file_is_hashed_get_one_tag(self):
        self.write("content/big", os.urandom(MIB) * 64)
        clients = [self.connect() for _ in range(20)]
        for client in clients:
            client.send(client.head("HEAD", "/content/big"))
        for client in clients[::3]:
            client.close()
        tags = {client.response(method="HEAD").field("ETag")
                for i, client in enumerate(clients) if i % 3 != 0}
        self.assertEqual(len(tags), 1, tags)
        self.assertEqual(self.tag("/content/big"), tags.pop())


if __name__ == "__main__":
    harness.main()

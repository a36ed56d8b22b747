"""Files as a client sees them: their bytes and their fields. Nothing else is ever served."""

import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import GIB, KIB, MIB, Server  # noqa: E402

SECRET = b"nobody may see this"

# Each of these was a vulnerability of some server.
ATTACKS = [
    "/../secret", "/../../../../../../etc/passwd", "/a/../../secret", "/./../secret",
    "/%2e%2e/secret", "/%2e%2e%2fsecret", "/..%2fsecret", "/.%2e/secret", "/%2E%2E/%2E%2E/secret",
    "/..;/secret", "/..\\secret", "/..%5csecret", "/%252e%252e/secret", "/..%c0%afsecret",
    "/%c0%ae%c0%ae/secret", "//../secret", "/a//..//../secret", "/static/../../secret",
    "/out/secret", "/outside", "/loop", "/dangling", "/up/secret", "/dynamic/../../secret",
    "/dynamic/out/secret", "/proc/self/environ", "/a/%2e%2e/%2e%2e/secret",
    "/index.html/../../secret", "/a/./../.././../secret",
]


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server = Server(settings={"user": '"nobody"'})
        outside = server.directory / "private"
        outside.mkdir()
        (outside / "secret").write_bytes(SECRET)
        (server.directory / "secret").write_bytes(SECRET)
        server.write("index.html", b"<p>index</p>")
        server.write("a/b.txt", b"text in a directory")
        server.write("with index/index.html", b"<p>inner</p>")
        server.write("p\u00e4th +%&#.txt", b"odd name")
        server.write(".hidden", SECRET)
        server.write(".git/config", SECRET)
        server.write(".well-known/security.txt", b"Contact: mailto:x@example.com\n")
        server.write("dynamic/index.html", b"<p>dynamic index</p>")
        server.write("closed", b"no permission")
        os.chmod(server.root / "closed", 0)
        server.write("closed dir/file", b"no permission")
        os.chmod(server.root / "closed dir", 0)
        (server.root / "empty dir").mkdir()
        for prefix in ("", "dynamic/"):
            base = server.root / prefix
            os.symlink("../private" if not prefix else "../../private", base / "out")
            os.symlink(outside / "secret", base / "outside")
            os.symlink("loop", base / "loop")
            os.symlink("nowhere", base / "dangling")
            os.symlink(server.root / "a" / "b.txt", base / "absolute")
            os.mkfifo(base / "fifo")
            os.mknod(base / "device", 0o666 | 0o020000, os.makedev(1, 5))
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(base / "socket"))
            cls.addClassCleanup(listener.close)
        os.symlink("a/b.txt", server.root / "relative")
        os.symlink("a", server.root / "dirlink")
        os.symlink("..", server.root / "up")
        server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, target):
        return self.server.get(target)

    # Bytes

    def test_files_of_every_size_arrive_whole(self):
        with self.server.client() as client:
            for length in (0, 1, 2 * KIB, 4095, 4096, 4097, 64 * KIB + 1, 2 * MIB, 3 * MIB + 7):
                content = harness.pattern_bytes(length, seed=length)
                for directory in ("", "dynamic/"):
                    with self.subTest(f"{directory}{length}"):
                        self.server.write(f"{directory}sized", content)
                        response = client.get(f"/{directory}sized")
                        self.assertEqual(response.status, 200)
                        self.assertEqual(response.field("Content-Length"), str(length))
                        self.assertTrue(response.body == content)

    def test_a_gigabyte_arrives_whole(self):
        for directory in ("", "dynamic/"):
            with self.subTest(directory or "static"):
                path = self.server.root / f"{directory}large"
                harness.write_sparse_file(path, GIB if harness.WIRE == "plain" else 64 * MIB)
                with self.server.client() as client:
                    sink = harness.Comparison(path)
                    client.get(f"/{directory}large", sink=sink)
                    self.assertTrue(sink.is_whole())
                path.unlink()

    @harness.on_a_plain_wire_only
    def test_splice_and_read_really_carry_the_bytes(self):
        carrier = {"io_uring": "spliced_bytes", "epoll": "sendfile_bytes"}[self.server.backend]
        content = harness.pattern_bytes(MIB)
        self.server.write("carried", content)
        self.server.write("dynamic/carried", content)

        def moved(target):
            before = self.server.stats()["counters"]
            self.assertTrue(self.get(target).body == content)
            after = self.server.stats()["counters"]
            return {key: after[key] - before[key] for key in (carrier, "read_bytes")}

        static, dynamic = moved("/carried"), moved("/dynamic/carried")
        self.assertEqual((static[carrier], static["read_bytes"]), (MIB, 0))
        self.assertEqual((dynamic[carrier], dynamic["read_bytes"]), (0, MIB))

    def test_file_that_shrinks_while_it_is_sent_ends_the_connection(self):
        for directory in ("", "dynamic/"):
            path = self.server.root / f"{directory}shrinking"
            with self.subTest(directory or "static"):
                harness.write_sparse_file(path, 100 * MIB)
                with self.server.client(receive_buffer=16 * KIB) as client:
                    client.send(client.head("GET", f"/{directory}shrinking"))
                    first = client.receive(1000)
                    self.assertTrue(first.startswith(b"HTTP/1.1 200 OK\r\n"))
                    os.truncate(path, MIB)
                    length = len(first)
                    try:
                        while data := client.receive():
                            length += len(data)
                    except ConnectionResetError:
                        pass
                    self.assertLess(length, 100 * MIB)
                self.assertEqual(self.get("/ping").body, b"pong")

    # Fields

    def test_media_types_come_from_the_name(self):
        for name, expected in (("a.html", "text/html; charset=utf-8"),
                               ("a.css", "text/css; charset=utf-8"), ("a.png", "image/png"),
                               ("A.SVG", r"image/svg\+xml.*"), ("a.wasm", "application/wasm"),
                               ("a.unheard-of", "application/octet-stream"),
                               ("none", "application/octet-stream")):
            with self.subTest(name):
                self.server.write(name, b"x")
                self.assertRegex(self.get(f"/{name}").field("Content-Type"), f"^{expected}$")

    def test_tag_and_date_follow_the_file(self):
        path = self.server.write("tagged", b"one")
        os.utime(path, ns=(0, 1_600_000_000_123_456_789))
        first = self.get("/tagged")
        self.assertEqual(first.field("Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT")
        self.assertRegex(first.field("ETag"), r'^"[!#-~]+"$')
        self.assertEqual(self.get("/tagged").field("ETag"), first.field("ETag"))
        path.write_bytes(b"two")
        os.utime(path, ns=(0, 1_600_000_000_123_456_789))
        self.assertNotEqual(self.get("/tagged").field("ETag"), first.field("ETag"))
        os.utime(path, ns=(0, 1_600_000_001_000_000_000))
        self.assertEqual(self.get("/tagged").field("Last-Modified"),
                         "Sun, 13 Sep 2020 12:26:41 GMT")

    # Paths

    def test_directories_redirect_to_their_slash_and_serve_their_index(self):
        self.assertEqual(self.get("/").body, b"<p>index</p>")
        self.assertEqual(self.get("/with%20index/").body, b"<p>inner</p>")
        self.assertEqual(self.get("/dynamic/").body, b"<p>dynamic index</p>")
        response = self.get("/with%20index?a=b&c")
        self.assertEqual((response.status, response.field("Location")),
                         (301, "/with%20index/?a=b&c"))
        self.assertEqual(self.get("/empty%20dir/").status, 403)
        self.assertEqual(self.get("/a/").status, 403)

    def test_no_redirect_leads_to_another_host(self):
        for target in ("//a", "///a", "//example.com/../a", "/.//a", "/%5ca/../a", "//dirlink"):
            response = self.get(target)
            if response.status == 301:
                self.assertRegex(response.field("Location"), r"^/[^/\\]", target)

    def test_names_are_decoded_once(self):
        self.assertEqual(self.get("/p%C3%A4th%20+%25&%23.txt").body, b"odd name")
        self.assertEqual(self.get("/a/%62.txt").body, b"text in a directory")
        self.assertEqual(self.get("/a/./b.txt").body, b"text in a directory")
        self.assertEqual(self.get("/x/../a//b.txt").body, b"text in a directory")
        self.assertEqual(self.get("/a/%2562.txt").status, 404)
        self.assertEqual(self.get("/a/b.txt/").status, 404)
        self.assertEqual(self.get("/a/b.txt/c").status, 404)
        self.assertEqual(self.get("/" + "a" * 300).status, 404)

    def test_links_that_end_inside_the_root_are_followed(self):
        for target in ("/relative", "/dirlink/b.txt", "/absolute", "/dynamic/absolute"):
            with self.subTest(target):
                self.assertEqual(self.get(target).body, b"text in a directory")

    def test_nothing_outside_the_root_is_served(self):
        for target in ATTACKS:
            with self.subTest(target):
                response = self.get(target)
                self.assertIn(response.status, (400, 403, 404))
                self.assertNotIn(SECRET, response.body)
                self.assertNotIn(b"root:", response.body)

    def test_no_race_gets_out_of_the_root(self):
        link = self.server.root / "race"
        inside, outside = self.server.root / "a", self.server.directory / "private"
        (inside / "secret").write_bytes(b"inside")
        stopping = threading.Event()

        def switch():
            while not stopping.is_set():
                for target in (inside, outside):
                    fresh = self.server.root / "race.fresh"
                    os.symlink(target, fresh)
                    os.replace(fresh, link)

        thread = threading.Thread(target=switch)
        thread.start()
        try:
            statuses = set()
            with self.server.client() as client:
                for _ in range(2000):
                    response = client.get("/race/secret")
                    statuses.add(response.status)
                    self.assertNotIn(SECRET, response.body)
            self.assertLessEqual(statuses, {200, 403, 404})
            self.assertIn(200, statuses)
        finally:
            stopping.set()
            thread.join()

    def test_names_with_a_leading_dot_are_hidden(self):
        for target in ("/.hidden", "/.git/config", "/.git/", "/a/.x", "/dynamic/.y"):
            self.assertEqual(self.get(target).status, 404, target)
        self.assertEqual(self.get("/.well-known/security.txt").status, 200)

    def test_what_is_no_file_is_forbidden_and_never_blocks(self):
        for directory in ("/", "/dynamic/"):
            for name in ("fifo", "device", "socket"):
                self.assertEqual(self.get(directory + name).status, 403, directory + name)

    def test_what_may_not_be_read_is_forbidden_and_logged(self):
        self.assertEqual(self.get("/closed").status, 403)
        self.assertEqual(self.get("/closed%20dir/file").status, 403)
        self.server.await_stderr(r" info .*closed.*(Permission denied|EACCES)")
        self.assertEqual(self.get("/not-there").status, 404)
        self.server.await_stderr(r" info .*not-there.*(No such file|ENOENT)")

    def test_replaced_file_is_served_new(self):
        with self.server.client() as client:
            for i in range(50):
                self.server.write("replaced", b"version %d" % i)
                self.assertEqual(client.get("/replaced").body, b"version %d" % i)


@harness.on_a_plain_wire_only
class Rewritten(unittest.TestCase):
    def begin(self, server, length):
        path = server.write("long", b"x" * length)
        client = self.enterContext(server.client(receive_buffer=65536))
        client.send(client.head("GET", "/long"))
        client.socket.settimeout(harness.SECONDS)
        client.socket.recv(1, socket.MSG_PEEK)
        return path, client

    def test_file_rewritten_in_place_is_cut_not_completed(self):
        for length in (12 * MIB, 40 * MIB):
            with self.subTest(length), Server() as server:
                path, client = self.begin(server, length)
                os.truncate(path, 0)
                os.truncate(path, length)
                with self.assertRaises(harness.ConnectionEnded):
                    client.response(sink=lambda _: None)

    def test_file_that_grows_is_sent_as_announced(self):
        with Server() as server:
            path, client = self.begin(server, 12 * MIB)
            with open(path, "ab") as file:
                file.write(b"more")
            self.assertEqual(client.response().body, b"x" * (12 * MIB))


def serve_link():
    """A server whose root is a symbolic link `current` beside its releases."""
    server = Server(configuration='listen "127.0.0.1:0" {}\nworkers = 1\naccess_log = ""\n'
                    'site "*" { root = "current" }\n')
    for release in ("one", "two"):
        (server.directory / release).mkdir()
        (server.directory / release / "index.html").write_text(release)
    os.symlink("one", server.directory / "current")
    return server


def hide_proc():
    """In a mount namespace of its own, an empty directory lies over /proc."""
    library = ctypes.CDLL(None, use_errno=True)
    new_mount_namespace, recursive, private = 0x20000, 0x4000, 0x40000
    if (library.unshare(new_mount_namespace) != 0
            or library.mount(b"none", b"/", None, recursive | private, None) != 0
            or library.mount(b"none", b"/proc", b"tmpfs", 0, None) != 0):
        raise OSError(ctypes.get_errno(), "cannot hide /proc")


class Root(unittest.TestCase):
    def test_switched_root_is_served_within_two_seconds(self):
        with serve_link() as server, server.client() as client:
            self.assertEqual(client.get("/").body, b"one")
            os.symlink("two", server.directory / "fresh")
            os.replace(server.directory / "fresh", server.directory / "current")
            harness.wait_until(lambda: client.get("/").body == b"two", 2)

    def test_absolute_link_through_the_root_holds_when_the_root_is_switched(self):
        with serve_link() as server, server.client() as client:
            for release in ("one", "two"):
                for name in ("a.txt", "b.txt"):
                    server.write(f"../{release}/files/{name}", release.encode())
                os.symlink(server.directory / "current/files", server.directory / release / "abs")
            self.assertEqual(client.get("/abs/a.txt").body, b"one")
            os.symlink("two", server.directory / "fresh")
            os.replace(server.directory / "fresh", server.directory / "current")
            # Not asked for before, and the root was looked up a moment ago.
            response = client.get("/abs/b.txt")
            self.assertEqual((response.status, response.body), (200, b"two"))

    def test_absolute_link_switched_under_load_leads_somewhere_at_any_time(self):
        """Each release is removed as soon as the link leads to the next."""
        stopping, switched = threading.Event(), 0
        with Server(sections="limits { keep_alive_requests = 1000000 }") as server:
            def make(number):
                server.write(f"{number}/a.txt", b"a")
                os.symlink(server.root / str(number), server.root / "fresh")
                os.replace(server.root / "fresh", server.root / "current")

            def switch():
                nonlocal switched
                while not stopping.is_set():
                    switched += 1
                    make(switched)
                    shutil.rmtree(server.root / str(switched - 1))
            make(0)
            thread = threading.Thread(target=switch)
            thread.start()
            try:
                with server.client() as client:
                    while switched < 400:
                        self.assertEqual(client.get("/current/a.txt").status, 200)
            finally:
                stopping.set()
                thread.join()

    def test_absolute_link_is_followed_without_proc(self):
        if b"__asan_init" in pathlib.Path(harness.BINARY).read_bytes():
            self.skipTest("AddressSanitizer needs /proc")
        try:
            server = self.enterContext(Server({"a.txt": b"a"}, before_exec=hide_proc))
        except subprocess.SubprocessError:
            self.skipTest("mount(2) is not allowed here")
        os.symlink(server.root / "a.txt", server.root / "absolute")
        os.symlink("/etc/passwd", server.root / "outside")
        self.assertEqual(server.get("/absolute").body, b"a")
        self.assertEqual(server.get("/outside").status, 404)

    def test_root_that_is_gone_for_a_while_comes_back(self):
        with serve_link() as server, server.client() as client:
            os.unlink(server.directory / "current")
            harness.wait_until(lambda: client.get("/").status in (404, 503), 3)
            os.symlink("two", server.directory / "current")
            harness.wait_until(lambda: client.get("/").body == b"two", 3)


if __name__ == "__main__":
    harness.main()

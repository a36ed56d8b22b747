"""The cache remembers files, and what it remembers is true: each change is served whole, as soon as
it is seen. The clients here never wait for a time to pass, only for an answer to change."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, MIB, Server, wait_until  # noqa: E402

GZIP = {"Accept-Encoding": "gzip"}
SEEN_WITHIN_SECONDS = 8  # changes without an event are noticed after ten seconds
LONG_AGO = (1_000_000_000, 1_000_000_000)
LOCATIONS = {
    "/": 'endpoint = "static"',
    "/coded/": 'endpoint = "static" precompressed = {"gz"}',
    "/tried/": 'endpoint = "static" try = {"/app.html"}',
    "/paged/": 'endpoint = "static" error_page = {"404 /page.html"}',
    "/dynamic/": 'endpoint = "dynamic"',
    "/stats": 'endpoint = "stats"',
}


def age(path):
    """Makes the file look old: the cache reads only old files into memory."""
    os.utime(path, LONG_AGO)
    return path


class Cached(unittest.TestCase):
    def serve(self, files=None, sections="", **options):
        server = Server(files, sections=sections, locations=LOCATIONS, **options)
        for path in server.root.rglob("*"):
            if path.is_file():
                age(path)
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def gauge(self, server, name):
        return server.stats()["cache"][f"cache_{name}"]

    def warm(self, server, target, **options):
        """Repeats the request until the cache answers it: until an answer comes without a
        lookup."""
        with server.client() as client:
            for _ in range(100):
                before = server.counter("cache_hits")
                response = client.get(target, **options)
                if server.counter("cache_hits") > before:
                    return response
        raise AssertionError(f"{target} is never remembered")

    def warm_in_memory(self, server, target, length):
        wait_until(lambda: self.warm(server, target) and self.gauge(server, "bytes") >= length)

    def await_answer(self, server, target, status, body=None, **options):
        """The next answers may still be the old one, until the server has seen the change."""
        def is_new():
            response = server.get(target, **options)
            return response.status == status and body in (None, response.body)
        wait_until(is_new, SEEN_WITHIN_SECONDS, what=f"{target}: {status}, {body}")


class Answers(Cached):
    """A cached answer is the same as one that was looked up."""

    def test_answers_from_memory_are_those_of_a_lookup(self):
        content = harness.pattern_bytes(10 * KIB)
        server = self.serve({"a.txt": content, "index.html": b"index", "empty": b"",
                             "d/index.html": b"deep"})
        asked = [("/a.txt", {}), ("/", {}), ("/empty", {}), ("/d/", {}), ("/d", {}), ("/none", {}),
                 ("/a.txt", {"Range": "bytes=5-9"}), ("/a.txt", {"Range": "bytes=0-1,7000-9000"}),
                 ("/a.txt", {"Range": "bytes=99999-"}), ("/a.txt", {"If-None-Match": "*"}),
                 ("/a.txt", {"If-Match": '"x"'}), ("/none/deeper", {}), ("/a.txt/b", {})]

        def answers():
            found = []
            for method in ("GET", "HEAD"):
                with server.client() as client:
                    for target, fields in asked:
                        response = client.request(method, target, fields)
                        told = [(name, value) for name, value in response.fields
                                if name != "Date" and "multipart" not in value]
                        length = len(response.body)  # boundaries differ
                        found.append((method, target, response.status, told, length))
            return found

        first = answers()
        self.warm_in_memory(server, "/a.txt", len(content))
        hits, opens = server.counter("cache_hits"), server.counter("opens")
        again = answers()
        self.assertEqual(first, again)
        self.assertGreaterEqual(server.counter("cache_hits") - hits, len(asked))
        self.assertLess(server.counter("opens") - opens, len(asked) * 2)
        self.assertEqual(server.get("/a.txt").body, content)
        self.assertEqual(server.get("/a.txt", fields={"Range": "bytes=5-9"}).body, content[5:10])

    def test_siblings_fallbacks_and_pages_are_remembered(self):
        server = self.serve({"coded/a.txt": b"plain", "coded/a.txt.gz": b"coded",
                             "app.html": b"app", "page.html": b"page"})
        for _ in range(5):
            self.assertEqual(server.get("/coded/a.txt", fields=GZIP).body, b"coded")
            self.assertEqual(server.get("/coded/a.txt").body, b"plain")
            self.assertEqual(server.get("/tried/any").body, b"app")
            response = server.get("/paged/any")
            self.assertEqual((response.status, response.body), (404, b"page"))

        def costs_no_open(target, fields):
            before = server.counter("opens")
            server.get(target, fields=fields)
            return server.counter("opens") == before

        for target, fields in (("/coded/a.txt", GZIP), ("/tried/any", {}), ("/paged/any", {})):
            wait_until(lambda: costs_no_open(target, fields), what=target)

    def test_long_files_are_kept_open_and_still_sent_by_zero_copy(self):
        content = harness.pattern_bytes(300 * KIB)
        server = self.serve({"long": content})
        self.warm(server, "/long")
        for _ in range(3):
            self.assertEqual(server.get("/long").body, content)
        self.assertEqual(self.gauge(server, "bytes"), 0)
        self.assertEqual(self.gauge(server, "descriptors"), 1)
        counters = server.stats()["counters"]
        self.assertGreaterEqual(counters["spliced_bytes"] + counters["sendfile_bytes"],
                                3 * len(content))

    def test_dynamic_files_are_read_from_the_descriptor_that_is_kept(self):
        server = self.serve({"dynamic/a.txt": b"some text"})
        self.warm(server, "/dynamic/a.txt")
        reads = server.counter("reads")
        self.assertEqual(server.get("/dynamic/a.txt").body, b"some text")
        self.assertEqual(server.counter("reads"), reads + 1)
        self.assertEqual(self.gauge(server, "bytes"), 0)

    def test_without_entries_nothing_is_remembered(self):
        server = self.serve({"a.txt": b"x"}, sections="cache { entries = 0 }")
        for _ in range(5):
            server.get("/a.txt")
        self.assertEqual(set(server.stats()["cache"].values()), {0})
        self.assertEqual(server.counter("cache_hits") + server.counter("cache_misses"), 0)

    def test_repeated_404_is_logged_once(self):
        server = self.serve()
        self.warm(server, "/none")
        logged = server.stderr.count("/none")
        for _ in range(20):
            self.assertEqual(server.get("/none").status, 404)
        self.assertLessEqual(server.stderr.count("/none"), logged + 2)


class Changes(Cached):
    """Each change is made while the old answer is cached, in memory if it is a file."""

    def setUp(self):
        self.server = self.serve({"a.txt": b"old", "d/b.txt": b"old", "long": b"L" * MIB})
        self.root = self.server.root
        self.warm_in_memory(self.server, "/a.txt", 3)
        self.warm_in_memory(self.server, "/d/b.txt", 6)
        self.warm(self.server, "/long")

    def test_replaced_file_is_served_new(self):
        self.server.write("a.txt", b"new")
        self.await_answer(self.server, "/a.txt", 200, b"new")
        self.server.write("long", b"new")
        self.await_answer(self.server, "/long", 200, b"new")

    def test_removed_file_is_404(self):
        (self.root / "a.txt").unlink()
        self.await_answer(self.server, "/a.txt", 404)

    def test_created_file_is_served(self):
        self.warm(self.server, "/none")
        (self.root / "none").write_bytes(b"made")
        self.await_answer(self.server, "/none", 200, b"made")

    def test_created_directory_is_seen(self):
        self.warm(self.server, "/no/such/path")
        (self.root / "no" / "such").mkdir(parents=True)
        (self.root / "no" / "such" / "path").write_bytes(b"made")
        self.await_answer(self.server, "/no/such/path", 200, b"made")

    def test_file_rewritten_in_place_is_served_new(self):
        (self.root / "a.txt").write_bytes(b"a longer one")
        self.await_answer(self.server, "/a.txt", 200, b"a longer one")
        with open(self.root / "a.txt", "r+b") as file:
            file.write(b"A")
        self.await_answer(self.server, "/a.txt", 200, b"A longer one")

    def test_file_appended_to_is_served_whole(self):
        with open(self.root / "long", "ab") as file:
            file.write(b"more")
        self.await_answer(self.server, "/long", 200, b"L" * MIB + b"more")

    def test_file_that_may_not_be_read_any_more_is_403(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another")
        server = self.serve({"a.txt": b"old"}, settings={"user": '"nobody"'})
        self.warm_in_memory(server, "/a.txt", 3)
        (server.root / "a.txt").chmod(0)
        self.await_answer(server, "/a.txt", 403)
        (server.root / "a.txt").chmod(0o644)
        self.await_answer(server, "/a.txt", 200, b"old")
        server.root.chmod(0)
        self.await_answer(server, "/a.txt", 403)

    def test_renamed_directory_takes_its_files_along(self):
        (self.root / "d").rename(self.root / "e")
        self.await_answer(self.server, "/d/b.txt", 404)
        self.await_answer(self.server, "/e/b.txt", 200, b"old")
        (self.root / "d").mkdir()
        (self.root / "d" / "b.txt").write_bytes(b"another")
        self.await_answer(self.server, "/d/b.txt", 200, b"another")

    def test_removed_directory_is_404(self):
        shutil.rmtree(self.root / "d")
        self.await_answer(self.server, "/d/b.txt", 404)

    def test_switched_link_inside_the_root_is_followed(self):
        for release in ("1", "2"):
            self.server.write(f"{release}/f.txt", release.encode())
        (self.root / "current").symlink_to("1")
        self.warm(self.server, "/current/f.txt")
        (self.root / "next").symlink_to("2")
        (self.root / "next").rename(self.root / "current")
        self.await_answer(self.server, "/current/f.txt", 200, b"2")

    def test_file_behind_a_link_is_looked_at_again(self):
        self.server.write("1/f.txt", b"old")
        (self.root / "link").symlink_to("1/f.txt")
        self.assertEqual(self.warm(self.server, "/link").body, b"old")
        self.server.write("1/f.txt", b"new")
        self.await_answer(self.server, "/link", 200, b"new")

    def test_file_with_a_second_name_is_looked_at_again(self):
        os.link(self.root / "a.txt", self.server.directory / "outside")
        self.await_answer(self.server, "/a.txt", 200, b"old")
        self.warm(self.server, "/a.txt")
        (self.server.directory / "outside").write_bytes(b"through the other")
        self.await_answer(self.server, "/a.txt", 200, b"through the other")

    def test_file_that_is_mounted_over_another_is_noticed(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to mount")
        other = age(self.server.write("other", b"mounted"))

        def await_body(body):
            # The request that finds the root a second old looks up its file, too: not this one.
            wait_until(lambda: self.server.get("/d/b.txt")
                       and self.server.get("/a.txt").body == body, 4, what=body)
            self.warm(self.server, "/a.txt")

        self.warm(self.server, "/a.txt")
        mounted = subprocess.run(["mount", "--bind", other, self.root / "a.txt"],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("mount --bind is not permitted")
        self.addCleanup(subprocess.run, ["umount", "-l", self.root / "a.txt"],
                        capture_output=True, check=False)
        await_body(b"mounted")
        os.link(other, self.server.directory / "outside")
        other.unlink()
        (self.server.directory / "outside").write_bytes(b"through the other")
        await_body(b"through the other")
        subprocess.run(["umount", "-l", self.root / "a.txt"], check=True)
        await_body(b"old")

    def test_sibling_that_comes_and_goes_is_noticed(self):
        age(self.server.write("coded/a.txt", b"plain"))
        self.assertEqual(self.warm(self.server, "/coded/a.txt", fields=GZIP).body, b"plain")
        sibling = self.server.write("coded/a.txt.gz", b"coded")
        self.await_answer(self.server, "/coded/a.txt", 200, b"coded", fields=GZIP)
        sibling.unlink()
        self.await_answer(self.server, "/coded/a.txt", 200, b"plain", fields=GZIP)

    def test_index_file_that_comes_and_goes_is_noticed(self):
        self.warm(self.server, "/d/")
        index = self.server.write("d/index.html", b"index")
        self.await_answer(self.server, "/d/", 200, b"index")
        self.warm(self.server, "/d/")
        index.unlink()
        self.await_answer(self.server, "/d/", 403)

    def test_switched_root_leaves_nothing_of_the_old_one(self):
        releases = [self.server.directory / name for name in ("one", "two")]
        for release in releases:
            release.mkdir()
            age_of = release / "f.txt"
            age_of.write_bytes(release.name.encode())
            age(age_of)
        current = self.server.directory / "current"
        current.symlink_to("one")
        server = self.serve(root=current)
        self.warm_in_memory(server, "/f.txt", 3)
        self.warm(server, "/none")
        (releases[1] / "none").write_bytes(b"here")
        (self.server.directory / "next").symlink_to("two")
        (self.server.directory / "next").rename(current)
        self.await_answer(server, "/f.txt", 200, b"two")
        self.await_answer(server, "/none", 200, b"here")

    def test_moved_root_is_noticed(self):
        moved = self.root.rename(self.server.directory / "elsewhere")
        self.await_answer(self.server, "/a.txt", 503)
        moved.rename(self.root)
        self.await_answer(self.server, "/a.txt", 200, b"old")


class Races(Cached):
    CLIENTS = 64

    def ask_meanwhile(self, server, target, change):
        """All answers that clients in a loop get while change() runs."""
        over = threading.Event()

        def ask():
            answers = []
            with server.client() as client:
                while not over.is_set():
                    response = client.get(target)
                    answers.append((response.status, response.body))
            return answers

        with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as pool:
            asking = [pool.submit(ask) for _ in range(self.CLIENTS)]
            try:
                change()
            finally:
                over.set()
            return [future.result() for future in asking]

    def test_replacement_is_old_or_new_never_a_mixture_and_never_old_again(self):
        contents = [bytes([65 + i]) * (20 * KIB + i) for i in range(8)]
        server = self.serve({"a.txt": contents[0]})
        self.warm_in_memory(server, "/a.txt", len(contents[0]))

        def replace():
            for content in contents[1:]:
                fresh = server.directory / "fresh"
                fresh.write_bytes(content)
                age(fresh).rename(server.root / "a.txt")
                self.await_answer(server, "/a.txt", 200, content)

        for answers in self.ask_meanwhile(server, "/a.txt", replace):
            numbers = [contents.index(body) for status, body in answers if status == 200]
            self.assertEqual(len(numbers), len(answers))
            self.assertEqual(numbers, sorted(numbers))

    def test_file_that_comes_and_goes_is_there_or_not(self):
        server = self.serve({"a.txt": b"here"})

        def come_and_go():
            for _ in range(5):
                (server.root / "a.txt").rename(server.root / "b.txt")
                self.await_answer(server, "/a.txt", 404)
                (server.root / "b.txt").rename(server.root / "a.txt")
                self.await_answer(server, "/a.txt", 200)

        for answers in self.ask_meanwhile(server, "/a.txt", come_and_go):
            for status, body in answers:
                self.assertIn((status, body if status == 200 else b""),
                              ((200, b"here"), (404, b"")))

    def test_rewrite_in_place_is_never_remembered_as_a_mixture(self):
        length = 60 * KIB
        server = self.serve({"a.txt": b"A" * length})
        self.warm_in_memory(server, "/a.txt", length)

        def rewrite():
            with open(server.root / "a.txt", "r+b") as file:
                for letter in (b"B", b"C", b"D", b"E"):
                    file.seek(0)
                    for _ in range(60):
                        file.write(letter * KIB)
                        file.flush()
                    age(server.root / "a.txt")
                    self.await_answer(server, "/a.txt", 200, letter * length)

        self.ask_meanwhile(server, "/a.txt", rewrite)
        for _ in range(20):
            self.assertEqual(server.get("/a.txt").body, b"E" * length)


class Bounds(Cached):
    def test_many_files_stay_within_entries_descriptors_and_bytes(self):
        server = self.serve(sections="cache { entries = 40  bytes = 20K  max_file = 4K }")
        for i in range(300):
            age(server.write(f"{i % 7}/{i}", b"x" * (2 * KIB if i % 2 else 6 * KIB)))
        descriptors = server.resting_descriptor_count()
        with server.client() as client:
            for _ in range(4):
                for i in range(300):
                    self.assertEqual(client.get(f"/{i % 7}/{i}").status, 200)
                for i in range(300):
                    self.assertEqual(client.get(f"/none/{i}").status, 404)
                hot = [client.get("/1/1").status for _ in range(20)]
                self.assertEqual(set(hot), {200})
        cache = server.stats()["cache"]
        self.assertLessEqual(cache["cache_entries"], 40)
        self.assertLessEqual(cache["cache_bytes"], 20 * KIB)
        self.assertGreater(cache["cache_bytes"], 0)
        self.assertGreater(server.counter("cache_evictions"), 100)
        worker = server.worker_pid()
        wait_until(lambda: len(harness.kept_files(worker, server.root))
                   == self.gauge(server, "descriptors"))
        server.await_descriptor_count(descriptors)

    def test_few_descriptors_are_shared_with_the_connections(self):
        server = self.serve(before_exec=harness.limit_descriptors(100, 100))
        for i in range(100):
            server.write(f"{i}", b"x" * 100 * KIB)
        with server.client() as client:
            for _ in range(3):
                for i in range(100):
                    self.assertEqual(client.get(f"/{i}").status, 200)
        self.assertLess(self.gauge(server, "descriptors"), 10)

    def test_flood_of_404_drives_out_no_file(self):
        server = self.serve({"a.txt": b"here"}, sections="cache { entries = 100 }")
        self.warm_in_memory(server, "/a.txt", 4)
        with server.client() as client:
            for i in range(1000):
                client.get(f"/none{i}")
        self.assertEqual(self.gauge(server, "bytes"), 4)

    def test_what_cannot_be_watched_is_looked_at_again(self):
        server = self.serve({"1/2/3/a.txt": b"old"}, sections="cache { entries = 2 }")
        self.assertEqual(self.warm(server, "/1/2/3/a.txt").body, b"old")
        server.await_stderr("no more directories can be watched")
        self.assertGreater(server.counter("cache_watch_failures"), 0)
        server.write("1/2/3/a.txt", b"new")
        self.await_answer(server, "/1/2/3/a.txt", 200, b"new")
        self.assertEqual(server.stderr.count("can be watched"), 1)


class Life(Cached):
    def test_client_that_leaves_midway_leaves_the_file_to_others(self):
        content = harness.pattern_bytes(8 * MIB)
        server = self.serve({"long": content})
        self.warm(server, "/long")
        for _ in range(20):
            client = server.client(receive_buffer=4 * KIB)
            client.send(client.head("GET", "/long"))
            client.receive(1000)
            client.reset()
        self.assertEqual(server.get("/long").body, content)
        wait_until(lambda: server.stats()["connections"]["open"] == 1)
        self.assertEqual(len(harness.kept_files(server.worker_pid(), server.root)), 1)

    def test_file_that_is_not_asked_for_any_more_is_closed(self):
        server = self.serve({"long": b"L" * MIB})
        self.warm(server, "/long")
        worker = server.worker_pid()
        self.assertEqual(len(harness.kept_files(worker, server.root)), 1)
        wait_until(lambda: not harness.kept_files(worker, server.root))
        self.assertEqual(server.get("/long").body, b"L" * MIB)

    def test_file_that_is_dropped_while_it_is_sent_arrives_whole(self):
        content = harness.pattern_bytes(8 * MIB)
        server = self.serve({"long": content})
        self.warm(server, "/long")
        with server.client(receive_buffer=4 * KIB) as client:
            client.send(client.head("GET", "/long", {"Connection": "close"}))
            begun = client.receive(1)
            server.write("long", b"new")
            self.await_answer(server, "/long", 200, b"new")
            head, body = (begun + client.rest()).split(b"\r\n\r\n", 1)
            self.assertTrue(head.startswith(b"HTTP/1.1 200"))
            self.assertTrue(body == content)

    def test_worker_that_dies_takes_its_figures_along(self):
        server = self.serve({"a.txt": b"old"})
        self.warm_in_memory(server, "/a.txt", 3)
        pid = server.worker_pid()
        os.kill(pid, 9)
        wait_until(lambda: server.worker_pids() not in ([], [pid]))
        self.assertEqual(self.gauge(server, "bytes"), 0)
        self.warm_in_memory(server, "/a.txt", 3)

    def test_worker_drains_with_files_in_memory_and_on_their_way(self):
        content = harness.pattern_bytes(8 * MIB)
        server = self.serve({"long": content, "a.txt": b"old"})
        self.warm_in_memory(server, "/a.txt", 3)
        self.warm(server, "/long")
        with server.client(receive_buffer=4 * KIB) as client:
            client.send(client.head("GET", "/long"))
            client.receive(1)
            server.send_signal(15)
            rest = client.rest()
        self.assertTrue(rest.endswith(content[-1000:]))
        self.assertEqual(server.await_exit(), 0)


if __name__ == "__main__":
    harness.main()

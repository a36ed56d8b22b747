"""A stored value: what clients see of it, and what a SIGKILL at any step leaves of it
(docs/endpoints.md, store).

KILL_AT   the program kill_at.c (default: the one in build/)"""

import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

KILL_AT = os.environ.get("KILL_AT", harness.TREE / "build" / "test" / "integration" / "kill_at")


class Case(unittest.TestCase):
    """A server with a directory of its own, for writing and for reading."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-store-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def server(self, workers=1, more="", log='""', **options):
        store = f'endpoint = "store"  directory = "{self.directory}"  {more}'
        return Server(settings={"workers": workers, "access_log": log}, **options, locations={
            "/write": store + '  methods = {"POST", "PUT", "DELETE"}',
            "/read": store + '  methods = {"GET", "HEAD"}',
            "/stats": 'endpoint = "stats"'})

    def names(self):
        return sorted(path.name for path in self.directory.iterdir())

class Store(Case):
    def test_two_locations_share_one_value(self):
        with self.server() as server, server.client() as client:
            response = client.get("/read")
            self.assertEqual((response.status, response.body), (404, b"Nothing is stored here.\n"))
            self.assertEqual(client.request("POST", "/write", body=b"\0first\xff").status, 201)
            response = client.get("/read")
            self.assertEqual((response.status, response.body), (200, b"\0first\xff"))
            self.assertEqual(response.field("Content-Type"), "application/octet-stream")
            self.assertEqual(client.request("PUT", "/write", body=b"second").status, 204)
            self.assertEqual(client.get("/read").body, b"second")
            self.assertEqual(client.request("HEAD", "/read").field("Content-Length"), "6")
            self.assertEqual(client.get("/write").status, 405)
            self.assertEqual(client.request("PUT", "/read", body=b"x").status, 405)
            self.assertEqual(client.request("DELETE", "/write").status, 204)
            self.assertEqual(client.get("/read").status, 404)
            self.assertEqual(self.names(), [])

    def test_denied_client_that_resets_writes_nothing(self):
        """The kernel delivers the request even after it has forgotten the peer."""
        with self.server(more='deny = {"127.0.0.0/8"}', log='"-"') as server:
            for _ in range(50):
                client = server.client()
                client.send(client.head("PUT", "/write", {"Content-Length": 1}) + b"x")
                client.reset()
            with server.client() as client:
                self.assertEqual(client.request("PUT", "/write", body=b"x").status, 403)
            server.stop()
            self.assertEqual(self.names(), [])
            self.assertNotRegex(server.stdout, r"(?m)^-|\" 2\d\d ")

    def test_value_too_long_is_413_and_changes_nothing(self):
        with self.server() as server, server.client() as client:
            self.assertEqual(client.request("PUT", "/write", body=b"x" * 1024).status, 201)
            response = server.client().request("PUT", "/write", body=b"y" * 1025)
            self.assertEqual(response.status, 413)
            chunked = server.client()
            chunked.send(chunked.head("PUT", "/write", {"Transfer-Encoding": "chunked"}))
            chunked.send(b"401\r\n" + b"y" * 1025)
            self.assertEqual(chunked.response().status, 413)
            asking = server.client()
            asking.send(asking.head("PUT", "/write", {"Content-Length": 1025,
                                                      "Expect": "100-continue"}))
            response = asking.response()
            self.assertEqual((response.status, response.interim), (413, []))
            self.assertEqual(client.get("/read").body, b"x" * 1024)

    def test_part_of_a_value_is_refused(self):
        """RFC 9110 §14.5"""
        with self.server() as server, server.client() as client:
            client.request("PUT", "/write", body=b"whole")
            response = client.request("PUT", "/write", {"Content-Range": "bytes 0-2/5"}, b"new")
            self.assertEqual(response.status, 400)
            self.assertEqual(client.get("/read").body, b"whole")

    def test_answer_without_content_has_no_framing(self):
        """RFC 9110 §8.6, RFC 9112 §6.1"""
        with self.server() as server, server.client() as client:
            for status in (201, 204):
                response = client.request("PUT", "/write", body=b"x")
                framing = response.field("Content-Length"), response.field("Transfer-Encoding")
                self.assertEqual((response.status, framing),
                                 (status, ("0" if status == 201 else None, None)))

    def test_length_that_is_not_told_is_411_and_changes_nothing(self):
        """RFC 9110 §15.5.12: a forgotten body is not an empty value; a chunked body has no
        length"""
        with self.server() as server, server.client() as client:
            self.assertEqual(client.request("PUT", "/write", body=b"kept").status, 201)
            for method in ("PUT", "POST"):
                response = client.request(method, "/write")
                self.assertEqual((response.status, response.body),
                                 (411, b"411 Length Required\n"))
            self.assertEqual(client.get("/read").body, b"kept")
            for fields, body in (({"Content-Length": 0}, b""),
                                 ({"Transfer-Encoding": "chunked"}, b"0\r\n\r\n")):
                client.send(client.head("PUT", "/write", fields) + body)
                self.assertEqual(client.response().status, 204)
                self.assertEqual(client.get("/read").body, b"")

    def test_value_survives_the_server(self):
        with self.server() as server:
            self.assertEqual(server.client().request("PUT", "/write", body=b"kept").status, 201)
        with self.server() as server:
            self.assertEqual(server.get("/read").body, b"kept")

    def test_readers_see_whole_values_while_many_write(self):
        with self.server(workers=2, more="store_bytes = 100K") as server:
            statuses, torn = [], []
            ended = threading.Event()

            def write(letter):
                with server.client() as client:
                    for length in range(1, 60000, 3000):
                        body = bytes([letter]) * length
                        statuses.append(client.request("PUT", "/write", body=body).status)

            def read():
                while not ended.is_set():
                    response = server.get("/read")
                    if response.status == 200 and len(set(response.body)) != 1:
                        torn.append(response.body)

            reader = threading.Thread(target=read)
            writers = [threading.Thread(target=write, args=(ord("a") + i,)) for i in range(6)]
            for thread in [reader, *writers]:
                thread.start()
            for thread in writers:
                thread.join(harness.SECONDS)
            ended.set()
            reader.join(harness.SECONDS)
            self.assertEqual(torn, [])
            self.assertEqual(sorted(statuses), [201] + [204] * 119)
            self.assertEqual(self.names(), ["value"])

    def write_until_killed(self, server, round_number, delay):
        """The last value that was acknowledged, and the last one that was sent."""
        acknowledged = attempted = None
        worker = server.worker_pid()
        killer = threading.Timer(delay, os.kill, (worker, signal.SIGKILL))
        killer.start()
        try:
            with server.client() as client:
                for i in range(100000):
                    attempted = b"%d-%d " % (round_number, i) * 4000
                    status = client.request("PUT", "/write", body=attempted).status
                    self.assertIn(status, (201, 204))
                    acknowledged = attempted
        except (harness.ConnectionEnded, OSError):
            pass
        killer.join()
        harness.wait_until(lambda: [p for p in server.worker_pids() if p != worker])
        return acknowledged, attempted

    def test_killed_worker_leaves_the_old_value_or_the_new_one(self):
        chance = random.Random(4)
        before = b"before"
        (self.directory / "value").write_bytes(before)
        for round_number in range(8):
            with self.server(more="store_bytes = 100K") as server:
                acknowledged, attempted = self.write_until_killed(
                    server, round_number, chance.uniform(0, 0.1))
                found = server.get("/read").body
                self.assertIn(found, (acknowledged or before, attempted))
                before = found
        with self.server():
            self.assertEqual(self.names(), ["value"])

    def test_unfinished_files_of_the_dead_are_removed_at_the_start(self):
        dead = subprocess.Popen(["true"])
        dead.wait(harness.SECONDS)
        kept = {f".value-{os.getpid()}-0", ".value-1", ".value-1-2-3", ".value-0-0", "value-9-9"}
        for name in kept | {f".value-{dead.pid}-7"}:
            (self.directory / name).write_bytes(b"x")

        def leave_a_file_as_an_earlier_process_of_this_id():
            (self.directory / f".value-{os.getpid()}-0").write_bytes(b"x")

        with self.server(arguments=["--single-process"],
                         before_exec=leave_a_file_as_an_earlier_process_of_this_id) as server:
            self.assertEqual(set(self.names()), kept)
            self.assertEqual(server.client().request("PUT", "/write", body=b"new").status, 201)

    def test_directory_is_made_if_only_it_is_missing(self):
        self.directory.rmdir()
        with self.server(workers=2) as server:
            self.assertEqual(stat.filemode(self.directory.stat().st_mode), "drwx------")
            self.assertEqual(server.client().request("PUT", "/write", body=b"x").status, 201)
        missing = self.directory / "missing" / "store"
        configuration = self.directory / "ringlet.conf"
        configuration.write_text(harness.configuration_text(self.directory, locations={
            "/": f'endpoint = "store"  directory = "{missing}"'}))
        refused = harness.run("-c", configuration, "-t")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, "missing/store: No such file or directory, expected a "
                                         "directory in an existing one")

    def test_full_disk_is_507_and_leaves_the_old_value(self):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs",
                                  self.directory], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("mount(8) is not allowed here")
        try:
            with self.server(more="store_bytes = 100K") as server:
                client = server.client()
                self.assertEqual(client.request("PUT", "/write", body=b"old").status, 201)
                self.assertEqual(client.request("PUT", "/write", body=b"x" * 90000).status, 507)
                self.assertEqual(client.get("/read").body, b"old")
                self.assertEqual(self.names(), ["value"])
                self.assertEqual(client.request("PUT", "/write", body=b"new").status, 204)
        finally:
            subprocess.run(["umount", self.directory], check=True)

    def test_directory_that_is_gone_is_500(self):
        with self.server() as server:
            self.directory.rmdir()
            response = server.client().request("PUT", "/write", body=b"x")
            self.assertEqual(response.status, 500)
            server.await_stderr("cannot store a value in")
            self.directory.mkdir()


class KillAt:
    """From the block on, the worker dies at the COUNT-th boundary of its system calls."""

    def __init__(self, pid, count):
        self.command = [str(KILL_AT), str(pid), str(count)]
        self.place = ""  # "before fsync": where it died

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line == "watching\n":
            return self
        self.process.stdout.close()
        if self.process.wait(harness.SECONDS) == 1:
            raise unittest.SkipTest("ptrace(2) of another process is not allowed here")
        raise AssertionError(f"kill_at ended with {self.process.returncode}")

    def __exit__(self, *error):
        """If the worker is alive, it is no longer watched from now on."""
        self.process.terminate()
        self.place = self.process.stdout.read().strip()
        self.process.stdout.close()
        self.process.wait(harness.SECONDS)


class Killed(Case):
    """The old or the new value is there, whole, wherever the worker dies; and the new one once it
    was acknowledged. A case kills a worker at its first boundary, then one at its second, until a
    worker lives long enough to answer."""

    new = b"new" * 2500  # two blocks

    def name_of(self, value):
        """For comparisons that must not print the whole value."""
        return {None: "none", b"old": "old", self.new: "new"}.get(value, "a mixture")

    def stored(self):
        path = self.directory / "value"
        return self.name_of(path.read_bytes() if path.exists() else None)

    def left_behind(self):
        """How much of the new value an unfinished file contains; "" if there is no such file."""
        lengths = [(self.directory / name).stat().st_size
                   for name in self.names() if name != "value"]
        self.assertLessEqual(len(lengths), 1)
        if not lengths:
            return ""
        return {0: "empty", len(self.new): "whole"}.get(lengths[0], "part")

    def ask_and_die(self, server, boundary, method, body):
        """The status of the answer (None without one), and where the worker died. The supervisor is
        suspended meanwhile: otherwise it would start another worker, which removes unfinished
        files."""
        worker, status = server.worker_pid(), None
        with server.client() as client:
            client.get("/stats")  # this worker has the connection
            with KillAt(worker, boundary) as kill:
                server.send_signal(signal.SIGSTOP)
                try:
                    status = client.request(method, "/write", body=body).status
                    client.get("/stats")
                except (harness.ConnectionEnded, OSError):
                    pass
                harness.wait_until(lambda: not harness.process_is_alive(worker))
        return status, kill.place

    def assert_next_write_works(self, server):
        """In the worker that the supervisor started instead, after it has removed unfinished
        files."""
        server.send_signal(signal.SIGCONT)
        with server.client() as client:
            found = client.get("/read")
            self.assertEqual(self.name_of(found.body if found.status == 200 else None),
                             self.stored())
            self.assertIn(client.request("PUT", "/write", body=b"next").status, (201, 204))
            self.assertEqual(client.get("/read").body, b"next")
        self.assertEqual(self.names(), ["value"])

    def kill_anywhere(self, method, before, after, status):
        """Where workers died, and the states that they left, in order: the stored value, and
        further files."""
        places, met, answered = [], [], None
        while answered is None:
            with self.server(more="store_bytes = 10K") as server:
                (self.directory / "value").unlink(missing_ok=True)
                if before:
                    (self.directory / "value").write_bytes(before)
                answered, place = self.ask_and_die(server, len(places) + 1, method, after or b"")
                places.append(place)
                state = self.stored(), self.left_behind()
                if state not in met[-1:]:
                    met.append(state)
                if answered:
                    self.assertEqual((answered, state), (status, (self.name_of(after), "")))
                self.assert_next_write_works(server)
        return places, met

    def assert_met(self, met, expected, walk_again):
        """Each of the states, in order, and no other.  A ring is also entered for what else happens
        in the worker, so that boundaries of two walks are not the same ones, and a walk may step
        over a state: there walks are repeated until each was met, at most five times."""
        if harness.BACKEND != "io_uring":
            self.assertEqual(met, expected)
            return
        seen = set(met)
        for _ in range(4):
            self.assertLessEqual(seen, set(expected))
            if seen == set(expected):
                break
            seen |= set(walk_again()[1])
        self.assertEqual(seen, set(expected))

    def assert_died_around(self, places, *calls):
        """Each call of the sequence; on io_uring only the enters are visible."""
        if harness.BACKEND == "io_uring":
            self.assertEqual(set(places), {"before io_uring_enter", "after io_uring_enter"})
            self.assertGreater(len(places), 2 * (len(calls) - 1))
        else:
            expected = [f"{side} {call}" for call in calls for side in ("before", "after")]
            self.assertEqual(places, expected)

    def test_first_value_killed_anywhere(self):
        def walk():
            return self.kill_anywhere("PUT", None, self.new, 201)

        places, met = walk()
        self.assert_met(met, [("none", ""), ("none", "empty"), ("none", "part"),
                               ("none", "whole"), ("new", "")], walk)
        self.assert_died_around(places, "openat2", "pwrite64", "pwrite64", "fsync", "close",
                                "renameat2", "fsync", "sendto")

    def test_next_value_killed_anywhere(self):
        def walk():
            return self.kill_anywhere("POST", b"old", self.new, 204)

        places, met = walk()
        self.assert_met(met, [("old", ""), ("old", "empty"), ("old", "part"), ("old", "whole"),
                               ("new", "")], walk)
        self.assert_died_around(places, "openat2", "pwrite64", "pwrite64", "fsync", "close",
                                "renameat2", "renameat", "fsync", "sendto")

    def test_removal_killed_anywhere(self):
        def walk():
            return self.kill_anywhere("DELETE", b"old", None, 204)

        places, met = walk()
        self.assert_met(met, [("old", ""), ("none", "")], walk)
        self.assert_died_around(places, "unlinkat", "fsync", "sendto")


if __name__ == "__main__":
    harness.main()

"""What the server tells about itself: stats in its three forms, exact under load."""

import json
import pathlib
import re
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

STUB_STATUS = re.compile(
    rb"Active connections: (\d+) \nserver accepts handled requests\n (\d+) (\d+) (\d+) \n"
    rb"Reading: (\d+) Writing: (\d+) Waiting: (\d+) \n")


def endpoint_of(stats, name):
    return next(entry for entry in stats["endpoints"] if entry["name"] == name)


def responses_of(stats, name):
    return {entry["status"]: entry["count"] for entry in endpoint_of(stats, name)["responses"]}


class Forms(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server(files={"a.txt": b"some text"}))

    def test_text_is_for_people(self):
        response = self.server.get("/stats")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(response.field("Cache-Control"), "no-store")
        text = response.body.decode()
        self.assertIn(f" on {self.server.backend}\n", text)
        self.assertRegex(text, r"\nconnections +1 open: 1 active, 0 idle; 1 accepted\n")
        self.assertRegex(text, r"\nendpoint +requests +p50 ms +p90 ms +p99 ms +p99\.9 ms\n")

    def test_json_is_for_who_accepts_it(self):
        for accept in ("application/json", "text/html, application/json;q=0.9, */*"):
            response = self.server.get("/stats", fields={"Accept": accept})
            self.assertEqual(response.field("Content-Type"), "application/json")
            self.assertEqual(response.field("Vary"), "Accept")
            json.loads(response.body)
        for accept in ("*/*", "text/plain, application/json;q=0.5", "application/json;q=0"):
            response = self.server.get("/stats", fields={"Accept": accept})
            self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")

    def test_format_outweighs_accept(self):
        response = self.server.get("/stats?format=text", fields={"Accept": "application/json"})
        self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(self.server.get("/stats?format=yaml").status, 400)

    def test_nginx_layout_counts_connections(self):
        with self.server.client() as idle:
            idle.get("/ping")
            numbers = STUB_STATUS.fullmatch(self.server.get("/stats?format=nginx").body).groups()
        active, accepts, handled, requests, reading, writing, waiting = map(int, numbers)
        self.assertEqual((active, accepts, handled, requests), (2, 2, 2, 1))
        self.assertEqual(reading + writing + waiting, active)
        self.assertEqual(waiting, 1)

    def test_features_of_the_ring_are_told(self):
        features = self.server.stats()["features"]
        if self.server.backend == "epoll":
            self.assertEqual(features, "")
        else:
            self.assertIn("multishot_receive", features.split())


class Counts(unittest.TestCase):
    def test_each_answer_is_counted_once_with_its_status_and_endpoint(self):
        with Server(files={"a.txt": b"some text", "dynamic/b": b"more"}) as server:
            for _ in range(3):
                server.get("/a.txt")
            for target in ("/none", "/dynamic/b", "/dynamic/", "/ping", "/ping/none"):
                server.get(target)
            with server.client() as client:
                client.request("POST", "/ping")
            with server.client() as client:
                client.send(b"nonsense\r\n\r\n")
                client.rest()
            harness.wait_until(lambda: server.stats()["counters"]["responses_4xx"] >= 5)
            stats = server.stats()
            self.assertEqual(responses_of(stats, "static"), {200: 3, 404: 1})
            self.assertEqual(responses_of(stats, "dynamic"), {200: 1, 403: 1})
            self.assertEqual(responses_of(stats, "ping"), {200: 1})
            self.assertEqual(responses_of(stats, "none"), {400: 1, 404: 1, 405: 1})

    def test_latency_grows_with_what_the_client_takes_its_time_for(self):
        with Server() as server:
            harness.write_sparse_file(server.root / "large", 20 * harness.MIB)
            with server.client(receive_buffer=4096) as client:
                client.send(client.head("GET", "/large"))
                harness.wait_until(
                    lambda: server.stats()["connections"]["output"]["sending_file"] == 1)
                server.get("/ping")
                client.response(sink=lambda data: None)
            harness.wait_until(lambda: endpoint_of(server.stats(), "static")["requests"] == 1)
            stats = server.stats()
            slow = endpoint_of(stats, "static")["latency_us"]
            self.assertGreater(slow["p50"], endpoint_of(stats, "ping")["latency_us"]["p50"])
            self.assertEqual(slow["p50"], slow["p99_9"])

    def test_counts_survive_a_worker_that_dies(self):
        with Server() as server:
            server.get("/ping")
            harness.wait_until(lambda: endpoint_of(server.stats(), "ping")["requests"] == 1)
            harness.os.kill(server.worker_pid(), harness.signal.SIGKILL)
            stats = harness.wait_until(lambda: self.stats_after_restart(server))
            self.assertEqual(responses_of(stats, "ping"), {200: 1})
            self.assertEqual(stats["connections"]["open"], 1)
            self.assertEqual(stats["connections"]["active"], 1)

    def stats_after_restart(self, server):
        try:
            stats = server.stats()
        except (harness.ConnectionEnded, ConnectionError):
            return None
        return stats if stats["restarts"] == 1 else None


class Load(unittest.TestCase):
    """Several workers, several connections, every kind of answer: the sums are the client's."""

    CONNECTIONS = 12
    ROUNDS = 60
    TARGETS = {"/ping": 200, "/a.txt": 200, "/none": 404, "/dynamic/b": 200, "/ping/x": 404}

    def make_requests(self, server):
        with server.client() as client:
            for _ in range(self.ROUNDS):
                for target, status in self.TARGETS.items():
                    self.assertEqual(client.get(target).status, status)
                self.pipeline(client, 5)

    def pipeline(self, client, count):
        client.send(client.head("GET", "/ping") * count)
        for _ in range(count):
            self.assertEqual(client.response().status, 200)

    def test_sums_equal_what_the_clients_made(self):
        files = {"a.txt": b"some text", "dynamic/b": b"more"}
        with Server(files=files, settings={"workers": 2}) as server:
            failures = []
            threads = [threading.Thread(target=self.note_failure, args=(server, failures))
                       for _ in range(self.CONNECTIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            each = self.CONNECTIONS * self.ROUNDS
            self.check_sums(harness.wait_until(lambda: self.stats_when_alone(server)), each)

    def stats_when_alone(self, server):
        """A connection that is closed has been counted with all its answers."""
        stats = server.stats()
        return stats if stats["connections"]["open"] == 1 else None

    def note_failure(self, server, failures):
        try:
            self.make_requests(server)
        except Exception as error:  # a thread's failure is the test's
            failures.append(error)

    def check_sums(self, stats, each):
        self.assertEqual(responses_of(stats, "ping"), {200: 6 * each})
        self.assertEqual(responses_of(stats, "static"), {200: each, 404: each})
        self.assertEqual(responses_of(stats, "dynamic"), {200: each})
        self.assertEqual(responses_of(stats, "none"), {404: each})
        counters = stats["counters"]
        asked = endpoint_of(stats, "stats")["requests"]
        self.assertEqual(counters["requests"], 10 * each + asked)
        self.assertEqual(counters["responses_2xx"], 8 * each + asked)
        self.assertEqual(counters["responses_4xx"], 2 * each)
        self.assertEqual(counters["connections_accepted"],
                         self.CONNECTIONS + asked + 1)
        self.assertEqual(sum(entry["requests"] for entry in stats["endpoints"]),
                         counters["requests"])


if __name__ == "__main__":
    harness.main()

"""What the server reports about itself: stats in its three forms, and metrics; exact under load."""

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
        for accept in ("application/json", "application/json, */*",
                       "text/html, application/json;q=0.9, */*;q=0.8"):
            response = self.server.get("/stats", fields={"Accept": accept})
            self.assertEqual(response.field("Content-Type"), "application/json")
            self.assertEqual(response.field("Vary"), "Accept")
            json.loads(response.body)
        for accept in ("*/*", "text/plain, application/json;q=0.5", "application/json;q=0",
                       "application/json;q=0.9, */*", "text/plain, application/json"):
            response = self.server.get("/stats", fields={"Accept": accept})
            self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")

    def test_format_outweighs_accept(self):
        response = self.server.get("/stats?format=text", fields={"Accept": "application/json"})
        self.assertEqual(response.field("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(self.server.get("/stats?format=yaml").status, 400)

    def test_nginx_layout_counts_connections(self):
        def numbers():
            match = STUB_STATUS.fullmatch(asking.get("/stats?format=nginx").body)
            return tuple(map(int, match.groups()))

        with self.server.client() as asking, self.server.client() as idle, \
                self.server.client() as reading:
            self.assertEqual(numbers()[3], 0)
            idle.get("/ping")
            reading.send(b"GET /pi")
            harness.wait_until(lambda: numbers()[4:] == (1, 1, 1))
            active, accepts, handled, requests = numbers()[:4]
        self.assertEqual((active, accepts, handled), (3, 3, 3))
        self.assertGreaterEqual(requests, 3)

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


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? (\d+(?:\.\d+)?)')
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/endpoints.md"
TYPES = {"counter", "gauge", "histogram"}


def parse_metrics(text):
    """The text format 0.0.4, read strictly: {name: (type, {labels: value})}. A family is one block,
    HELP and TYPE come first and once, no sample appears twice, every line is complete."""
    assert text.endswith("\n")
    families, name = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in families, line
            assert len(line.split(" ", 3)[3]) > 3, line
            families[name] = None
        elif line.startswith("# TYPE "):
            _, _, typed, kind = line.split(" ")
            assert typed == name and families[name] is None and kind in TYPES, line
            families[name] = (kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            kind, samples = families[name]
            suffix = match[1].removeprefix(name)
            assert match[1].startswith(name), line
            assert suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
            assert (kind == "counter") == match[1].endswith("_total"), line
            labels = re.findall(r'([a-z]+)="([^"]*)"', match[2] or "")
            assert len(dict(labels)) == len(labels), line
            key = (suffix, *labels)
            assert key not in samples, line
            samples[key] = float(match[3])
    assert all(family and (family[1] or name == "ringlet_http_requests_total")
               for name, family in families.items())
    return families


def check_histogram(samples):
    """The buckets are cumulative, and +Inf equals the count. Returns the counts by endpoint."""
    counts = {}
    for endpoint in {dict(key[1:])["endpoint"] for key in samples}:
        buckets = [(float(dict(key[1:])["le"]), value) for key, value in samples.items()
                   if key[0] == "_bucket" and dict(key[1:])["endpoint"] == endpoint]
        assert buckets == sorted(buckets) and len(buckets) == 22
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert buckets[-1][0] == float("inf")
        counts[endpoint] = samples[("_count", ("endpoint", endpoint))]
        assert buckets[-1][1] == counts[endpoint]
        assert ("_sum", ("endpoint", endpoint)) in samples
    return counts


class Metrics(unittest.TestCase):
    def test_a_strict_parser_reads_them_and_they_agree_with_stats(self):
        locations = {"/": 'endpoint = "static"', "/ping": 'endpoint = "ping"',
                     "/stats": 'endpoint = "stats"', "/metrics": 'endpoint = "metrics"'}
        with Server(files={"a.txt": b"x"}, locations=locations) as server:
            for target in ("/ping", "/ping", "/a.txt", "/none"):
                server.get(target)
            stats = harness.wait_until(lambda: self.stats_when_alone(server))
            response = server.get("/metrics")
            self.assertEqual(response.field("Content-Type"),
                             "text/plain; version=0.0.4; charset=utf-8")
            families = parse_metrics(response.body.decode())
            self.check(families, stats, server.backend)
            for name in families:
                self.assertIn(f"`{name}", DOCUMENT.read_text())

    def stats_when_alone(self, server):
        stats = server.stats()
        return stats if stats["connections"]["open"] == 1 else None

    def check(self, families, stats, backend):
        kind, requests = families["ringlet_http_requests_total"]
        self.assertEqual(kind, "counter")
        self.assertEqual(requests["", ("code", "200"), ("endpoint", "ping")], 2)
        self.assertEqual(requests["", ("code", "200"), ("endpoint", "static")], 1)
        self.assertEqual(requests["", ("code", "404"), ("endpoint", "static")], 1)
        counts = check_histogram(families["ringlet_http_request_duration_seconds"][1])
        self.assertEqual(set(counts), {entry["name"] for entry in stats["endpoints"]})
        self.assertEqual((counts["ping"], counts["static"]), (2, 2))
        states = {key[1][1] for key in families["ringlet_connections"][1]}
        self.assertEqual(states, set(stats["connections"]["output"]))
        (info,) = families["ringlet_build_info"][1]
        self.assertEqual(dict(info[1:]), {"version": stats["version"], "backend": backend})
        accepted = families["ringlet_connections_accepted_total"][1][("",)]
        self.assertEqual(accepted, stats["counters"]["connections_accepted"] + 1)
        self.assertIn("ringlet_uring_completions_total", families)


class Access(unittest.TestCase):
    PROXY_FIELDS = ({"Forwarded": "for=192.0.2.1"}, {"X-Forwarded-For": "192.0.2.1"},
                    {"via": "1.1 proxy"})

    def test_what_came_through_a_proxy_is_refused(self):
        locations = {"/stats": 'endpoint = "stats"', "/metrics": 'endpoint = "metrics"',
                     "/ping": 'endpoint = "ping"'}
        with Server(locations=locations) as server:
            for fields in self.PROXY_FIELDS:
                for target, status in (("/stats", 403), ("/metrics", 403), ("/ping", 200)):
                    self.assertEqual(server.get(target, fields=fields).status, status)
            self.assertEqual(server.get("/metrics").status, 200)

    def test_allow_opens_and_deny_closes_any_location(self):
        locations = {
            "/stats": 'endpoint = "stats" allow = {"127.0.0.0/8"}',
            "/metrics": 'endpoint = "metrics" allow = {"10.0.0.0/8", "::1"}',
            "/ping": 'endpoint = "ping" deny = {"127.0.0.1"}',
            "/": 'endpoint = "static" allow = {"all"} deny = {"192.0.2.0/24"}',
        }
        with Server(files={"a.txt": b"x"}, locations=locations) as server:
            for fields in self.PROXY_FIELDS:
                self.assertEqual(server.get("/stats", fields=fields).status, 200)
            self.assertEqual(server.get("/metrics").status, 403)
            self.assertEqual(server.get("/ping").status, 403)
            self.assertEqual(server.get("/a.txt").status, 200)
            server.await_stderr(r"403: not for this client: GET /ping HTTP/1\.1$")

    def test_clients_of_a_unix_socket_are_of_this_machine(self):
        with Server(listen=("unix:socket",)) as server:
            client = harness.Client(str(server.directory / "socket"))
            with client:
                self.assertEqual(client.get("/stats").status, 200)

    def test_what_is_no_network_is_told_with_its_line(self):
        with self.assertRaisesRegex(harness.HarnessError, r"10\.0\.0\.0/33.*networks as in"):
            with Server(locations={"/stats": 'endpoint = "stats" allow = {"10.0.0.0/33"}'}):
                pass


class Load(unittest.TestCase):
    """Several workers and connections, every kind of answer: the sums equal the client's."""

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
        """When a connection is closed, all its answers have been counted."""
        stats = server.stats()
        return stats if stats["connections"]["open"] == 1 else None

    def note_failure(self, server, failures):
        try:
            self.make_requests(server)
        except Exception as error:  # a failure in a thread fails the test
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

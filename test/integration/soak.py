"""Misbehaving clients, for a while: a soak, not a test of the suite (scripts/soak).

Each thread is a client with a seed of its own. It pipelines, sends slowly, sends rubbish, stops
reading, half-closes and resets. Every complete request must get the right answer. The daemon must
not crash, leak a descriptor, or leave a connection behind.

    soak.py [--seconds N] [--clients N] [--seed N]
"""

import argparse
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import KIB, Server  # noqa: E402

RUBBISH = [
    b"\r\n", b"\0", b"GET / HTTP/1.1\nHost: x\n\n", b"GET  / HTTP/1.1\r\n\r\n", b"\xff" * 40,
    b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 20000,
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 150,
]


class Chaos:
    def __init__(self, server, contents, seed):
        self.server, self.contents = server, contents
        self.random = random.Random(seed)
        self.checked = self.broken = 0
        self.wrong = []

    def target(self):
        return self.random.choice(list(self.contents))

    def request(self, client, target):
        body = self.random.choice([0, 0, 0, 10, 3000, 70000])
        if body and self.contents[target] == b"pong":
            return client.head("POST", target, {"Content-Length": body}) + b"x" * body, None
        return client.head("GET", target), self.contents[target]

    def send_in_pieces(self, client, data):
        for _ in range(self.random.choice([0, 0, 0, 1, 5, 30])):
            length = self.random.choice([1, 7, 100])
            client.send(data[:length])
            data = data[length:]
        client.send(data)

    def honest(self, client):
        """Sends complete requests in a pipeline and checks every answer."""
        expected = []
        for _ in range(self.random.randrange(1, 20)):
            data, body = self.request(client, self.target())
            expected.append(body)
            self.send_in_pieces(client, data)
            if len(data) > 10000:
                break  # an unwanted body may end the connection
        for body in expected:
            response = client.response()
            if body is not None and (response.status, response.body) != (200, body):
                self.wrong.append(repr(response))
            self.checked += 1
            if response.field("Connection") == "close":
                return

    def dishonest(self, client):
        for _ in range(self.random.randrange(1, 4)):
            data, _ = self.request(client, self.target())
            data += self.random.choice([b"", data, self.random.choice(RUBBISH)])
            client.send(data[:self.random.randrange(1, len(data) + 1)])
            self.random.choice([lambda: None, client.end_sending,
                                lambda: client.receive(1 + self.random.randrange(90000))])()

    def visit(self):
        client = self.server.client(
            receive_buffer=self.random.choice([None, None, 4 * KIB]), seconds=2)
        try:
            if self.random.random() < 0.6:
                self.honest(client)
            else:
                self.dishonest(client)
        except (OSError, harness.ConnectionEnded):
            self.broken += 1
        finally:
            self.random.choice([client.close, client.reset])()

    def run(self, until):
        while time.monotonic() < until and not self.wrong:
            self.visit()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"soak: {harness.BACKEND}, seed {options.seed}, {options.clients} clients, "
          f"{options.seconds:g} s", flush=True)

    with Server(sections="timeouts { header = 1s  body = 1s  idle = 2s  send = 2s }",
                settings={"log_level": "warning"}) as server:
        contents = {"/ping": b"pong"}
        for length in (0, 1, 5000, 70000, 700000):
            for directory in ("", "dynamic/"):
                contents[f"/{directory}{length}"] = harness.pattern_bytes(length, directory)
                server.write(f"{directory}{length}", contents[f"/{directory}{length}"])
        descriptors = server.resting_descriptor_count()
        workers = server.worker_pids()

        until = time.monotonic() + options.seconds
        clients = [Chaos(server, contents, options.seed + i) for i in range(options.clients)]
        threads = [threading.Thread(target=client.run, args=(until,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        wrong = [text for client in clients for text in client.wrong]
        server.await_descriptor_count(descriptors)
        if server.worker_pids() != workers:
            wrong.append("a worker died")
        print(f"soak: {sum(client.checked for client in clients)} answers right, "
              f"{sum(client.broken for client in clients)} connections ended early, "
              f"{len(wrong)} wrong", flush=True)
        for text in wrong[:10]:
            print(f"soak: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Connections that are held rather than used; measure.py starts it.

    holders.py idle PORT COUNT PATH     each makes one request, and then none
    holders.py slow PORT COUNT PATH     each asks for a large file and reads 4 KiB of it a second

Prints `ready` when all of them are there, and ends with its standard input.
"""

import resource
import selectors
import socket
import sys
import time

CHUNK = 4096


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def open_one(port, path, buffer_bytes):
    connection = socket.socket()
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request(path))
    if not connection.recv(CHUNK):
        raise SystemExit("closed without an answer")
    return connection


def stdin_ended(selector, seconds):
    return bool(selector.select(seconds)) and not sys.stdin.read(1)


def read_slowly(selector, connections):
    """One by one, spread over the second: a burst would keep the load, whose core this is, from
    looking at its clock, and would be taken for the server's delay."""
    while True:
        begin = time.monotonic()
        for i, connection in enumerate(connections, 1):
            try:
                connection.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            if stdin_ended(selector, max(0.0, begin + i / len(connections) - time.monotonic())):
                return


def main():
    kind, port, count, path = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    buffer_bytes = 16384 if kind == "slow" else 0
    connections = [open_one(int(port), path, buffer_bytes) for _ in range(int(count))]
    print("ready", flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        if kind == "slow":
            read_slowly(selector, connections)
        else:
            stdin_ended(selector, None)


if __name__ == "__main__":
    main()

"""The base of the integration tests: the real daemon, and a client that sees every byte.

A `Server` writes a configuration into a temporary directory, starts the binary, waits for its
`ready:` line and, at the end, stops it and insists that it ended well: exit code 0, nothing from a
sanitizer, no assertion.  A `Client` is one socket with its left-over bytes; it neither repairs nor
hides what the server sends.  Nothing here waits without a deadline, and nothing sleeps to give
something time: `wait_until` polls for the event itself.

    with Server(files={"index.html": b"hello"}) as server:
        with server.client() as client:
            self.assertEqual(client.get("/").body, b"hello")

Environment:
    RINGLET              the binary (default: build/ringlet of this tree)
    RINGLET_BACKEND      io_uring (default) or epoll; passed as -b
    RINGLET_WIRE         plain (default) or tls: how clients speak to the server
    RINGLET_TEST_DEBUG   not empty: log_level = debug, and the daemon's stderr is shown as it comes
    RINGLET_TEST_PATIENCE  a factor on every deadline, for sanitizers and valgrind (default 1)
    RINGLET_TEST_WRAPPER words before the binary on the command line, such as "valgrind -q"
"""

import atexit
import collections
import ctypes
import errno
import functools
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap_runner import main  # noqa: E402,F401  (every test file ends in harness.main())

TREE = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(os.environ.get("RINGLET", TREE / "build" / "ringlet"))
BACKEND = os.environ.get("RINGLET_BACKEND", "io_uring")
WIRE = os.environ.get("RINGLET_WIRE", "plain")
on_a_plain_wire_only = unittest.skipIf(
    WIRE != "plain", "about system calls, segments or zero copy of the plain wire")
DEBUG = bool(os.environ.get("RINGLET_TEST_DEBUG"))

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# Sanitizers and valgrind slow the daemon down. A deadline only catches a hang; it measures nothing.
SECONDS = 20.0 * float(os.environ.get("RINGLET_TEST_PATIENCE", "1"))

SIGNS_OF_A_BUG = re.compile(
    r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed"
    r"|\*\*\* stack smashing|double free|corrupted")


class HarnessError(AssertionError):
    """The daemon did not do what every test relies on (start, be ready, stop)."""


def wait_until(predicate, seconds=SECONDS, what=None):
    """Returns the first true value of predicate(); fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or predicate}")
        time.sleep(0.01)


# --- processes, as /proc shows them -----------------------------------------------------------


def is_sanitized(binary=BINARY):
    """Whether the binary was built with the address sanitizer; then its memory figures mean
    nothing."""
    with open(binary, "rb") as file:
        return b"__asan_init" in file.read()


def process_is_alive(pid):
    """False also for a zombie: it has ended, but its parent has not waited for it."""
    try:
        return _stat_fields(pid)[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _stat_fields(pid):
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def children_of(pid):
    """Process ids of the living children, oldest first."""
    children = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            state, parent = _stat_fields(entry)[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and state not in ("Z", "X"):
            children.append(int(entry))
    return sorted(children)


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def descriptors(pid):
    """The target of each descriptor, for the message of a test that found too many."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def kept_files(pid, root):
    """The files below the root that are open, each once; the cache may keep them open."""
    return {target for target in descriptors(pid).values() if target.startswith(f"{root}/")}


def pooled_pipes(pid):
    """The descriptors of pipes that have both ends in the process."""
    pipes = {}
    for number, target in descriptors(pid).items():
        if target.startswith("pipe:"):
            pipes.setdefault(target, []).append(number)
    return [number for ends in pipes.values() if len(ends) == 2 and max(ends) > 3
            for number in ends]


def _status_bytes(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * KIB
    return 0


def resident_bytes(pid):
    """VmRSS: all pages in memory, including those of the binary."""
    return _status_bytes(pid, "VmRSS")


def anonymous_bytes(pid):
    """RssAnon: heap and stacks. A leak makes it grow."""
    return _status_bytes(pid, "RssAnon")


def status_field(pid, key):
    """The words after `key:` in /proc/PID/status."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return line.split()[1:]
    return []


def suspend(pid):
    """Returns when every thread of the process has stopped."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(status_field(f"{pid}/task/{task}", "State")[0] == "T"
                           for task in os.listdir(f"/proc/{pid}/task")))


def thread_names(pid):
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            names.append(pathlib.Path(f"/proc/{pid}/task/{task}/comm").read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return names


def io_wq_thread_count(pid):
    """The threads that the kernel started for blocking ring operations."""
    return sum(name.startswith("iou-wrk") for name in thread_names(pid))


# --- what is set in the daemon's process before it starts --------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
IO_URING_SETUP = 425  # the same number on every architecture


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def forbid_system_call(number, error=errno.EPERM):
    """A function for Server(before_exec=...): the system call fails with `error`, as in a container
    with a seccomp profile."""
    load_number, jump_equal, give = 0x20, 0x15, 0x06
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in (
        (load_number, 0, 0, 0),
        (jump_equal, 0, 1, number),
        (give, 0, 0, 0x00050000 | error),
        (give, 0, 0, 0x7FFF0000),
    ))
    memory = ctypes.create_string_buffer(program, len(program))
    filter_program = _FilterProgram(len(program) // 8, ctypes.addressof(memory))

    def set_filter():
        for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                          (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_program))):
            if _libc.prctl(*arguments) != 0:
                raise OSError(ctypes.get_errno(), "prctl")

    set_filter.keeps = (memory, filter_program)  # the filter refers to them by address only
    return set_filter


def limit_descriptors(soft, hard=None):
    """A function for Server(before_exec=...)."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))


# --- files ------------------------------------------------------------------------------------


def pattern_bytes(length, seed=0):
    """Bytes in which no two places are alike, so that a test notices a swapped or repeated
    block."""
    block = hashlib.shake_256(str(seed).encode()).digest(min(length, MIB))
    return b"".join(block[:length - i] if i + MIB > length else
                    (i // MIB).to_bytes(8, "big") + block[8:]
                    for i in range(0, length, MIB))


def write_sparse_file(path, length, marks=64):
    """A file of `length` bytes that takes little disk: holes, and in 64 places a line that names
    its offset."""
    with open(path, "wb") as file:
        file.truncate(length)
        for i in range(marks):
            offset = max(0, (length - 32) * i // max(1, marks - 1))
            file.seek(offset)
            file.write(f"<{offset:020}>".encode()[:max(0, length - offset)])


def sha256_of_file(path):
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Sha256:
    """A sink for Client.response(): keeps the sum and the length, not the bytes."""

    def __init__(self):
        self._sum = hashlib.sha256()
        self.length = 0

    def __call__(self, chunk):
        self._sum.update(chunk)
        self.length += len(chunk)

    def hexdigest(self):
        return self._sum.hexdigest()


class Comparison:
    """A sink for Client.response(): compares every byte with a file, at a fifth of the cost of a
    sum, and keeps none."""

    def __init__(self, path):
        self._path, self._file = path, open(path, "rb", buffering=0)
        self._is_same, self._length = True, 0

    def __call__(self, chunk):
        self._is_same = (self._is_same
                         and os.pread(self._file.fileno(), len(chunk), self._length) == chunk)
        self._length += len(chunk)

    def is_whole(self):
        """Whether all bytes of the file came, and nothing else."""
        self._file.close()
        return self._is_same and self._length == os.path.getsize(self._path)


# --- the client -------------------------------------------------------------------------------


class Response:
    """A response as it arrived. `complete` is False if the connection ended before the body did."""

    def __init__(self, version, status, reason, fields):
        self.version = version
        self.status = status
        self.reason = reason
        self.fields = fields  # pairs, in order, as sent
        self.body = b""
        self.length = 0       # bytes of the body seen, also when a sink took them
        self.interim = []     # the 1xx responses that came first
        self.complete = False

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def field(self, name):
        """The value of a field, or None. A field that came twice is an error."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    def __repr__(self):
        end = "" if self.complete else ", cut"
        return f"<{self.version} {self.status} {self.reason}, {self.length} bytes{end}>"


class ConnectionEnded(AssertionError):
    """The server closed or reset the connection too early; `response` is the part that arrived, or
    None."""

    def __init__(self, message, response=None, was_reset=False):
        super().__init__(message)
        self.response = response
        self.was_reset = was_reset


def tcp_sockets():
    """The words of each line of /proc/net/tcp: 1 is the local address, 2 the peer's, 3 the state, 4
    the lengths of the send and receive queues, 9 the inode."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line.split() for line in lines]


def segments_received(connection):
    """How many segments the socket received: tcpi_segs_in of struct tcp_info (linux/tcp.h)."""
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", information, 140)[0]


class TlsSocket:
    """The calls of a socket that a Client makes, over TLS.  The machine is between two memories, so
    that the directions can be ended one by one, as on a plain socket."""

    def __init__(self, plain, host):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.plain = plain
        self._machine_lock, self._send_lock = threading.Lock(), threading.Lock()
        self._unsent = collections.deque()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.machine = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._shaken_hands = False

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def _flush(self, wait):
        """In order, by one thread at a time; who does not wait leaves it to the one that sends."""
        while self._unsent and self._send_lock.acquire(blocking=wait):
            try:
                while self._unsent:
                    self.plain.sendall(self._unsent.popleft())
            finally:
                self._send_lock.release()

    def _call(self, call):
        with self._machine_lock:
            try:
                return call()
            finally:
                if data := self._out.read():
                    self._unsent.append(data)

    def _take(self, data):
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def _drive(self, call):
        """call()'s result, moving ciphertext as it asks for."""
        while True:
            try:
                result = self._call(call)
                self._flush(False)
                return result
            except ssl.SSLWantReadError:
                self._flush(False)
                data = self.plain.recv(256 * KIB)
                self._call(lambda: self._take(data))

    def _shake_hands(self):
        """With the first byte that is sent or awaited: a connection may wait to be accepted."""
        if not self._shaken_hands:
            self._drive(self.machine.do_handshake)
            self._shaken_hands = True

    def sendall(self, data):
        self._shake_hands()
        for i in range(0, len(data), 64 * KIB):
            self._call(lambda: self.machine.write(data[i:i + 64 * KIB]))
            self._flush(True)

    def recv(self, length_max):
        self._shake_hands()
        try:
            return self._drive(lambda: self.machine.read(length_max))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def shutdown(self, how):
        """FIN alone: a request needs no close_notify behind it."""
        self.plain.shutdown(how)


class Client:
    """One connection. Every call ends within `seconds` or fails."""

    def __init__(self, address, seconds=SECONDS, receive_buffer=None, wire="plain"):
        """`address`: (host, port), or the path of a UNIX socket. With a small `receive_buffer`, the
        server soon cannot send any more."""
        self.seconds = seconds
        self.kept = b""
        family = (socket.AF_UNIX if isinstance(address, str)
                  else socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wire == "tls":
            self.socket = TlsSocket(self.socket, "localhost")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def end_sending(self):
        """Half-close: the client sends nothing more, but still wants the answer."""
        self.socket.shutdown(socket.SHUT_WR)

    # Sending

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.socket.settimeout(self.seconds)
        self.socket.sendall(data)

    def send_byte_by_byte(self, data):
        for i in range(len(data)):
            self.send(data[i:i + 1])

    @staticmethod
    def head(method, target, fields=None, version="HTTP/1.1", host="localhost"):
        """The bytes of a request head; `fields` is a dict or a list of pairs."""
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        pairs = fields.items() if isinstance(fields, dict) else fields or []
        lines += [f"{name}: {value}" for name, value in pairs]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def request(self, method, target, fields=None, body=b"", version="HTTP/1.1",
                host="localhost", sink=None):
        """Sends a request and returns its response.  A body gets its Content-Length."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields or [])
        if body:
            pairs.append(("Content-Length", len(body)))
        self.send(self.head(method, target, pairs, version, host) + body)
        return self.response(method, sink=sink)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    # Receiving

    def receive(self, length_max=256 * KIB, deadline=None):
        """The bytes that have arrived, at least one; b"" if the server has ended its direction."""
        if self.kept:
            data, self.kept = self.kept[:length_max], self.kept[length_max:]
            return data
        remaining = self.seconds if deadline is None else deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"nothing for {self.seconds:g} s")
        self.socket.settimeout(remaining)
        return self.socket.recv(length_max)

    def _fill(self, deadline, awaited, response=None):
        try:
            kept, self.kept = self.kept, b""
            try:
                data = self.receive(deadline=deadline)
            finally:
                self.kept = kept
        except ConnectionResetError as error:
            raise ConnectionEnded(f"reset where {awaited} was due", response, True) from error
        if not data:
            raise ConnectionEnded(f"closed where {awaited} was due (kept: {self.kept[:80]!r})",
                                  response)
        self.kept += data

    def _take_until(self, end, deadline, awaited, response=None):
        while end not in self.kept:
            self._fill(deadline, awaited, response)
        taken, self.kept = self.kept.split(end, 1)
        return taken

    def _pass_on(self, length, sink, deadline, response):
        """Moves `length` bytes (None: all until the end) from the connection to the sink."""
        remaining = length
        while remaining is None or remaining > 0:
            try:
                data = self.receive(256 * KIB if remaining is None else min(remaining, 256 * KIB),
                                    deadline)
            except ConnectionResetError as error:
                raise ConnectionEnded("reset in the body", response, True) from error
            if not data:
                if remaining is None:
                    return
                raise ConnectionEnded(f"closed with {remaining} bytes of the body due", response)
            sink(data)
            response.length += len(data)
            if remaining is not None:
                remaining -= len(data)

    def _read_head(self, deadline):
        head = self._take_until(b"\r\n\r\n", deadline, "a response head").decode("latin-1")
        lines = head.split("\r\n")
        match = re.fullmatch(r"(HTTP/1\.[01]) ([1-5]\d\d) (.*)", lines[0])
        if not match:
            raise AssertionError(f"not a status line: {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise AssertionError(f"not a field: {line!r}")
            fields.append((name, value.strip(" \t")))
        return Response(match[1], int(match[2]), match[3], fields)

    def _read_chunks(self, sink, deadline, response):
        while True:
            line = self._take_until(b"\r\n", deadline, "a chunk", response)
            if not re.fullmatch(rb"[0-9A-Fa-f]+(;.*)?", line):
                raise AssertionError(f"not a chunk size: {line!r}")
            length = int(line.split(b";")[0], 16)
            if length == 0:
                break
            self._pass_on(length, sink, deadline, response)
            if self._take_until(b"\r\n", deadline, "a chunk's end", response):
                raise AssertionError("bytes beyond the chunk's size")
        while self._take_until(b"\r\n", deadline, "the trailers' end", response):
            pass

    def response(self, method="GET", sink=None, seconds=None):
        """The next response, framed as RFC 9112 §6.3 says.  `sink(bytes)` takes the body instead of
        response.body; see Sha256.  A cut response raises ConnectionEnded."""
        deadline = time.monotonic() + (seconds or self.seconds)
        interim = []
        response = self._read_head(deadline)
        while response.status < 200:
            interim.append(response)
            response = self._read_head(deadline)
        response.interim = interim

        parts = []
        try:
            self._read_body(method, sink or parts.append, deadline, response)
        finally:
            response.body = b"".join(parts)
        response.complete = True
        return response

    def _read_body(self, method, sink, deadline, response):
        coding, length = response.field("Transfer-Encoding"), response.field("Content-Length")
        if coding is not None and length is not None:
            raise AssertionError("both Transfer-Encoding and Content-Length")
        if method == "HEAD" or response.status in (204, 304):
            return
        if coding is not None:
            if coding.lower() != "chunked":
                raise AssertionError(f"Transfer-Encoding: {coding}")
            self._read_chunks(sink, deadline, response)
        elif length is not None:
            if not re.fullmatch(r"\d+", length):
                raise AssertionError(f"Content-Length: {length}")
            self._pass_on(int(length), sink, deadline, response)
        else:
            self._pass_on(None, sink, deadline, response)

    def rest(self):
        """All bytes until the server ends its direction, beginning with those that were kept."""
        parts, deadline = [], time.monotonic() + self.seconds
        while data := self.receive(deadline=deadline):
            parts.append(data)
        return b"".join(parts)

    def assert_closed(self):
        """The server must end the connection (FIN or RST) without sending anything before."""
        try:
            more = self.rest()
        except ConnectionResetError:
            return
        if more:
            raise AssertionError(f"bytes before the end: {more[:200]!r}")

    def has_bytes_within(self, seconds):
        """Whether anything arrives, including the end. Use it only to show that nothing arrives:
        such a wait always takes its full time."""
        if self.kept:
            return True
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(64 * KIB)
        except TimeoutError:
            return False
        self.kept += data
        return True


# --- the daemon -------------------------------------------------------------------------------


class _Output:
    """Collects the lines of a pipe in a thread, so that the daemon never waits for the test."""

    def __init__(self, pipe, shown):
        self.lines = []
        self._pipe = pipe
        self._shown = shown
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with self._pipe:
            for raw in self._pipe:
                line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
                if self._shown:
                    print(f"# | {line}", file=sys.stderr, flush=True)
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "".join(line + "\n" for line in self.lines)

    def find(self, pattern, start=0):
        """The match in the first line, from index `start` on, that contains the pattern."""
        with self._changed:
            for line in self.lines[start:]:
                if match := re.search(pattern, line):
                    return match
        return None

    def await_line(self, pattern, seconds=SECONDS, start=0):
        deadline = time.monotonic() + seconds
        while not (match := self.find(pattern, start)):
            with self._changed:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._ended:
                    break
                self._changed.wait(min(remaining, 0.1))
        match = match or self.find(pattern, start)
        if not match:
            raise HarnessError(f"no line matches {pattern!r} in:\n{self.text()}")
        return match

    def await_end(self, seconds):
        self._thread.join(seconds)


@functools.cache
def certificate():
    """"CHAIN KEY" of a self-signed certificate for localhost, made once per program."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-certificate-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = subprocess.run([TREE / "scripts" / "certificate", "--directory", directory,
                           "localhost", "127.0.0.1"], check=True, capture_output=True, text=True)
    return made.stdout.strip()


def configuration_text(root, settings=None, sections="", locations=None,
                       listen=("127.0.0.1:0",)):
    """A configuration with defaults for everything that a test does not name. `settings` are
    top-level words and their values as in the file; `sections` is text at top level; `locations`
    maps a path to the text in its braces and replaces the default ones."""
    words = {"workers": 1, "access_log": '""', "log_level": "debug" if DEBUG else "info"}
    words.update(settings or {})
    if locations is None:
        locations = {
            "/": 'endpoint = "static"',
            "/dynamic/": 'endpoint = "dynamic"',
            "/ping": 'endpoint = "ping"',
            "/stats": 'endpoint = "stats"',
        }
    tls = "tls = yes" if WIRE == "tls" else ""
    lines = [f'listen "{address}" {{ {tls} }}' for address in listen]
    lines += [f"{word} = {value}" for word, value in words.items()]
    lines += [sections, 'site "*" {', f'  root = "{root}"']
    if WIRE == "tls":
        lines.append(f'  certificate = {{"{certificate()}"}}')
    lines += [f'  location "{path}" {{ {text} }}' for path, text in locations.items()]
    return "\n".join(lines + ["}", ""])


class Server:
    """A running daemon.  Either `configuration` is the whole text of the file, in which {root}
    stands for the served directory, or the parts are those of configuration_text().

    files        {"a/b.txt": b"..."}: written below the root before the start
    root         a directory to serve instead of a fresh one
    arguments    more arguments of the command line; with quick_start, the only ones
    before_exec  runs in the new process first: forbid_system_call(), limit_descriptors()
    """

    def __init__(self, files=None, *, root=None, configuration=None, settings=None, sections="",
                 locations=None, listen=("127.0.0.1:0",), arguments=(), quick_start=False,
                 backend=BACKEND, before_exec=None, environment=None, seconds=SECONDS,
                 binary=BINARY):
        self.binary = binary
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-test-"))
        os.chmod(self.directory, 0o755)
        self.root = pathlib.Path(root) if root else self.directory / "www"
        self.root.mkdir(exist_ok=True)
        self.seconds = seconds
        self.backend = backend
        self.wire = "plain"  # how its clients speak; a configuration may say otherwise
        self.port = None
        self.process = None
        self.exit_code = None
        self._before_exec = before_exec
        self._environment = environment or {}
        for path, content in (files or {}).items():
            self.write(path, content)

        self.configuration = self.directory / "ringlet.conf"
        self.arguments = [str(argument) for argument in arguments]
        if not quick_start:
            text = (configuration.replace("{root}", str(self.root)) if configuration is not None
                    else configuration_text(self.root, settings, sections, locations, listen))
            self.configuration.write_text(text)
            self.wire = "tls" if "tls = yes" in text else "plain"
            self.arguments = ["-c", str(self.configuration), *self.arguments]
        if backend:
            self.arguments = ["-b", backend, *self.arguments]

    # Its life

    def __enter__(self):
        try:
            self.start()
            self.await_ready()
        except BaseException:
            self.abandon()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.stop()
                self.assert_sound()
            elif error is not None and hasattr(error, "add_note"):
                error.add_note("the daemon said last:\n" + "\n".join(self.stderr_lines()[-20:]))
        finally:
            self.abandon()

    def start(self):
        """Starts the process and returns at once; __enter__ does this and awaits `ready:`."""
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "exitcode=99:detect_stack_use_after_return=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")
        environment.update(self._environment)
        wrapper = os.environ.get("RINGLET_TEST_WRAPPER", "").split()
        atexit.register(self.abandon)  # an interrupted test does not run the cleanup of its class
        self.process = subprocess.Popen(
            [*wrapper, self.binary, *self.arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory, env=environment,
            start_new_session=True, preexec_fn=self._before_exec)
        self._stdout = _Output(self.process.stdout, False)
        self._stderr = _Output(self.process.stderr, DEBUG)

    def await_ready(self):
        """Sets the port to that of the first address, if it has one."""
        match = self._stderr.await_line(r"^ready: (.*)", self.seconds)
        if port := re.search(r"https?://[^/\s]*:(\d+)/", match[1]):
            self.port = int(port[1])

    def send_signal(self, number):
        self.process.send_signal(number)

    def await_exit(self, seconds=None):
        try:
            self.exit_code = self.process.wait(seconds or self.seconds)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"still running; stderr:\n{self.stderr}") from None
        self._stdout.await_end(self.seconds)
        self._stderr.await_end(self.seconds)
        return self.exit_code

    def stop(self, number=signal.SIGINT):
        """SIGINT stops at once, SIGTERM drains.  The exit code must be 0 either way."""
        if self.process.poll() is None:
            self.send_signal(number)
        if self.await_exit() != 0:
            raise HarnessError(f"exit code {self.exit_code}; stderr:\n{self.stderr}")

    def assert_sound(self):
        """Fails if stderr has a message of a sanitizer or an assertion."""
        if match := self._stderr.find(SIGNS_OF_A_BUG):
            raise HarnessError(f"{match[0]!r} on stderr:\n{self.stderr}")

    def _kill(self):
        """start() made a session for the daemon, so its process group holds no other process."""
        if not self.process:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(self.seconds)

    def abandon(self):
        """Kills what is left of the daemon and removes its directory."""
        atexit.unregister(self.abandon)
        self._kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # What it said

    @property
    def stderr(self):
        return self._stderr.text()

    @property
    def stdout(self):
        return self._stdout.text()

    def await_stderr(self, pattern, seconds=None, start=0):
        return self._stderr.await_line(pattern, seconds or self.seconds, start)

    def await_stdout(self, pattern, seconds=None, start=0):
        return self._stdout.await_line(pattern, seconds or self.seconds, start)

    def stderr_lines(self):
        return self.stderr.splitlines()

    # What it serves

    def write(self, path, content):
        """Puts a file below the root in one step, by rename, as a deploy would. Returns its
        path."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.parent / f".{target.name}.fresh"
        fresh.write_bytes(content)
        fresh.replace(target)
        return target

    def client(self, host="127.0.0.1", **options):
        return Client((host, self.port), **{"wire": self.wire, **options})

    def get(self, target, **options):
        """One request on a connection of its own."""
        with self.client() as client:
            return client.get(target, **options)

    def stats(self):
        response = self.get("/stats?format=json")
        if response.status != 200:
            raise AssertionError(f"/stats: {response}")
        return json.loads(response.body)

    def counter(self, name):
        """A counter of /stats, such as "splices", summed up over all workers."""
        return self.stats()["counters"][name]

    # Its processes

    @property
    def pid(self):
        return self.process.pid

    def worker_pids(self):
        """With --single-process the worker is the process itself."""
        if "--single-process" in self.arguments:
            return [self.pid]
        return children_of(self.pid)

    def worker_pid(self):
        workers = self.worker_pids()
        if len(workers) != 1:
            raise AssertionError(f"one worker expected, found {workers}")
        return workers[0]

    def descriptor_count(self):
        """The descriptors of all workers, without the pipes that the ring keeps for later splices
        and the files that the cache keeps for later requests."""
        return sum(descriptor_count(pid) - len(pooled_pipes(pid)) - len(kept_files(pid, self.root))
                   for pid in self.worker_pids())

    def resting_descriptor_count(self):
        """What a worker holds without connections.  One client is connected while this counts: its
        answer shows that the start is over."""
        with self.client() as client:
            wait_until(lambda: json.loads(
                client.get("/stats?format=json").body)["connections"]["open"] == 1)
            return self.descriptor_count() - 1

    def pooled_pipe_count(self):
        """Descriptors; two make a pipe."""
        return sum(len(pooled_pipes(pid)) for pid in self.worker_pids())

    def resident_bytes(self):
        return sum(resident_bytes(pid) for pid in self.worker_pids())

    def anonymous_bytes(self):
        return sum(anonymous_bytes(pid) for pid in self.worker_pids())

    def io_wq_thread_count(self):
        return max((io_wq_thread_count(pid) for pid in self.worker_pids()), default=0)

    def await_descriptor_count(self, count, seconds=None):
        """Waits for the count: closing is asynchronous."""
        try:
            wait_until(lambda: self.descriptor_count() == count, seconds or self.seconds)
        except AssertionError:
            found = [descriptors(pid) for pid in self.worker_pids()]
            raise AssertionError(f"{count} descriptors expected, found {found}") from None


class ServerCase(unittest.TestCase):
    """One server for all tests of the class; make_server() makes it."""

    @classmethod
    def make_server(cls):
        return Server()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(cls.make_server())

    def connect(self, **options):
        """A client of the server, closed at the end of the test."""
        return self.enterContext(self.server.client(**options))


def run(*arguments, seconds=SECONDS, before_exec=None, environment=None):
    """Runs the binary until it exits, with arguments for which it does not serve. Returns the
    CompletedProcess with text in stdout and stderr."""
    return subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=seconds, preexec_fn=before_exec,
                          env={**os.environ, **(environment or {})})

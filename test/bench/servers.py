"""The compared servers: how each is started, found ready and stopped; one worker on one core.

Each has a configuration in servers/, with placeholders @PORT@, @ROOT@ and @DIRECTORY@ (its own, for
the files that it writes). All run at once, each on its own port, so that alternation needs no
restarts; an idle server takes no time.

The congestion control of every listening socket is set from outside (pidfd_getfd(2)), in the same
way for servers with and without an option for it. Accepted connections inherit it.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PIDFD_GETFD = 438  # the same number on every architecture
SECONDS = 20.0

_libc = ctypes.CDLL(None, use_errno=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def descendants(pid):
    """The process and all its descendants."""
    found = [pid]
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = text[text.rindex(")") + 2:].split()
        if int(fields[1]) == pid and fields[0] != "Z":
            found += descendants(int(entry))
    return found


def _borrow(pid, fd):
    """A duplicate of another process's descriptor."""
    process = os.pidfd_open(pid)
    try:
        number = _libc.syscall(PIDFD_GETFD, process, fd, 0)
        if number < 0:
            raise OSError(ctypes.get_errno(), f"pidfd_getfd of {pid}")
        return number
    finally:
        os.close(process)


def listening_sockets(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
            candidate = socket.socket(fileno=_borrow(pid, int(name)))
        except FileNotFoundError:
            continue
        with candidate:
            if (candidate.family in (socket.AF_INET, socket.AF_INET6)
                    and candidate.type == socket.SOCK_STREAM
                    and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
                yield candidate


def set_congestion_control(pids, name):
    """Sets the congestion control; returns how many listening sockets have it."""
    count = 0
    for pid in pids:
        for listener in listening_sockets(pid):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
            count += 1
    return count


class Server:
    """A row of the table. `command` gets the path of the completed configuration."""

    def __init__(self, name, program, configuration, command, words=None, environment=None,
                 version=("-v",)):
        self.name = name
        self.program = program
        self.configuration = configuration
        self.command = command
        self.words = words or {}
        self.environment = environment or {}
        self.version_arguments = version
        self.port = None
        self.process = None

    def version(self):
        done = subprocess.run([self.program, *self.version_arguments], capture_output=True,
                              text=True, timeout=SECONDS)
        match = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return match[0] if match else "?"

    def write_configuration(self, directory, root):
        text = (HERE / "servers" / self.configuration).read_text()
        words = {"PORT": self.port, "ROOT": root, "DIRECTORY": directory, **self.words}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        path = directory / self.configuration
        path.write_text(text)
        return path

    def start(self, directory, root, cpu, congestion_control):
        directory.mkdir(exist_ok=True)
        os.chmod(directory, 0o777)  # some drop root privileges and still write here
        self.port = free_port()
        self.launch([self.program, *self.command(self.write_configuration(directory, root))],
                    directory / "output", cpu)
        if not set_congestion_control(self.pids(), congestion_control):
            raise RuntimeError(f"{self.name}: no listening socket found")

    def launch(self, command, output, cpu):
        """Waits until it is ready, or raises with what the server wrote."""
        # All files that a server stores for its user are in its directory.
        home = {name: str(output.parent) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, env={**os.environ, **home, **self.environment},
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS).close()
                return
            except ConnectionRefusedError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n" + output.read_text())
            time.sleep(0.02)

    def pids(self):
        return descendants(self.process.pid)

    def stop(self):
        """launch() made a session for the server, so its group holds no other process."""
        if not self.process:
            return
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(SECONDS)
        except ProcessLookupError:
            pass
        self.process = None


class Ceiling(Server):
    """The bare responder serves one length only, that of a case."""

    def __init__(self, program):
        super().__init__("ceiling", program, None, None)

    def version(self):
        return "-"

    def start_with(self, length, is_closing, directory, cpu, congestion_control):
        self.port = free_port()
        options = ["--close"] if is_closing else []
        self.launch([self.program, str(self.port), str(length), *options],
                    directory / "ceiling.output", cpu)
        set_congestion_control(self.pids(), congestion_control)


def known_servers(binary, ceiling):
    """All servers, in the order of the table."""
    def ringlet(name, backend, zero_copy):
        return Server(name, binary, "ringlet.conf", lambda path: ["-c", path],
                      {"BACKEND": backend, "ZERO_COPY": zero_copy}, version=("--version",))

    return [
        Ceiling(ceiling),
        ringlet("ringlet", "io_uring", "splice"),
        ringlet("ringlet-auto", "io_uring", "auto"),
        ringlet("ringlet-epoll", "epoll", "splice"),
        Server("nginx", _program("nginx"), "nginx.conf", lambda path: ["-c", path]),
        Server("lighttpd", _program("lighttpd"), "lighttpd.conf", lambda path: ["-D", "-f", path]),
        Server("h2o", _program("h2o"), "h2o.conf", lambda path: ["-m", "worker", "-c", path]),
        Server("caddy", _program("caddy"), "caddy.conf",
               lambda path: ["run", "--adapter", "caddyfile", "--config", path],
               environment={"GOMAXPROCS": "1"}, version=("version",)),
        Server("apache2", _program("apache2"), "apache2.conf",
               lambda path: ["-D", "FOREGROUND", "-f", path]),
    ]


def _program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or name

"""The daemon's processes: how they start and end, how workers are lost and replaced, privileges and
logs.
"""

import json
import os
import pathlib
import re
import resource
import signal
import socket
import threading
import time
import unittest

import harness
from harness import (BACKEND, KIB, MIB, ConnectionEnded, Client, Server, Sha256, children_of,
                     process_is_alive, status_field, suspend, wait_until)

DETAILS = {"io_uring": r" \(kernel \d+\.\d+, liburing \d+\.\d+\)", "epoll": r" \(kernel \d+\.\d+\)"}
BANNER = rf"^ringlet \d+\.\d+\.\d+, {BACKEND}{DETAILS[BACKEND]}, 1 worker$"

LARGE = 64 * MIB  # far more than the sockets of server and client hold


def begin_download(server, target):
    """A client that has received the head and some of the body, and does not read further for
    now."""
    client = server.client(receive_buffer=64 * KIB)
    client.send(Client.head("GET", target))
    wait_until(lambda: len(client.kept) > 1000 or not client._fill(
        time.monotonic() + client.seconds, "a download"))
    return client


def listening_sockets(port):
    """As /proc/PID/fd names them."""
    return {f"socket:[{row[9]}]" for row in harness.tcp_sockets()
            if row[1].endswith(f":{port:04X}") and row[3] == "0A"}


def queue_requests(server, count):
    """Clients whose requests stay in the queues, since every worker is suspended."""
    for pid in server.worker_pids():
        suspend(pid)
    clients = [server.client() for _ in range(count)]
    for client in clients:
        client.send(Client.head("GET", "/a"))
    return clients


def is_refused(port):
    try:
        Client(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


class Start(unittest.TestCase):
    def test_start_says_what_runs_what_is_served_and_last_that_it_is_ready(self):
        with Server() as server:
            lines = [line for line in server.stderr_lines() if " warning " not in line]
            self.assertRegex(lines[0], BANNER)
            self.assertEqual(lines[1], "serving www")
            self.assertRegex(lines[2], r"^ready: http://localhost:\d+/   \(Ctrl-C stops\)$")
            self.assertEqual(len(lines), 3)

    def test_several_listeners_are_one_ready_line(self):
        with Server(listen=("127.0.0.1:0", "127.0.0.2:0", "unix:socket")) as server:
            ready = server.await_stderr("^ready: .*")[0]
            self.assertRegex(ready, r"^ready: http://localhost:(\d+)/ http://127\.0\.0\.2:\d+/ "
                                    r"unix:\S*socket   \(Ctrl-C stops\)$")

    def test_both_loopbacks_are_one_address(self):
        with Server(listen=("127.0.0.1:0", "[::1]:0")) as server:
            ready = server.await_stderr("^ready: .*")[0]
            self.assertRegex(ready, r"^ready: http://localhost:\d+/   \(Ctrl-C stops\)$")

    def test_address_in_use_is_named_and_nothing_is_shared(self):
        with Server() as first:
            second = Server(listen=(f"127.0.0.1:{first.port}",))
            second.start()
            self.assertEqual(second.await_exit(), 1)
            self.assertIn(f"cannot listen on 127.0.0.1:{first.port}: address in use "
                          "(try -p PORT; ss -ltnp names the process)\n", second.stderr)
            self.assertNotIn("ready:", second.stderr)
            second.abandon()
            self.assertEqual(first.get("/ping").body, b"pong")

    def test_address_that_becomes_free_within_a_moment_is_taken(self):
        """As when a killed server's sockets outlive it for a while."""
        with socket.create_server(("127.0.0.1", 0)) as holder:
            server = Server(listen=(f"127.0.0.1:{holder.getsockname()[1]}",))
            server.start()
            server.await_stderr("^ringlet ")
            wait_until(lambda: status_field(server.pid, "State")[0] == "S")
        server.await_ready()
        server.stop()
        server.abandon()

    def test_every_worker_has_a_socket_of_its_own(self):
        with Server(settings={"workers": 3}) as server:
            workers = server.worker_pids()
            self.assertEqual(len(workers), 3)
            listening = listening_sockets(server.port)
            self.assertEqual(len(listening), 3)
            held = [listening & set(harness.descriptors(pid).values()) for pid in workers]
            self.assertEqual([len(sockets) for sockets in held], [1, 1, 1])
            self.assertEqual(set().union(*held), listening)

    @unittest.skipUnless(BACKEND == "io_uring", "about io_uring being refused")
    def test_refused_ring_is_a_line_that_says_what_to_do_and_epoll_serves(self):
        refuse = harness.forbid_system_call(harness.IO_URING_SETUP)
        with Server(backend="auto", before_exec=refuse) as server:
            server.await_stderr(r"^ringlet \S+, epoll: io_uring_setup says EPERM \(.+\); "
                                r"to allow it: .+$")
            self.assertEqual(server.stderr.count("io_uring_setup says"), 1)
            self.assertEqual(server.stats()["backend"], "epoll")

    @unittest.skipUnless(BACKEND == "io_uring", "about io_uring being refused")
    def test_ring_that_was_asked_for_by_name_and_refused_ends_the_start(self):
        server = Server(before_exec=harness.forbid_system_call(harness.IO_URING_SETUP))
        server.start()
        self.assertEqual(server.await_exit(), 1)
        self.assertRegex(server.stderr, r"(?m)^ringlet \S+, io_uring: io_uring_setup says EPERM")
        self.assertNotIn("ready:", server.stderr)
        server.abandon()


class UnixSocket(unittest.TestCase):
    LISTEN = {"listen": ("unix:socket",)}

    def path(self, server):
        return str(server.directory / "socket")

    def test_unix_socket_serves_and_its_file_goes_with_the_server(self):
        with Server(files={"a": b"hello"}, settings={"workers": 2}, **self.LISTEN) as server:
            for _ in range(4):
                with Client(self.path(server)) as client:
                    self.assertEqual(client.get("/a").body, b"hello")
            server.stop()
            self.assertFalse(os.path.exists(self.path(server)))

    def test_socket_file_of_a_dead_server_is_replaced(self):
        server = Server(files={"a": b"hello"}, **self.LISTEN)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.path(server))
        stale.close()
        with server:
            with Client(self.path(server)) as client:
                self.assertEqual(client.get("/a").body, b"hello")

    def test_living_server_keeps_its_socket_file(self):
        with Server(files={"a": b"hello"}, **self.LISTEN) as server:
            path = self.path(server)
            second = Server(listen=(f"unix:{path}",))
            second.start()
            self.assertEqual(second.await_exit(), 1)
            self.assertIn(f"cannot listen on unix:{path}: address in use", second.stderr)
            second.abandon()
            with Client(path) as client:
                self.assertEqual(client.get("/a").body, b"hello")


class Workers(unittest.TestCase):
    def kill_worker(self, server):
        """Returns the process id of the worker that replaced it."""
        old = server.worker_pid()
        os.kill(old, signal.SIGKILL)
        return wait_until(lambda: [pid for pid in children_of(server.pid) if pid != old])[0]

    def test_killed_worker_is_replaced_and_what_was_queued_is_served(self):
        with Server(files={"a": b"hello"}) as server:
            suspend(server.worker_pid())
            clients = [server.client() for _ in range(50)]
            for client in clients:
                client.send(Client.head("GET", "/a"))
            self.kill_worker(server)
            for client in clients:
                self.assertEqual(client.response().body, b"hello")
                client.close()
            server.await_stderr(r"error supervisor worker 1 \(pid \d+\) was killed by signal 9 "
                                r"\(Killed\); restarting$")

    def test_signalled_worker_retires_and_loses_nothing_that_is_queued(self):
        for workers in (1, 4):
            with self.subTest(workers), Server(files={"a": b"hello"},
                                               settings={"workers": workers}) as server:
                old = server.worker_pids()
                clients = queue_requests(server, 50)
                os.kill(old[0], signal.SIGTERM)
                for pid in old:
                    os.kill(pid, signal.SIGCONT)
                for client in clients:
                    self.assertEqual(client.response().body, b"hello")
                    client.close()
                server.await_stderr(rf"info supervisor worker 1 \(pid {old[0]}\) retired$")
                for _ in range(40):
                    self.assertEqual(server.get("/a").body, b"hello")
                self.assertEqual(len(server.worker_pids()), workers)
                self.assertEqual(server.stats()["workers"], workers)
                self.assertEqual(server.stats()["restarts"], 0)

    def test_retiring_worker_finishes_requests_while_its_successor_serves(self):
        with Server(files={"a": b"hello"}, sections="timeouts { drain = 1h }") as server:
            server.write("large", b"x" * LARGE)
            old = server.worker_pid()
            with begin_download(server, "/large") as client:
                for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
                    os.kill(old, number)
                server.await_stderr("worker=1 draining")
                self.assertEqual(server.get("/a").body, b"hello")
                found = Sha256()
                client.response(sink=found)
                self.assertEqual(found.length, LARGE)
            server.await_stderr(rf"worker 1 \(pid {old}\) retired$")
            stats = server.stats()
            self.assertEqual(stats["connections"]["open"], 1)
            self.assertEqual(stats["counters"]["responses_2xx"], 2)

    def test_successor_that_is_signalled_waits_until_its_predecessor_has_retired(self):
        with Server(files={"a": b"hello"}, sections="timeouts { drain = 1h }") as server:
            server.write("large", b"x" * LARGE)
            first = server.worker_pid()
            with begin_download(server, "/large") as client:
                os.kill(first, signal.SIGTERM)
                server.await_stderr("worker=1 draining")
                second, = set(server.worker_pids()) - {first}
                os.kill(second, signal.SIGTERM)
                self.assertEqual(server.get("/a").body, b"hello")
                client.response(sink=Sha256())
            server.await_stderr(rf"worker 1 \(pid {second}\) retired$")
            self.assertEqual(server.get("/a").body, b"hello")
            self.assertNotIn(second, server.worker_pids())

    def test_restarts_are_counted_and_the_dead_leave_no_connections(self):
        with Server(files={"large": b"x" * LARGE}) as server:
            with begin_download(server, "/large"):
                self.assertEqual(server.stats()["restarts"], 0)
                self.kill_worker(server)
                stats = wait_until(lambda: self.stats_after_restart(server))
            self.assertEqual(stats["restarts"], 1)
            self.assertEqual(stats["connections"]["open"], 1)

    def stats_after_restart(self, server):
        try:
            return server.stats()
        except (ConnectionEnded, ConnectionError):
            return None

    def test_worker_that_keeps_dying_is_restarted_ever_later(self):
        with Server(sections="timeouts { stuck = 2s }") as server:
            self.kill_worker(server)
            os.kill(wait_until(lambda: children_of(server.pid))[0], signal.SIGKILL)
            server.await_stderr(r"; restarting in 1 s$")
            self.assertEqual(server.get("/ping").body, b"pong")
            self.assertNotIn("cannot send message", server.stderr)

    def test_workers_die_with_their_supervisor(self):
        with Server(settings={"workers": 2}) as server:
            workers = server.worker_pids()
            server.process.kill()
            wait_until(lambda: not any(map(process_is_alive, workers)))
            server.process.wait(harness.SECONDS)
            server.process.returncode = 0  # the test itself ended the process



class End(unittest.TestCase):
    def test_drain_finishes_what_was_begun_and_accepts_nothing_new(self):
        for arguments in ((), ("--single-process",)):
            # A refused connect may take seconds: SYNs that were dropped are sent again after 1, 3
            # and 7 s.
            with self.subTest(arguments), Server(arguments=arguments,
                                                 sections="timeouts { drain = 60s }") as server:
                server.write("large", harness.pattern_bytes(LARGE))
                with begin_download(server, "/large") as client:
                    server.send_signal(signal.SIGTERM)
                    server.await_stderr("draining")
                    wait_until(lambda: is_refused(server.port))
                    found = Sha256()
                    client.response(sink=found)
                    self.assertEqual(found.length, LARGE)
                    self.assertEqual(found.hexdigest(),
                                     harness.sha256_of_file(server.root / "large"))
                self.assertEqual(server.await_exit(), 0)

    def test_drained_connection_learns_that_its_answer_was_the_last(self):
        with Server() as server, server.client() as client:
            client.get("/ping")
            server.send_signal(signal.SIGTERM)
            server.await_stderr("draining")
            self.assertEqual(client.get("/ping").field("Connection"), "close")
            client.assert_closed()
            self.assertEqual(server.await_exit(), 0)

    def test_silent_connection_is_closed_by_a_drain(self):
        with Server(sections="timeouts { drain = 60s }") as server, server.client() as client:
            client.get("/ping")
            server.send_signal(signal.SIGQUIT)
            client.assert_closed()
            self.assertEqual(server.await_exit(), 0)

    def test_queue_is_served_before_a_drain(self):
        for workers in (1, 4):
            with self.subTest(workers), Server(files={"a": b"hello"},
                                               settings={"workers": workers}) as server:
                clients = queue_requests(server, 50)
                sockets = listening_sockets(server.port)
                server.send_signal(signal.SIGTERM)
                wait_until(lambda: not sockets & set(harness.descriptors(server.pid).values()))
                for worker in server.worker_pids():
                    os.kill(worker, signal.SIGCONT)
                for client in clients:
                    self.assertEqual(client.response().body, b"hello")
                    client.close()
                self.assertEqual(server.await_exit(), 0)

    def test_drain_under_load_resets_nobody(self):
        ends = []
        with Server(settings={"workers": 2}) as server:
            busy = [threading.Thread(target=self.ask_until_refused, args=(server, ends))
                    for _ in range(8)]
            for thread in busy:
                thread.start()
            wait_until(lambda: server.stats()["counters"]["requests"] > 100)
            server.send_signal(signal.SIGTERM)
            for thread in busy:
                thread.join(harness.SECONDS)
            self.assertEqual(server.await_exit(), 0)
        self.assertEqual(ends, ["refused"] * 8)

    def ask_until_refused(self, server, ends):
        try:
            while server.get("/ping", fields={"Connection": "close"}).body == b"pong":
                pass
            ends.append("wrong answer")
        except ConnectionRefusedError:
            ends.append("refused")
        except (OSError, AssertionError) as error:
            ends.append(repr(error))

    def test_drain_ends_when_its_time_is_over(self):
        with Server(sections="timeouts { drain = 300ms }") as server:
            server.write("large", b"x" * LARGE)
            with begin_download(server, "/large"):
                server.send_signal(signal.SIGTERM)
                server.await_stderr("timeouts.drain passed")
                self.assertEqual(server.await_exit(), 0)

    def test_second_signal_stops_at_once(self):
        for arguments in ((), ("--single-process",)):
            with self.subTest(arguments), Server(
                    arguments=arguments, sections="timeouts { drain = 1h }") as server:
                server.write("large", b"x" * LARGE)
                with begin_download(server, "/large"):
                    server.send_signal(signal.SIGTERM)
                    server.await_stderr("draining")
                    server.send_signal(signal.SIGTERM)
                    self.assertEqual(server.await_exit(), 0)

    def test_signal_to_the_whole_group_still_drains(self):
        """As a service manager sends it, and so that workers get it twice."""
        with Server(sections="timeouts { drain = 1h }", settings={"workers": 2}) as server:
            server.write("large", b"x" * LARGE)
            with begin_download(server, "/large") as client:
                os.killpg(server.pid, signal.SIGTERM)
                server.await_stderr("draining")
                client.response(sink=Sha256())
            self.assertEqual(server.await_exit(), 0)

    def test_interrupt_stops_at_once(self):
        for arguments in ((), ("--single-process",)):
            with self.subTest(arguments), Server(
                    arguments=arguments, sections="timeouts { drain = 1h }") as server:
                server.write("large", b"x" * LARGE)
                with begin_download(server, "/large"), server.client() as idle:
                    idle.get("/ping")
                    server.send_signal(signal.SIGINT)
                    self.assertEqual(server.await_exit(), 0)

    def test_hang_up_is_no_end(self):
        for arguments in ((), ("--single-process",)):
            with self.subTest(arguments), Server(arguments=arguments) as server:
                server.send_signal(signal.SIGHUP)
                server.await_stderr(r"warning .*ignored signal 1 \(Hangup\)")
                self.assertEqual(server.get("/ping").body, b"pong")


class Daemon(unittest.TestCase):
    def test_start_without_standard_streams_serves_and_logs_where_it_should(self):
        for arguments in ((), ("-d",)):
            server = Server(files={"a": b"hello"}, arguments=arguments, listen=("unix:socket",),
                            settings={"access_log": '"access.log"', "error_log": '"error.log"',
                                      "pid_file": '"ringlet.pid"'},
                            before_exec=lambda: os.closerange(0, 3))
            with self.subTest(arguments):
                server.start()
                pid_file = server.directory / "ringlet.pid"
                log = server.directory / "access.log"
                wait_until(lambda: self.answers(server.directory / "socket"))
                wait_until(lambda: log.read_text().endswith("\n"))
                for line in log.read_text().splitlines():
                    self.assertRegex(line, r'"GET /a HTTP/1\.1" 200 5 "-" "-"$')
                os.kill(int(pid_file.read_text()), signal.SIGTERM)
                wait_until(lambda: not pid_file.exists())
            server.abandon()

    def answers(self, path):
        try:
            with Client(str(path)) as client:
                return client.get("/a").body == b"hello"
        except OSError:
            return False

    def test_pid_file_overwrites_nothing_that_a_link_leads_to(self):
        server = Server(settings={"pid_file": '"ringlet.pid"'})
        secret, pid_file = server.directory / "secret", server.directory / "ringlet.pid"
        secret.write_text("secret")
        pid_file.symlink_to(secret)
        with server:
            self.assertEqual(int(pid_file.read_text()), server.pid)
            self.assertFalse(pid_file.is_symlink())
            self.assertEqual(secret.read_text(), "secret")

    def test_daemon_returns_when_it_serves_and_holds_no_terminal(self):
        server = Server(files={"a": b"hello"}, settings={"pid_file": '"ringlet.pid"'})
        # This returns only when no process holds its standard output and error any more.
        started = harness.run(*server.arguments, "-d")
        self.assertEqual(started.returncode, 0, started.stderr)
        server.port = int(re.search(r"(?m)^ready: http://localhost:(\d+)/$", started.stderr)[1])
        pid_file = server.directory / "ringlet.pid"
        pid = int(pid_file.read_text())
        try:
            self.assertEqual(server.get("/a").body, b"hello")
            self.assertEqual(os.getsid(pid), pid)
            for process in [pid, *children_of(pid)]:
                for descriptor in range(3):
                    self.assertEqual(harness.descriptors(process)[descriptor], "/dev/null")
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not process_is_alive(pid))
        self.assertFalse(pid_file.exists())
        server.abandon()

    def test_daemon_that_cannot_serve_says_why_and_returns_1(self):
        with Server() as first:
            server = Server(listen=(f"127.0.0.1:{first.port}",))
            started = harness.run(*server.arguments, "-d")
            self.assertEqual(started.returncode, 1)
            self.assertIn("address in use", started.stderr)
            server.abandon()


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Privileges(unittest.TestCase):
    def test_workers_become_the_user_and_cannot_go_back(self):
        for arguments in ((), ("--single-process",)):
            with self.subTest(arguments), Server(
                    files={"a": b"hello"}, settings={"user": '"nobody"'},
                    arguments=arguments) as server:
                worker = server.worker_pid()
                self.assertEqual(status_field(worker, "Uid"), ["65534"] * 4)
                self.assertEqual(status_field(worker, "Gid"), ["65534"] * 4)
                self.assertNotIn("0", status_field(worker, "Groups"))
                self.assertEqual(status_field(worker, "NoNewPrivs"), ["1"])
                self.assertEqual(int(status_field(worker, "CapEff")[0], 16), 0)
                self.assertEqual(server.get("/a").body, b"hello")
                self.assertNotIn("as root", server.stderr)

    def test_root_without_a_user_is_one_warning_and_serves(self):
        with Server(settings={"workers": 2}) as server:
            self.assertEqual(server.stderr.count("workers run as root"), 1)
            self.assertEqual(server.get("/ping").body, b"pong")

    def test_unknown_user_ends_the_start(self):
        server = Server(settings={"user": '"no-such-user"'})
        server.start()
        self.assertEqual(server.await_exit(), 1)
        self.assertIn('user "no-such-user"', server.stderr)
        server.abandon()


class Logs(unittest.TestCase):
    COMBINED = (r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                r'"GET /a\?b HTTP/1\.1" 200 5 "http://r/" "agent \\x22\\x5C\\xC3\\xA9"$')
    FIELDS = {"Referer": "http://r/", "User-Agent": 'agent "\\\u00c3\u00a9'}

    def test_access_log_is_combined_on_standard_output(self):
        with Server(files={"a": b"hello"}, settings={"access_log": '"-"'}) as server:
            with server.client() as client:
                client.get("/a?b", fields=self.FIELDS)
            server.await_stdout(self.COMBINED)

    def test_access_log_as_json(self):
        with Server(files={"a": b"hello"}, settings={
                "access_log": '"access.log"', "access_log_format": "json"}) as server:
            with server.client() as client:
                client.get("/a?b", fields=self.FIELDS)
                client.get("/none")
            with server.client() as client:
                client.send(b"\x15\x03\x01 \xff\xfe\r\n\r\n")
                self.assertEqual(client.response().status, 400)
            log = server.directory / "access.log"
            lines = wait_until(lambda: log.read_text().count("\n") == 3 and
                               log.read_text().splitlines())
            entries = [json.loads(line) for line in lines]
            self.assertEqual([entry["status"] for entry in entries], [200, 404, 400])
            first = entries[0]
            self.assertRegex(first["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual(first["target"], "/a?b")
            self.assertEqual(first["method"], "GET")
            self.assertEqual(first["bytes"], 5)
            self.assertEqual(first["endpoint"], "static")
            self.assertEqual(first["user_agent"], 'agent "\\\u00e9')
            self.assertGreaterEqual(first["duration_ms"], 0)

    def test_quiet_means_no_access_log(self):
        with Server(files={"a": b"hello"}, settings={"access_log": '"-"'},
                    arguments=("-q",)) as server:
            server.get("/a")
            server.stop()
            self.assertEqual(server.stdout, "")

    def test_every_request_before_the_end_is_in_the_log(self):
        with Server(files={"a": b"hello"}, settings={"access_log": '"access.log"', "workers": 2}
                    ) as server:
            with server.client() as one, server.client() as other:
                for _ in range(200):
                    one.get("/a")
                    other.get("/a")
            server.stop()
            lines = (server.directory / "access.log").read_text().splitlines()
            self.assertEqual(len(lines), 400)
            for line in lines:
                self.assertRegex(
                    line, r'^127\.0\.0\.1 - - \[.+\] "GET /a HTTP/1\.1" 200 5 "-" "-"$')

    def test_error_log_in_a_file_names_what_was_not_found(self):
        with Server(settings={"error_log": '"error.log"'}) as server:
            server.get("/none")
            log = server.directory / "error.log"
            line = wait_until(lambda: log.exists() and log.read_text())
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info worker=1 .*none")
            self.assertNotIn("none", server.stderr)

    def test_log_that_cannot_be_opened_ends_the_start(self):
        server = Server(settings={"error_log": '"/proc/none/log"'})
        server.start()
        self.assertEqual(server.await_exit(), 1)
        self.assertIn('cannot open error_log "/proc/none/log"', server.stderr)
        server.abandon()

    def test_log_may_be_a_link_only_where_nobody_else_can_make_one(self):
        for mode, followed in ((0o755, True), (0o777, False), (0o775, False)):
            server = Server(settings={"access_log": '"logs/access.log"'})
            logs, target = server.directory / "logs", server.directory / "target"
            logs.mkdir()
            logs.chmod(mode)
            (logs / "access.log").symlink_to(target)
            with self.subTest(mode):
                if followed:
                    with server:
                        server.get("/ping")
                        wait_until(lambda: target.read_text().count("GET /ping") == 1)
                else:
                    server.start()
                    self.assertEqual(server.await_exit(), 1)
                    self.assertIn('cannot open access_log "', server.stderr)
                    self.assertFalse(target.exists())
            server.abandon()

    def test_full_log_costs_lines_not_service(self):
        """Beyond RLIMIT_FSIZE a write raises SIGXFSZ, which ends a process by default."""
        def limit_file_size():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * KIB, 2 * KIB))

        with Server(files={"a": b"hello"}, before_exec=limit_file_size, settings={
                "access_log": '"access.log"', "error_log": '"error.log"'}) as server:
            for _ in range(40):
                self.assertEqual(server.get("/a").body, b"hello")
            wait_until(lambda: server.stats()["counters"]["log_lines_dropped"] > 0)
            worker = server.worker_pid()
            for _ in range(100):  # until the supervisor's log is full as well
                server.send_signal(signal.SIGHUP)
                self.assertEqual(server.get("/a").body, b"hello")
            self.assertEqual(server.worker_pid(), worker)

    def test_reader_that_is_gone_stops_nobody(self):
        server = Server(files={"a": b"hello"}, settings={"access_log": '"fifo"'})
        os.mkfifo(server.directory / "fifo")
        reader = os.open(server.directory / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        with server:
            server.get("/a")
            os.close(reader)
            for _ in range(10):
                self.assertEqual(server.get("/a").body, b"hello")
            server.await_stderr("cannot write access_log: Broken pipe")
            self.assertEqual(server.stderr.count("cannot write access_log"), 1)

    def test_reader_that_does_not_read_costs_lines_not_service(self):
        server = Server(files={"a": b"hello"}, settings={
            "access_log": '"fifo"', "access_log_format": "json"})
        os.mkfifo(server.directory / "fifo")
        reader = os.open(server.directory / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        with server, server.client() as client:
            head = Client.head("GET", "/a?" + "x" * 4000, fields={
                "Referer": "x" * 1000, "User-Agent": "x" * 1000})
            for _ in range(40):  # 5 MB of lines
                client.send(head * 20)
                for _ in range(20):
                    self.assertEqual(client.response().body, b"hello")
            self.assertGreater(server.stats()["counters"]["log_lines_dropped"], 0)
        os.close(reader)
        self.assertRegex(server.stderr, r"warning worker=1 access_log: \d+ lines dropped")

    def test_burst_of_long_requests_hides_none_from_the_access_log(self):
        with Server(files={"a": b"hello"}, settings={"access_log": '"access.log"'}) as server:
            log = server.directory / "access.log"
            noise = Client.head("GET", "/a?" + "\\" * 4000, fields={
                "Referer": "\\" * 5000, "User-Agent": "\\" * 5000})
            with server.client() as client:
                for number in range(20):
                    client.send(noise * 10 + Client.head("GET", f"/a?chosen-{number}"))
                    for _ in range(11):
                        client.response()
            wait_until(lambda: log.read_text().count("/a?chosen-") == 20)
            self.assertEqual(log.read_text().count("\n"), 220)
            self.assertLess(max(map(len, log.read_text().splitlines())), 9 * KIB)


class Descriptors(unittest.TestCase):
    def test_few_descriptors_make_connections_wait_and_none_fail(self):
        with Server(files={"a": b"hello"}, before_exec=harness.limit_descriptors(64)) as server:
            server.await_stderr(r"warning 64 descriptors allow \d+ connections per worker")
            before = self.socket_count(server)
            for _ in range(3):
                clients = [server.client() for _ in range(100)]
                for client in clients:
                    client.send(Client.head("GET", "/a", {"Connection": "close"}))
                for client in clients:
                    self.assertEqual(client.response().body, b"hello")
                    client.close()
            wait_until(lambda: self.socket_count(server) == before)
            self.assertNotIn("accepting paused", server.stderr)

    def socket_count(self, server):
        return sum(name.startswith("socket:")
                   for name in harness.descriptors(server.worker_pid()).values())

    def test_connections_beyond_the_cap_wait_their_turn(self):
        with Server(sections="limits { connections = 4 }") as server:
            waiting = [server.client() for _ in range(20)]
            for client in waiting:
                client.send(Client.head("GET", "/ping"))
            while waiting:
                served = [waiting.pop(0) for _ in range(4)]
                for client in served:
                    self.assertEqual(client.response().body, b"pong")
                if waiting:
                    self.assertFalse(waiting[0].has_bytes_within(0.1))
                for client in served:
                    client.close()

    def test_start_that_lacks_descriptors_serves_or_says_why(self):
        outcomes = set()
        for limit in range(5, 15):
            server = Server(settings={"workers": 2}, before_exec=harness.limit_descriptors(limit))
            server.start()
            wait_until(lambda: server.process.poll() is not None or "ready:" in server.stderr)
            served = "ready:" in server.stderr
            server.stop() if served else server.await_exit()
            self.assertEqual(server.exit_code, 0 if served else 1, server.stderr)
            if not served:
                self.assertRegex(server.stderr, "Too many open files|EMFILE")
            server.assert_sound()
            server.abandon()
            outcomes.add(served)
        self.assertEqual(outcomes, {False, True})

    def test_soft_limit_is_raised_to_the_hard_one(self):
        with Server(before_exec=harness.limit_descriptors(64, 4096)) as server:
            limits = pathlib.Path(f"/proc/{server.worker_pid()}/limits").read_text()
            self.assertRegex(limits, r"Max open files\s+4096\s+4096")


if __name__ == "__main__":
    harness.main()

"""The course of the benchmark. scripts/bench builds what it needs and starts it.

All servers run at the same time, each on its own port, on the server's core; the load generator has
the other core. For each case the servers are measured in alternation, round after round, every
second round in reverse, so that disturbances fall on all of them. Several processes of each server
take turns, because one may be some percent faster than its twin as long as it lives. Cores do not
sleep meanwhile. A run during which the host of a virtual machine took CPU time is repeated, and
counts only if too few others do. A server that answers a case with a wrong status gets a remark
instead of a row; a run with an error is a remark too.
"""

import argparse
import datetime
import http.client
import os
import pathlib
import platform
import resource
import shutil
import sys
import tempfile
import time

import cases as what
import measure
import report
import servers as rows
import targets

TREE = pathlib.Path(__file__).resolve().parents[2]
CONGESTION_CONTROL = "cubic"
ALWAYS = {"ceiling", "ringlet", "ringlet-auto", "ringlet-epoll", "nginx", "lighttpd", "h2o"}
SLOW_COUNT = 1000
IDLE_COUNT_MAX = 10000
ROUNDS_OF_A_PROCESS = 5
REPEATING_SECONDS_MAX = 300


class Course:
    def __init__(self, options, idle_cores):
        self.options = options
        self.idle_cores = idle_cores
        self.runs = []
        self.notes = {}
        self.failed = False
        self.calm_runs = measure.CalmRuns(measure.measure)
        self.seconds = options.seconds or (0.5 if options.quick else 0.4)
        self.pairs = options.pairs or (3 if options.quick else 20)
        self.latency_pairs = max(3, self.pairs // 2)
        self.other_pairs = max(3, self.pairs // 4)
        known = rows.known_servers(options.build / "ringlet", options.build / "test/bench/ceiling")
        wanted = set(options.server) if options.server else ALWAYS | (
            {"caddy", "apache2"} if options.all else set())
        self.servers = [server for server in known if server.name in wanted]
        self.cases = [case for case in what.CASES
                      if (case.name in options.case if options.case
                          else case.is_quick or not options.quick)]

    def rounds(self, case):
        """The requested number where servers are compared closely; half as many, but longer ones,
        for latencies; otherwise a quarter."""
        if case.kind in ("schedule", "slow"):
            return range(self.latency_pairs)
        has_target = case.kind == "plain" and case.name in targets.CASES
        return range(self.pairs if has_target else self.other_pairs)

    # Its frame

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ringlet-bench-", dir="/var/tmp"))
        os.chmod(self.directory, 0o755)
        self.root = self.directory / "root"
        try:
            what.make_files(self.root, self.directory, self.cases + [
                other for case in self.cases for server in self.servers
                for other in self.other_cases(case, server)])
            self.load = measure.Load(self.options.build / "test/bench/load",
                                     self.options.cpus, self.directory, CONGESTION_CONTROL)
            for server in self.servers:
                if server.name != "ceiling":
                    self.start(server)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, server):
        server.start(self.directory / server.name, self.root, self.options.cpus[0],
                     CONGESTION_CONTROL)

    def restart(self, case, server):
        server.stop()
        if server.name == "ceiling":
            server.start_with(case.length, case.is_reopening, self.directory,
                              self.options.cpus[0], CONGESTION_CONTROL)
        else:
            self.start(server)

    def note(self, case, server):
        return self.notes.setdefault((case.name, server.name), {"remarks": []})

    def remark(self, case, server, text):
        self.note(case, server)["remarks"].append(text)
        print(f"    {server.name}: {text}", flush=True)

    def record(self, name, server, round_number, figures):
        self.runs.append({"case": name, "server": server.name, "round": round_number, **figures})

    def other_cases(self, case, server):
        return [what.BY_NAME[name] for name in targets.other_cases(case.name, server.name)]

    # How every case begins

    def answers(self, case, server):
        """Sends one request, so that a case that a server does not support is not a run full of
        errors."""
        path = case.path or (self.directory / case.paths).read_text().split("\n")[0]
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            client.request("HEAD", "/1k")
            first = client.getresponse()
            first.read()
            server.modified = first.getheader("Last-Modified", "")
            name, _, value = case.field.replace("@MODIFIED@", server.modified).partition(": ")
            client.request("GET" if case.length < what.MIB or case.field else "HEAD", path,
                           headers={name: value} if name else {})
            answer = client.getresponse()
            answer.read()
        finally:
            client.close()
        if answer.status != case.status:
            self.remark(case, server, f"answers {answer.status} where {case.status} is asked for")
        return answer.status == case.status

    def takers(self, case):
        """The servers that take part in a case, ready for it."""
        found = []
        for server in self.servers:
            if server.name == "ceiling":
                if case.has_ceiling:  # by_turns() starts it
                    found.append(server)
            elif self.answers(case, server):
                found.append(server)
        return found

    def run_once(self, case, server, round_number, seconds=None, options=(), name=None):
        # A warm-up does not count, and a cold cache is cold only once: neither is repeated.
        is_repeatable = round_number >= 0 and case.kind != "cold"
        make_run = self.calm_runs.measure if is_repeatable else measure.measure
        try:
            figures = make_run(self.load, server, case, seconds or self.seconds, options)
        except measure.LoadFailed as error:
            self.failed = True
            self.remark(case, server, f"FAILED: {error}")
            return
        if round_number >= 0:
            self.record(name or case.name, server, round_number, figures)

    def by_turns(self, case, takers, seconds=None, options=()):
        for i in self.rounds(case):
            if i % ROUNDS_OF_A_PROCESS == 0:
                for server in takers:
                    self.restart(case, server)
                    self.run_once(case, server, -1, 0.2, options)
            for server in takers if i % 2 == 0 else reversed(takers):
                self.run_once(case, server, i, seconds, options)
                for other in self.other_cases(case, server):
                    self.run_once(other, server, i, name=targets.name_beside(other.name, case.name))

    # The kinds of cases

    def plain(self, case):
        takers = self.takers(case)
        self.by_turns(case, takers)
        for server in takers:
            note = self.note(case, server)
            note["resident"] = measure.resident_bytes(server.pids())
            note["calls"], note["calls_by"] = measure.system_calls_per_request(
                self.load, server, case, 0.3)

    def schedule(self, case):
        """Open loop, at 80 % of what nginx (or else the first server) reaches. A run must be long
        enough for several pauses of the machine, each followed by a backlog: with one pause or
        none, the p99 is chance."""
        takers = self.takers(case)
        standard = next((server for server in takers if server.name == "nginx"), takers[0])
        rate = 0.8 * self.calm_runs.measure(self.load, standard, case,
                                            2 * self.seconds)["requests_per_second"]
        self.by_turns(case, takers, 5 * self.seconds, ("--rate", f"{rate:.0f}"))
        self.remark(case, standard, f"the schedule, for all: {rate:.0f} requests per second")

    def cold(self, case):
        for i in self.rounds(case):
            for server in self.takers(case):
                what.forget_pages(self.root)
                self.run_once(case, server, i, 60, ("--requests", what.COLD_COUNT))

    def slow(self, case):
        """Each round first measures the server alone, then beside the slow readers, when all their
        sockets are full and their memory no longer grows."""
        takers = self.takers(case)
        for i in self.rounds(case):
            for server in takers if i % 2 == 0 else reversed(takers):
                self.slow_once(case, server, i)
                measure.settle(server.pids())

    def holders(self, *arguments):
        return measure.Holders(
            self.options.build / "test/bench/holders", self.options.cpus[1], *arguments)

    def slow_once(self, case, server, round_number):
        pids = server.pids()
        alone = self.calm_runs.measure(self.load, server, case, 2 * self.seconds)
        before = measure.thread_count(pids), measure.resident_bytes(pids)
        with self.holders("slow", server.port, SLOW_COUNT, "/1g"):
            measure.settle(pids)
            there = measure.thread_count(pids), measure.resident_bytes(pids)
            beside = self.calm_runs.measure(self.load, server, case, 2 * self.seconds)
            after = measure.thread_count(pids), measure.resident_bytes(pids)
        self.record(case.name, server, round_number,
                    {**beside, "p99_to_alone": beside["p99_us"] / alone["p99_us"],
                     "stolen_share": max(alone["stolen_share"], beside["stolen_share"])})
        if round_number == 0:
            self.remark(case, server, f"p99 alone {alone['p99_us']:.0f} µs; threads {before[0]}, "
                        f"with them {there[0]} to {after[0]}; resident MB {before[1] / 1e6:.1f}, "
                        f"with them {there[1] / 1e6:.1f} to {after[1] / 1e6:.1f}")

    def idle(self, case):
        # Ringlet reserves two descriptors for each connection, a socket and a file, and some for
        # the files of its cache.
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        count = min(IDLE_COUNT_MAX, descriptors // 2 - 600)
        for server in self.takers(case):
            self.restart(case, server)  # no descriptor is left for connections
            pids = server.pids()
            measure.settle(pids)
            own, kernel = measure.anonymous_bytes(pids), measure.kernel_bytes()
            with self.holders("idle", server.port, count, case.path):
                measure.settle(pids)
                own = (measure.anonymous_bytes(pids) - own) / count
                kernel = (measure.kernel_bytes() - kernel) / count
            measure.settle(pids)
            self.record(case.name, server, 0, {"idle_bytes": own})
            self.remark(case, server, f"{count} idle connections: {own:.0f} bytes of its memory "
                        f"each, and {kernel:.0f} of the kernel's for both ends")

    def run(self):
        for case in self.cases:
            print(f"{case.name} ...", flush=True)
            self.calm_runs.seconds_left += REPEATING_SECONDS_MAX / len(self.cases)
            try:
                getattr(self, case.kind)(case)
            except measure.LoadFailed as error:
                self.failed = True
                print(f"    FAILED: {error}", flush=True)

    # The result

    def facts(self):
        calls = {note.get("calls_by") for note in self.notes.values()} - {None, "nothing"}
        return {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "kernel": platform.release(),
            "processor": _processor(),
            "cores": f"server on {self.options.cpus[0]}, load on {self.options.cpus[1]}",
            "idle cores": self.idle_cores,
            "congestion control": CONGESTION_CONTROL,
            "rounds": f"{self.pairs} of {self.seconds:g} s where targets compare servers, "
                      f"of latencies {self.latency_pairs} longer ones, "
                      f"elsewhere {self.other_pairs}",
            "processes": f"a new one of each server for every {ROUNDS_OF_A_PROCESS} rounds",
            "the host": str(self.calm_runs),
            "system calls counted by": ", ".join(sorted(calls)) or "nothing",
            "load average before and after": f"{self.load_before:.1f}, {os.getloadavg()[0]:.1f}",
            "servers": ", ".join(f"{server.name} {server.version()}" for server in self.servers),
        }

    def write(self):
        names = [server.name for server in self.servers]
        facts = self.facts()
        text = report.markdown(
            self.runs, self.notes, self.cases, names, facts, targets.table(self.runs))
        folder = TREE / "docs/benchmarks" if self.options.record else self.options.build
        folder.mkdir(exist_ok=True)
        stem = folder / ("benchmark-" + facts["date"][:10])
        report.write_raw(stem.with_suffix(".jsonl"), self.runs, self.notes, facts)
        for title, name in report.write_plots(stem, self.runs, self.cases, names):
            text += f"\n![{title}]({name})\n"
        stem.with_suffix(".md").write_text(text)
        print("\n" + text)
        print(f"written: {stem}.md, .jsonl")


def _processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--case", action="append", choices=[case.name for case in what.CASES])
    parser.add_argument("--server", action="append",
                        choices=[server.name for server in rows.known_servers("", "")])
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--cpus", type=lambda text: [int(cpu) for cpu in text.split(",")])
    options = parser.parse_args()
    options.cpus = options.cpus or sorted(os.sched_getaffinity(0))[:2]
    if len(options.cpus) != 2:
        parser.error("two cores are needed: one for the server, one for the load")
    return options


def main():
    options = parse()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    begin = time.monotonic()
    with measure.awake_cores() as idle_cores, Course(options, idle_cores) as course:
        course.load_before = os.getloadavg()[0]
        course.run()
        course.write()
    print(f"{time.monotonic() - begin:.0f} s")
    sys.exit(1 if course.failed else 0)


if __name__ == "__main__":
    main()

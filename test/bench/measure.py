"""One run: the load generator against a server, the CPU time that the server spent, and the time
that the host took.

CPU time comes from the process's clock, in nanoseconds. utime + stime of proc_pid_stat(5) are the
same, but in ticks of 10 ms, which are 2.5 % of a run. It includes all threads, also the kernel's
threads for the ring and threads that ended, and is summed over all processes of a server. Nothing
else runs on the server's core, and an idle server takes no time. On a virtual machine it also
includes the time that the host gave to others, which proc_stat(5) reports as `steal`.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


class LoadFailed(RuntimeError):
    """The run had errors: its figures mean nothing."""


def cpu_seconds(pids):
    return sum(time.clock_gettime(_clock_of(pid)) for pid in pids)


def _clock_of(pid):
    """The clock id that clock_getcpuclockid(3) makes: CPUCLOCK_SCHED of the whole process."""
    return ~pid << 3 | 2


def stolen_seconds(cpus):
    """The stolen time of each of these cores, since the machine was started."""
    ticks = {fields[0]: int(fields[8]) for line in pathlib.Path("/proc/stat").open()
             if (fields := line.split()) and fields[0].startswith("cpu")}
    return [ticks[f"cpu{cpu}"] / TICKS for cpu in cpus]


def _sum_of(pids, file, key):
    total = 0
    for pid in pids:
        match = re.search(rf"^{key}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/{file}").read_text(),
                          re.MULTILINE)
        total += int(match[1]) * 1024 if match else 0
    return total


def resident_bytes(pids):
    """Pss: pages that processes share are counted once."""
    return _sum_of(pids, "smaps_rollup", "Pss")


def anonymous_bytes(pids):
    return _sum_of(pids, "status", "RssAnon")


def thread_count(pids):
    return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids)


def kernel_bytes():
    """All memory that the kernel uses for itself, including socket buffers."""
    text = pathlib.Path("/proc/meminfo").read_text()
    return sum(int(re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)[1]) * 1024
               for key in ("SUnreclaim", "KernelStack", "PageTables"))


class Load:
    """Runs the load generator on the second core; the servers are on the first."""

    def __init__(self, program, cpus, directory, congestion_control):
        self.program = program
        self.congestion_control = congestion_control
        self.cpus = cpus
        self.directory = directory

    def command(self, server, case, seconds, options):
        command = [self.program, "--port", server.port, "--connections", case.connections,
                   "--seconds", seconds, "--depth", case.depth,
                   "--congestion", self.congestion_control, *options]
        if case.is_reopening:
            command.append("--reopen")
        if server.name != "ceiling":
            command += ["--status", case.status]
            if case.field:
                command += ["--field", case.field.replace("@MODIFIED@", server.modified)]
        if case.paths:
            command += ["--paths", self.directory / case.paths]
        else:
            command.append(case.path)
        return [str(word) for word in command]

    def result_of(self, server, case, done):
        try:
            result = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise LoadFailed(f"{server.name}, {case.name}: {done.stderr}") from error
        if result["error_count"]:
            raise LoadFailed(f"{server.name}, {case.name}: {result['errors']}")
        if result["body_bytes"] < result["requests"] * case.length:
            raise LoadFailed(f"{server.name}, {case.name}: bodies are not of {case.length} bytes")
        return result

    def run(self, server, case, seconds, options=(), prefix=()):
        done = subprocess.run(
            [*prefix, *self.command(server, case, seconds, options)], capture_output=True,
            text=True, timeout=seconds + 60,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.cpus[1]}))
        return self.result_of(server, case, done)


def measure(load, server, case, seconds, options=()):
    """The figures of one run."""
    pids = server.pids()
    stolen = stolen_seconds(load.cpus)
    before = cpu_seconds(pids)
    result = load.run(server, case, seconds, options)
    cpu = cpu_seconds(pids) - before
    stolen = [after - at for at, after in zip(stolen, stolen_seconds(load.cpus))]
    gigabytes = result["body_bytes"] / 1e9
    return {
        "seconds": result["seconds"],
        "stolen_share": max(stolen) / result["seconds"],
        "requests": result["requests"],
        "errors": result["error_count"],
        "requests_per_second": result["requests_per_second"],
        "gigabytes_per_second": gigabytes / result["seconds"],
        "cpu_share": cpu / result["seconds"],
        "cpu_us_per_request": cpu * 1e6 / result["requests"] if result["requests"] else None,
        "cpu_seconds_per_gigabyte": cpu / gigabytes if gigabytes > 0.001 else None,
        "unsent": result["unsent"],
        **{f"{name}_us": value for name, value in result["latency_us"].items()},
    }


@contextlib.contextmanager
def awake_cores(path="/dev/cpu_dma_latency"):
    """While the block runs, idle cores spin instead of sleeping, by the kernel's PM QoS
    (Documentation/power/pm_qos_interface.rst). The host of a virtual machine gives a sleeping core
    to others, and waking it takes the host's time, which is charged to the process that waits and
    to the one that wakes it. Yields what idle cores do: without permission they sleep, and the text
    says why."""
    with contextlib.ExitStack() as held:
        try:
            request = held.enter_context(open(path, "wb", buffering=0))
            request.write(struct.pack("i", 0))  # microseconds that a wake-up may take
            manner = "spin (PM QoS)"
        except OSError as error:
            manner = f"sleep ({error})"
        yield manner


# One tick in a run of 0.4 s is 0.025. A host that others use takes up to 0.3 for seconds at a time,
# and runs then take up to five times as long.
DISTURBED_SHARE = 0.03
TRIES_MAX = 8


class CalmRuns:
    """Calls `make_run`, like measure() above. If the host took much of a core meanwhile, it tries
    again after a pause, as long as `seconds_left` allows. The least disturbed run counts, whatever
    its figures."""

    def __init__(self, make_run, pause=0.5):
        self.make_run = make_run
        self.seconds_left = 0.0
        self.pause = pause
        self.count = self.disturbed_count = self.calmed_count = 0

    def measure(self, *arguments):
        runs = [self.make_run(*arguments)]
        while (is_disturbed(runs[-1]["stolen_share"]) and len(runs) < TRIES_MAX
               and self.seconds_left > 0):
            self.seconds_left -= runs[-1]["seconds"] + self.pause
            time.sleep(self.pause)
            runs.append(self.make_run(*arguments))
        calmest = min(runs, key=lambda run: run["stolen_share"])
        self.count += 1
        was_disturbed = is_disturbed(runs[0]["stolen_share"])
        self.disturbed_count += was_disturbed
        self.calmed_count += was_disturbed and not is_disturbed(calmest["stolen_share"])
        return calmest

    def __str__(self):
        return (f"took more than {DISTURBED_SHARE:.0%} of a core away in {self.disturbed_count} of "
                f"{self.count} runs; {self.calmed_count} of them were made again without that, of "
                "the others as few count as make up half of a case's rounds")


def is_disturbed(stolen_share):
    return stolen_share > DISTURBED_SHARE


# --- system calls -----------------------------------------------------------------------------


def _calls_by_perf(load, server, case, seconds):
    counts = load.directory / "perf"
    pids = ",".join(map(str, server.pids()))
    result = load.run(server, case, seconds, prefix=(
        "perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o", str(counts), "-p", pids,
        "--"))
    match = re.search(r"^(\d+),,raw_syscalls:sys_enter", counts.read_text(), re.MULTILINE)
    return int(match[1]), result["requests"]


def _calls_by_strace(load, server, case, seconds):
    counts = load.directory / "strace"
    attached = [word for pid in server.pids() for word in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-c", "-f", "-o", str(counts), *attached],
                              stderr=subprocess.PIPE, text=True)
    for _ in server.pids():
        tracer.stderr.readline()  # "Process N attached"
    try:
        result = load.run(server, case, seconds)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)
    match = re.search(r"^100\.00\s+\S+\s+\S+\s+(\d+)", counts.read_text(), re.MULTILINE)
    return int(match[1]), result["requests"]


def system_calls_per_request(load, server, case, seconds):
    """A separate run, because counting slows the server down; returns also what counted."""
    for name, count in (("perf", _calls_by_perf), ("strace", _calls_by_strace)):
        if not shutil.which(name):
            continue
        try:
            calls, requests = count(load, server, case, seconds)
        except (LoadFailed, OSError, TypeError, subprocess.SubprocessError):
            continue
        if requests:
            return calls / requests, name
    return None, "nothing"


# --- connections that are merely held ---------------------------------------------------------


class Holders:
    """Connections that the program of that name holds while the block runs. It runs only when the
    load generator on the same core is idle, so that the latencies are the server's, not its own."""

    def __init__(self, program, cpu, *arguments):
        self.command = [str(program), *map(str, arguments)]
        self.cpu = cpu

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=self.give_way)
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise LoadFailed("the connections could not be made")
        return self

    def give_way(self):
        os.sched_setaffinity(0, {self.cpu})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def settle(pids, seconds=3.0):
    """Waits until the server takes almost no time, a thousandth of a core: then everything that was
    begun has ended."""
    deadline = time.monotonic() + seconds
    before = -1.0
    while time.monotonic() < deadline and (taken := cpu_seconds(pids)) - before > 0.0002:
        before = taken
        time.sleep(0.2)

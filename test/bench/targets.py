"""The targets of Ringlet, as ratios within one run, and which of them it reached.

A target compares a figure of one server with the same figure of another server in the same case;
with `other_case`, with its own figure in that case, measured in the same rounds; without both, with
a fixed bound. The median decides, and the interval shows how certain that is.
"""

import dataclasses

import report

CPU_REQUEST = "cpu_us_per_request"
CPU_BYTE = "cpu_seconds_per_gigabyte"
BYTES_SECOND = "gigabytes_per_second"
P99 = "p99_us"
P99_TO_ALONE = "p99_to_alone"
IDLE_BYTES = "idle_bytes"

TITLES = {
    CPU_REQUEST: "CPU per request",
    CPU_BYTE: "CPU per byte",
    BYTES_SECOND: "bytes per second",
    P99: "p99",
    P99_TO_ALONE: "p99 beside them : p99 alone",
    IDLE_BYTES: "bytes of memory each",
}


@dataclasses.dataclass(frozen=True)
class Target:
    case: str
    server: str
    key: str
    limit: float
    other: str = ""
    other_case: str = ""
    is_at_least: bool = False

    def is_met(self, value):
        return value >= self.limit if self.is_at_least else value <= self.limit

    def title(self):
        sign = "≥" if self.is_at_least else "≤"
        if not self.other:
            return f"{TITLES[self.key]} {sign} {self.limit:g}"
        than = f"the case {self.other_case}" if self.other_case else self.other
        return f"{TITLES[self.key]} {sign} {self.limit:.2f} × {than}"


def _small_files():
    for case in ("ping", "1k", "16k"):
        yield Target(case, "ringlet", CPU_REQUEST, 1.15, "ceiling")
        yield Target(case, "ringlet", CPU_REQUEST, 0.60, "nginx")
        yield Target(case, "ringlet", CPU_REQUEST, 0.80, "h2o")
        yield Target(case, "ringlet", CPU_REQUEST, 0.80, "lighttpd")
    yield Target("100k", "ringlet-auto", CPU_REQUEST, 0.80, "nginx")


def _large_files():
    for case in ("1m", "1m-1", "100m", "100m-1", "1g", "1g-1"):
        yield Target(case, "ringlet-auto", CPU_BYTE, 1.05, "nginx")
        yield Target(case, "ringlet-auto", BYTES_SECOND, 0.95, "nginx", is_at_least=True)
        yield Target(case, "ringlet", CPU_BYTE, 1.25, "nginx")


def _the_rest():
    yield Target("dynamic-100k", "ringlet", CPU_REQUEST, 1.8, "ringlet", other_case="100k")
    yield Target("dynamic-1m", "ringlet", CPU_REQUEST, 2.1, "ringlet", other_case="1m")
    yield Target("dynamic-100k", "ringlet", CPU_REQUEST, 1.0, "nginx")
    yield Target("dynamic-1m", "ringlet", CPU_BYTE, 1.0, "nginx")
    yield Target("connection-each", "ringlet", CPU_REQUEST, 0.80, "nginx")
    yield Target("connection-each", "ringlet", CPU_REQUEST, 0.95, "h2o")
    yield Target("pipelined-16", "ringlet", CPU_REQUEST, 0.40, "h2o")
    yield Target("304", "ringlet", CPU_REQUEST, 1.0, "ringlet", other_case="1k")
    yield Target("404", "ringlet", CPU_REQUEST, 1.0, "ringlet", other_case="1k")
    yield Target("schedule", "ringlet", P99, 0.5, "nginx")
    yield Target("slow-readers", "ringlet", P99_TO_ALONE, 2.0)
    yield Target("idle", "ringlet", IDLE_BYTES, 400)
    for case in ("ping", "1k", "16k", "100k"):
        yield Target(case, "ringlet-epoll", CPU_REQUEST, 1.15, "ringlet")


TARGETS = [*_small_files(), *_large_files(), *_the_rest()]
CASES = {target.case for target in TARGETS}


def other_cases(case, server):
    """What must also be measured beside a case, for this server."""
    return sorted({target.other_case for target in TARGETS
                   if (target.case, target.other) == (case, server) and target.other_case})


def name_beside(other_case, case):
    """The name under which runs of one beside the other are stored."""
    return f"{other_case} beside {case}"


def reached(target, runs):
    """The ratio or figure and its interval, or None if something was not measured."""
    if not target.other:
        values = report.values_of(runs, target.case, target.server, target.key)
        return report.interval(values) if values else None
    beside = name_beside(target.other_case, target.case) if target.other_case else None
    return report.ratio(runs, target.case, target.server, target.other, target.key, beside)


def table(runs):
    """Markdown lines for the targets whose cases were measured; none if there are none."""
    rows = []
    met_count = 0
    for target in TARGETS:
        if not (found := reached(target, runs)):
            continue
        is_met = target.is_met(found[0])
        met_count += is_met
        rows.append(f"| {target.case} | {target.server} | {target.title()} | "
                    f"{report.ratio_text(found)} | {'yes' if is_met else '**no**'} |")
    if not rows:
        return []
    return ["## Targets", "", f"{met_count} of {len(rows)} reached.", "",
            "| case | row | target | measured | reached |", "|---|---|---|---|---|", *rows, ""]

"""From runs to a table: medians, confidence intervals, ratios, a plot.

Intervals are 95 %, by bootstrap with a fixed seed, so that the same data always give the same
table. A ratio is computed per round, between runs that followed each other, so that a machine that
is slow for a while is slow for both. Only rounds that the host did not disturb count (measure.py),
whatever their figures.
"""

import json
import random
import shutil
import statistics
import subprocess

import measure

RESAMPLES = 1000


def interval(values):
    """The median and the bounds of its confidence interval."""
    middle = statistics.median(values)
    if len(values) < 3:
        return middle, min(values), max(values)
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values)))
                     for _ in range(RESAMPLES))
    return middle, medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975) - 1]


def undisturbed(pairs):
    """The values that count, from pairs of value and stolen share: those with little stolen, if
    they are at least half of all; otherwise the least disturbed half."""
    pairs = sorted(pairs, key=lambda pair: pair[1])
    calm_count = sum(not measure.is_disturbed(share) for _, share in pairs)
    return [value for value, _ in pairs[:max(calm_count, (len(pairs) + 1) // 2)]]


def _by_round(runs, case, server, key):
    """Pairs of value and stolen share, without rounds that have no value."""
    return {run["round"]: (run[key], run.get("stolen_share", 0)) for run in runs
            if run["case"] == case and run["server"] == server and run.get(key) is not None}


def values_of(runs, case, server, key):
    return undisturbed(_by_round(runs, case, server, key).values())


def ratio(runs, case, server, other, key, other_case=None):
    """The median of server / other over the rounds, and its interval, or None. With `other_case`,
    the other figure comes from that case."""
    above = _by_round(runs, case, server, key)
    below = _by_round(runs, other_case or case, other, key)
    quotients = undisturbed(
        (value / below[i][0], max(share, below[i][1])) for i, (value, share) in above.items()
        if i in below and below[i][0])
    return interval(quotients) if quotients else None


def number(value, digits=3):
    if value is None:
        return "–"
    if value >= 10 ** digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def with_interval(values):
    if not values:
        return "–"
    middle, low, high = interval(values)
    return f"{number(middle)} ({number(low)}–{number(high)})"


def ratio_text(found):
    return "–" if not found else f"{found[0]:.2f} ({found[1]:.2f}–{found[2]:.2f})"


COLUMNS = [
    ("requests/s", "requests_per_second"),
    ("GB/s", "gigabytes_per_second"),
    ("CPU µs/request", "cpu_us_per_request"),
    ("CPU s/GB", "cpu_seconds_per_gigabyte"),
    ("p50 µs", "p50_us"),
    ("p99 µs", "p99_us"),
    ("p99.9 µs", "p999_us"),
]


COMPARED = ("nginx", "lighttpd", "h2o", "ceiling")


def case_table(runs, notes, case, servers):
    """Markdown lines for a case. A missing measurement gets a remark."""
    key = "cpu_seconds_per_gigabyte" if case.is_large else "cpu_us_per_request"
    unit = "byte" if case.is_large else "request"
    head = ["server", *(title for title, _ in COLUMNS), "calls/request", "resident MB",
            f"CPU/{unit} : {COMPARED[0]}", *(f": {other}" for other in COMPARED[1:])]
    measured = {run["server"] for run in runs if run["case"] == case.name and "requests" in run}
    yield f"### {case.name}"
    yield ""
    if measured:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
    for server in servers:
        note = notes.get((case.name, server), {})
        if server not in measured:
            continue
        cells = [server]
        cells += [with_interval(values_of(runs, case.name, server, name)) for _, name in COLUMNS]
        cells.append(number(note.get("calls")))
        cells.append(number(note["resident"] / 1e6 if "resident" in note else None))
        cells += [ratio_text(ratio(runs, case.name, server, other, key))
                  for other in COMPARED]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    for server in servers:
        for remark in notes.get((case.name, server), {}).get("remarks", []):
            yield f"- {server}: {remark}"
    yield ""


def markdown(runs, notes, cases, servers, facts, targets):
    """The whole document; `targets` are Markdown lines (targets.py)."""
    lines = ["# Benchmark", "",
             "Made by `scripts/bench`; `docs/performance.md` describes the method. "
             "Medians and 95 % intervals.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", *targets, "## Cases", ""]
    for case in cases:
        lines += case_table(runs, notes, case, servers)
    return "\n".join(lines).rstrip("\n") + "\n"


def write_raw(path, runs, notes, facts):
    with open(path, "w", encoding="utf-8") as file:
        print(json.dumps({"facts": facts}), file=file)
        for run in runs:
            print(json.dumps(run), file=file)
        for (case, server), note in notes.items():
            print(json.dumps({"case": case, "server": server, "note": note}), file=file)


def _plot(path, runs, cases, servers, key, title):
    """A group of bars for a case. Returns whether there is something to draw."""
    cases = [case for case in cases
             if any(values_of(runs, case.name, server, key) for server in servers)]
    servers = [server for server in servers
               if any(values_of(runs, case.name, server, key) for case in cases)]
    if not cases:
        return False
    lines = ["$figures << END", "case " + " ".join(f'"{server}"' for server in servers)]
    for case in cases:
        cells = [values_of(runs, case.name, server, key) for server in servers]
        lines.append(f'"{case.name}" ' + " ".join(
            f"{statistics.median(values):.4f}" if values else "-" for values in cells))
    lines += ["END", f'set terminal svg size {240 + 110 * len(cases)},420 font "sans,12" '
              'background "white"',
              f'set output "{path}"', "set style data histogram",
              "set style histogram cluster gap 1", "set style fill solid 0.8 noborder",
              'set datafile missing "-"', f'set ylabel "{title}"',
              "set grid ytics", "set yrange [0:*]", "set key outside right noenhanced",
              f"plot for [i=2:{len(servers) + 1}] $figures using i:xtic(1) title columnheader(i)"]
    subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True, check=True, timeout=60)
    drawn = path.read_text().splitlines()  # gnuplot writes blanks at the ends of lines
    path.write_text("\n".join(line.rstrip() for line in drawn).rstrip("\n") + "\n")
    return True


# Longer bars would make the bars of the compared servers too short to see.
PLOTTED = {"ping", "1k", "16k", "100k", "connection-each", "pipelined-16", "304", "404", "range",
           "1000-files"}


def write_plots(stem, runs, cases, servers):
    """Yields the title and file name of each plot; none without gnuplot."""
    if not shutil.which("gnuplot"):
        return
    plots = [
        ("small", "CPU time per request, µs", "cpu_us_per_request",
         [case for case in cases if case.name in PLOTTED]),
        ("large", "CPU seconds per GB", "cpu_seconds_per_gigabyte",
         [case for case in cases if case.is_large and case.kind == "plain" and not case.field]),
    ]
    for name, title, key, chosen in plots:
        path = stem.with_name(f"{stem.name}-{name}.svg")
        if _plot(path, runs, chosen, servers, key, title):
            yield title, path.name

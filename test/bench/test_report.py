"""From runs to a table: scripts/bench draws the right conclusions from figures."""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import cases  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402
import tap_runner  # noqa: E402


def runs_of(case, server, values, key=targets.CPU_REQUEST):
    return [{"case": case, "server": server, "round": i, key: value}
            for i, value in enumerate(values)]


class Report(unittest.TestCase):
    def test_a_median_stands_within_its_interval(self):
        middle, low, high = report.interval([5, 1, 4, 2, 3])
        self.assertEqual(middle, 3)
        self.assertLessEqual(low, middle)
        self.assertGreaterEqual(high, middle)
        self.assertEqual(report.interval([5, 1, 4, 2, 3]), (middle, low, high))

    def test_ratios_pair_the_runs_of_one_round(self):
        runs = runs_of("1k", "ringlet", [1, 10, 100]) + runs_of("1k", "nginx", [2, 20, 200])
        self.assertEqual(report.ratio(runs, "1k", "ringlet", "nginx", targets.CPU_REQUEST),
                         (0.5, 0.5, 0.5))

    def test_a_round_that_failed_for_one_server_is_left_out(self):
        runs = runs_of("1k", "ringlet", [1, 9]) + runs_of("1k", "nginx", [2, None])
        self.assertEqual(report.ratio(runs, "1k", "ringlet", "nginx", targets.CPU_REQUEST)[0], 0.5)

    def test_without_the_other_server_there_is_no_ratio(self):
        runs = runs_of("1k", "ringlet", [1])
        self.assertIsNone(report.ratio(runs, "1k", "ringlet", "nginx", targets.CPU_REQUEST))


class Undisturbed(unittest.TestCase):
    def test_what_the_host_disturbed_does_not_count(self):
        self.assertEqual(report.undisturbed([(1, 0), (9, 0.04), (2, 0.03), (3, 0.01)]), [1, 3, 2])

    def test_half_counts_even_if_it_was_disturbed(self):
        self.assertEqual(report.undisturbed([(1, 0.5), (2, 0), (3, 0.2)]), [2, 3])
        self.assertEqual(report.undisturbed([(1, 0.5), (2, 0.1), (3, 0.2), (4, 0.3)]), [2, 3])
        self.assertEqual(report.undisturbed([(1, 0.5)]), [1])
        self.assertEqual(report.undisturbed([]), [])

    def test_a_pair_is_as_disturbed_as_the_worse_of_the_two(self):
        runs = runs_of("1k", "ringlet", [1, 8, 1]) + runs_of("1k", "nginx", [2, 1, 2])
        runs[4]["stolen_share"] = 0.5
        self.assertEqual(report.ratio(runs, "1k", "ringlet", "nginx", targets.CPU_REQUEST),
                         (0.5, 0.5, 0.5))

    def test_the_share_is_that_of_the_bound(self):
        self.assertFalse(measure.is_disturbed(measure.DISTURBED_SHARE))
        self.assertTrue(measure.is_disturbed(measure.DISTURBED_SHARE + 0.001))


class Calm(unittest.TestCase):
    def measure(self, shares, seconds=100):
        """Which of the runs with these stolen shares count, and how many were made."""
        made = []

        def make_run(case):
            made.append({"case": case, "seconds": 1, "stolen_share": shares[len(made)]})
            return made[-1]

        self.runs = measure.CalmRuns(make_run, pause=0)
        self.runs.seconds_left = seconds
        return self.runs.measure("1k")["stolen_share"], len(made)

    def test_a_calm_run_counts_at_once(self):
        self.assertEqual(self.measure([0.01, 0]), (0.01, 1))
        self.assertIn(" in 0 of 1 runs", str(self.runs))

    def test_a_disturbed_run_is_made_again(self):
        self.assertEqual(self.measure([0.3, 0.2, 0.02, 0]), (0.02, 3))
        self.assertIn(" in 1 of 1 runs; 1 of them", str(self.runs))

    def test_of_none_but_disturbed_runs_the_least_disturbed_counts(self):
        self.assertEqual(self.measure([0.3, 0.1] + [0.2] * 20), (0.1, measure.TRIES_MAX))
        self.assertIn(" in 1 of 1 runs; 0 of them", str(self.runs))

    def test_not_more_than_the_time_given_is_spent(self):
        self.assertEqual(self.measure([0.3] * 20, seconds=3), (0.3, 4))

    def test_stolen_time_is_told_of_each_core(self):
        cpus = sorted(os.sched_getaffinity(0))
        stolen = measure.stolen_seconds(cpus)
        self.assertEqual(len(stolen), len(cpus))
        self.assertGreaterEqual(min(stolen), 0)


class CpuTime(unittest.TestCase):
    def test_it_holds_all_of_a_process_also_threads_that_ended(self):
        thread = threading.Thread(target=lambda: sum(range(1000000)))
        thread.start()
        thread.join()
        before = time.process_time()
        told = measure.cpu_seconds([os.getpid()])
        self.assertGreaterEqual(told, before)
        self.assertLessEqual(told, time.process_time())

    def test_several_processes_are_added_up(self):
        own = os.getpid()
        with subprocess.Popen([sys.executable, "-c", "print(); input()"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as other:
            other.stdout.readline()
            sum_of_each = measure.cpu_seconds([own]) + measure.cpu_seconds([other.pid])
            self.assertGreaterEqual(measure.cpu_seconds([own, other.pid]), sum_of_each)
            self.assertGreater(measure.cpu_seconds([other.pid]), 0.001)
            other.stdin.write(b"\n")


class Awake(unittest.TestCase):
    @staticmethod
    def open_count(path):
        return sum(os.path.realpath(f"/proc/self/fd/{fd}") == path
                   for fd in os.listdir("/proc/self/fd"))

    def test_no_microsecond_is_asked_for_as_long_as_the_block_lasts(self):
        with tempfile.NamedTemporaryFile() as device:
            path = os.path.realpath(device.name)
            with measure.awake_cores(device.name) as manner:
                self.assertEqual(device.read(), bytes(4))
                self.assertEqual(manner, "spin (PM QoS)")
                self.assertEqual(self.open_count(path), 2)
            self.assertEqual(self.open_count(path), 1)

    def test_a_refusal_is_told_and_ends_nothing(self):
        with measure.awake_cores("/nowhere/cpu_dma_latency") as manner:
            self.assertIn("No such file", manner)


class Targets(unittest.TestCase):
    def test_every_target_names_cases_that_are_measured(self):
        known = {case.name for case in cases.CASES}
        for target in targets.TARGETS:
            self.assertIn(target.case, known)
            self.assertIn(target.other_case or target.case, known)

    def test_a_target_is_missed_by_what_is_above_it(self):
        runs = runs_of("1k", "ringlet", [0.61] * 3) + runs_of("1k", "nginx", [1] * 3)
        table = "\n".join(targets.table(runs))
        self.assertIn("0 of 1 reached", table)
        self.assertIn("| 1k | ringlet | CPU per request ≤ 0.60 × nginx | 0.61 (0.61–0.61) "
                      "| **no** |", table)

    def test_a_target_is_reached_by_what_equals_it(self):
        runs = runs_of("1k", "ringlet", [0.5] * 3) + runs_of("1k", "nginx", [1] * 3)
        self.assertIn("1 of 1 reached", "\n".join(targets.table(runs)))

    def test_more_bytes_are_better(self):
        runs = (runs_of("1g", "ringlet-auto", [2] * 3, targets.BYTES_SECOND)
                + runs_of("1g", "nginx", [1] * 3, targets.BYTES_SECOND))
        self.assertIn("1 of 1 reached", "\n".join(targets.table(runs)))

    def test_a_case_may_be_held_against_another(self):
        runs = runs_of("404", "ringlet", [3] * 3) + runs_of("1k beside 404", "ringlet", [2] * 3)
        self.assertIn("| 404 | ringlet | CPU per request ≤ 1.00 × the case 1k | 1.50 (1.50–1.50) "
                      "| **no** |", "\n".join(targets.table(runs)))

    def test_a_case_is_held_against_what_was_measured_beside_it(self):
        runs = runs_of("404", "ringlet", [3]) + runs_of("1k", "ringlet", [2])
        self.assertEqual(targets.table(runs), [])
        self.assertEqual(targets.other_cases("404", "ringlet"), ["1k"])
        self.assertEqual(targets.other_cases("404", "nginx"), [])

    def test_a_bound_needs_no_other(self):
        runs = runs_of("idle", "ringlet", [401], targets.IDLE_BYTES)
        self.assertIn("| idle | ringlet | bytes of memory each ≤ 400 | 401.00 (401.00–401.00) "
                      "| **no** |", "\n".join(targets.table(runs)))

    def test_without_figures_nothing_is_claimed(self):
        self.assertEqual(targets.table([]), [])


if __name__ == "__main__":
    tap_runner.main()

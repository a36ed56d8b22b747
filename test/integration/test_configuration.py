"""The configuration file and the command line, from outside: messages, lines, exit codes, -T.

Each mistake is one line changed in a file that is right, so that the message can only be about that
line."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402

DOCS = harness.TREE / "docs"

# The file that the first description of Ringlet shows.
SAMPLE = """\
listen "127.0.0.1:8080" {}     # repeatable; "[::1]:8080", "unix:path"; port 0: any free one
workers     = 0                         # 0, the default: one per CPU
backend     = auto
keep_alive  = yes
error_log   = "stderr"
log_level   = info                      # debug | info | warning | error
access_log  = "-"                       # "-": stdout; "": off; otherwise a file
access_log_format = combined            # combined | json
limits   { header_bytes = 16K  body_bytes = 1M  connections = 10000  keep_alive_requests = 10000 }
timeouts { header = 10s  body = 30s  idle = 75s  send = 60s  drain = 5s }
site "*" {                              # "*": any host; or "example.com"
  root  = "../www"                      # relative to the configuration file
  index = {"index.html"}
  location "/"         { endpoint = "static" }
  location "/dynamic/" { endpoint = "dynamic" }   # the file is root + path
  location "/ping"     { endpoint = "ping" }
}
"""


def run(*arguments, directory=None, environment=None):
    return subprocess.run([harness.BINARY, *map(str, arguments)], cwd=directory, text=True,
                          env={**os.environ, **(environment or {})}, capture_output=True,
                          timeout=harness.SECONDS, stdin=subprocess.DEVNULL, errors="replace")


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ringlet-")
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name).resolve()
        self.root = self.tree / "www"
        self.root.mkdir()
        (self.tree / "etc").mkdir()
        self.path = self.tree / "etc" / "ringlet.conf"

    def write(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.path.write_bytes(data)

    def load(self, text, option="-t", **options):
        self.write(text)
        result = run("-c", self.path, option, **options)
        self.assertNotRegex(result.stderr, harness.SIGNS_OF_A_BUG)
        return result

    def assert_loads(self, text, **options):
        result = self.load(text, **options)
        self.assertEqual((result.returncode, result.stderr), (0, ""), text)
        self.assertEqual(result.stdout, f"{self.path}: ok\n")

    def assert_refused(self, text, line, *patterns, more=False, **options):
        """Exit code 1 and one complaint (`more`: at least one): FILE:LINE:COLUMN, what is wrong and
        what is expected, then the line itself and a caret below its column."""
        result = self.load(text, **options)
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(result.stdout, "")
        first, *rest = result.stderr.split("\n")
        prefix, message = first.split(": ", 1)
        place = prefix.removeprefix(f"{self.path}:").split(":")
        self.assertEqual(place[0], str(line), result.stderr)
        for pattern in (*patterns, r"\bexpected \S"):
            self.assertRegex(message, pattern)
        if isinstance(text, str) and text:
            self.assertEqual(rest[0], re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "?",
                                             text.split("\n")[line - 1]))
            self.assertEqual(len(rest[1].expandtabs(1)), int(place[1]))
            self.assertEqual(rest[1].strip(), "^")
        if not more:
            self.assertEqual(len(result.stderr.split(f"{self.path}:{line}:")), 2, result.stderr)
        return result.stderr

    def assert_line_refused(self, number, replacement, *patterns, line=None, **options):
        """The sample with one line replaced; its message names that line, or `line`."""
        lines = SAMPLE.splitlines()
        lines[number - 1] = replacement
        return self.assert_refused("\n".join(lines) + "\n", line or number, *patterns, **options)

    def printed(self, text, *arguments, **options):
        self.write(text)
        result = run("-c", self.path, "-T", *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout


class WhatLoads(Case):
    def test_the_sample_loads(self):
        self.assert_loads(SAMPLE)

    def test_the_sample_of_the_documentation_loads(self):
        result = run("-c", DOCS / "ringlet.conf", "-t")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_the_smallest_file_loads(self):
        self.assert_loads('listen "127.0.0.1:0" {} site "*" { root = ../www }')

    def test_comments_of_three_kinds_and_line_ends_of_two(self):
        self.assert_loads('# ; { "\r\n// ; { "\n/* ; { "\n * */listen "127.0.0.1:0" {}\r\n'
                          'site "*" { root = ../www /* ; */ # }\r\n}')

    def test_a_list_may_stand_on_several_lines_or_be_one_string(self):
        for index in ('{\n "a", # first\n "b"\n}', '"a"', "a.html", "{}", "{'a', b}"):
            with self.subTest(index):
                self.assert_loads('listen "[::1]:0" {} site "*" { root = ../www '
                                  f'index = {index} }}')

    def test_numbers_sizes_and_times_with_and_without_quotes(self):
        for section in ("header_bytes = 4096", "header_bytes = '4K'", 'body_bytes = "0"',
                        "body_bytes = 5G"):
            with self.subTest(section):
                self.assert_loads(SAMPLE.replace("header_bytes = 16K  body_bytes = 1M", section))
        for time in ("100ms", "1s", "1m", "1h", "1d", '"10s"', "90s"):
            with self.subTest(time):
                self.assert_loads(SAMPLE.replace("header = 10s", f"header = {time}"))

    def test_variables_come_from_the_environment_or_their_default(self):
        text = SAMPLE.replace('"../www"', '"${RINGLET_TEST_UP}/www"').replace(
            "workers     = 0", "workers = ${RINGLET_TEST_WORKERS:-3}")
        self.assertIn("workers = 3\n", self.printed(text, environment={"RINGLET_TEST_UP": ".."}))
        self.assertIn("workers = 4\n", self.printed(text, environment={
            "RINGLET_TEST_UP": str(self.tree), "RINGLET_TEST_WORKERS": "4"}))

    def test_an_escaped_or_single_quoted_variable_is_text(self):
        (self.root / "${HOME}").mkdir()
        for root in (r'"../www/\${HOME}"', "'../www/${HOME}'"):
            with self.subTest(root):
                text = self.printed(SAMPLE.replace('"../www"', root))
                self.assertIn(f'root = "{self.root}/\\${{HOME}}"\n', text)

    def test_a_location_may_have_its_own_root(self):
        (self.tree / "other").mkdir()
        text = self.printed(
            'listen "[::1]:0" {} site "*" { location "/x" { root = "../other" } }')
        self.assertIn(f'root = "{self.tree}/other"', text)

    def test_a_site_without_files_needs_no_root(self):
        self.assert_loads('listen "[::1]:0" {} site "*" { location "/ping" { endpoint = "ping" } }')

    def test_paths_that_no_location_claims_are_files(self):
        text = self.printed('listen "[::1]:0" {} site "*" { root = "../www" '
                            'location "/ping" { endpoint = "ping" } }')
        self.assertRegex(text, r'location "/" \{\n +endpoint = "static"\n')


class Paths(Case):
    def test_a_relative_root_is_relative_to_the_file_not_to_the_caller(self):
        (self.root / "sub").mkdir()
        self.write(SAMPLE.replace('"../www"', '"../www/sub"'))
        for directory, path in ((self.tree, "etc/ringlet.conf"),
                                (self.tree / "etc", "ringlet.conf"),
                                (self.tree / "etc", "./ringlet.conf"), ("/", self.path)):
            with self.subTest(path):
                result = run("-c", path, "-T", directory=directory)
                self.assertIn(f'  root = "{self.root}/sub"\n', result.stdout, result.stderr)

    def test_a_symbolic_link_stays_one(self):
        (self.tree / "release-1").mkdir()
        (self.tree / "current").symlink_to("release-1")
        (self.tree / "current" / "ringlet.conf").write_text(SAMPLE.replace("../www", "."))
        for root in ("../current", f"{self.tree}/current"):
            with self.subTest(root):
                text = self.printed(SAMPLE.replace('"../www"', f'"{root}"'))
                self.assertIn(f'root = "{self.tree}/current"', text)
        result = run("-c", self.tree / "current" / "ringlet.conf", "-T")
        self.assertIn(f'root = "{self.tree}/current/."', result.stdout)

    def test_a_parent_is_not_taken_off_a_symbolic_link(self):
        (self.tree / "a" / "b").mkdir(parents=True)
        (self.tree / "a" / "www").mkdir()
        (self.tree / "a" / "www" / "mark").mkdir()
        (self.tree / "link").symlink_to("a/b")
        (self.tree / "link" / "ringlet.conf").write_text(SAMPLE.replace("../www", "../www/mark"))
        result = run("-c", self.tree / "link" / "ringlet.conf", "-t")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_log_files_are_relative_to_the_file_too(self):
        text = self.printed(SAMPLE.replace('"stderr"', '"error.log"').replace('"-"', "/x/y", 1)
                            + 'pid_file = "../run/pid"\n')
        self.assertIn(f'error_log = "{self.tree}/etc/error.log"\n', text)
        self.assertIn('access_log = "/x/y"\n', text)
        self.assertIn(f'pid_file = "{self.tree}/run/pid"\n', text)

    def test_sockets_are_relative_to_the_file_too(self):
        text = self.printed('listen "unix:../run/socket" {} site "*" { root = ../www }')
        self.assertIn(f'listen "unix:{self.tree}/run/socket" {{\n', text)


class Mistakes(Case):
    def test_wrong_word(self):
        self.assert_line_refused(2, "worker = 0", "unknown setting worker", "expected workers$")
        self.assert_line_refused(2, "Workers = 0", "unknown setting Workers", "expected workers$")
        self.assert_line_refused(13, 'indx = {"a"}', "indx", "expected index$")
        self.assert_line_refused(9, "limits { heder_bytes = 16K }", "heder_bytes", "header_bytes")

    def test_wrong_value(self):
        for line, text, *patterns in (
                (3, "backend = kqueue", "kqueue", "auto, io_uring or epoll"),
                (4, "keep_alive = maybe", "maybe", "yes or no"),
                (4, "keep_alive = true", "true", "yes or no"),
                (6, "log_level = loud", "loud", "debug, info, warning or error"),
                (8, "access_log_format = xml", "xml", "combined or json"),
                (2, "workers = many", "many", "decimal number"),
                (2, "workers = -1", "-1", "decimal number"),
                (2, "workers = 1.5", "1.5", "decimal number"),
                (2, "workers = 0x10", "0x10", "decimal number"),
                (2, "workers = 9999", "too large", "from 0 to 1024"),
                (2, 'workers = ""', 'workers = "": ', "decimal number"),
                (6, 'log_level = "a\\nb"', r'"a\\x0Ab": ', "debug"),
                (2, "workers = 99999999999999999999", "too large"),
                (9, "limits { connections = 0 }", "too small", "at least 1|from 1"),
                (9, "limits { header_bytes = 1 }", "too small", "from 1K to 1M"),
                (10, "timeouts { header = 0 }", "too small", "from 1ms"),
                (12, 'root = ""', "empty", "directory"),
                (15, 'location "/d" { endpoint = "dynamic" filters = {"gzip"} }', "gzip",
                 "unknown filter", "identity.*ssi"),
                (15, 'location "/d" { endpoint = "dynamic" filters = {"ssi", "ssi"} }',
                 "named twice")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns)

    def test_wrong_unit(self):
        for line, text, *patterns in (
                (9, "limits { header_bytes = 16Q }", "unknown unit", "K, M or G"),
                (9, "limits { connections = 10K }", "unknown unit", "decimal number"),
                (9, "limits { header_bytes = 16 K }", "unknown setting K in the limits"),
                (10, "timeouts { idle = 75 }", "no unit", "ms, s, m, h, d, w or y"),
                (10, "timeouts { idle = 75S }", "unknown unit"),
                (10, "timeouts { idle = 1y }", "too large", "to 1d"),
                (10, "timeouts { idle = 1x }", "unknown unit")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns, more=" K " in text)

    def test_octal_numbers(self):
        self.assert_line_refused(2, "workers = 010", "leading zeros", "decimal")
        self.assert_line_refused(2, "workers = 00", "leading zeros", "decimal")
        self.assert_line_refused(9, "limits { header_bytes = 020000 }", "leading zeros")
        self.assert_line_refused(10, "timeouts { idle = 075s }", "leading zeros")
        self.assert_line_refused(5, r'error_log = "\101"', "escape")

    def test_missing_root(self):
        self.assert_line_refused(12, "", "root is missing", 'root = "directory"', line=14)
        self.assert_refused('listen "[::1]:0" {}\nsite "*" {}\n', 2, "root is missing")

    def test_a_root_that_is_no_directory(self):
        (self.tree / "file").touch()
        self.assert_line_refused(12, 'root = "../no"', f"{self.tree}/no",
                                 "No such file", "directory")
        self.assert_line_refused(12, 'root = "../file"', "Not a directory", "directory")

    def test_missing_closing_brace(self):
        self.assert_refused(SAMPLE[:SAMPLE.rindex("}")], 16, "missing closing brace",
                            "} for the site that begins at line 11")
        self.assert_line_refused(9, "limits { header_bytes = 16K", "timeouts",
                                 "limits that begins at line 9", "closing brace }", line=10)
        self.assert_line_refused(14, 'location "/" { endpoint = "static"',
                                 "location that begins at line 14", "closing brace }", line=15)
        self.assert_line_refused(16, 'location "/ping" { endpoint = "ping"',
                                 "missing closing brace", line=17)
        self.assert_line_refused(1, 'listen "127.0.0.1:8080" {', "workers",
                                 "listen that begins at line 1", "}", line=2)
        self.assert_line_refused(13, 'index = {"index.html"', "location", ", or }", line=14)

    def test_a_closing_brace_too_many(self):
        self.assert_refused(SAMPLE + "}\n", 18, "unexpected }")

    def test_a_setting_given_twice(self):
        self.assert_refused(SAMPLE + "workers = 1\n", 18, "workers is given twice", "conf:2\\)")
        self.assert_refused(SAMPLE + "workers = 0\n", 18, "workers is given twice", "conf:2\\)")
        self.assert_line_refused(13, 'root = "../www"', "root is given twice", "conf:12\\)")
        self.assert_line_refused(10, "timeouts { idle = 1s idle = 2s }", "idle is given twice")
        self.assert_line_refused(
            14, 'location "/" { endpoint = "static" endpoint = "static" }', "given twice")
        self.assert_refused(SAMPLE + "limits { }\n", 18, "limits is given twice", "conf:9\\)")

    def test_a_repeated_site(self):
        site = 'site "*" { root = "../www" }\n'
        self.assert_refused(SAMPLE + site, 18, r'\*', "conf:11,")
        self.assert_refused(SAMPLE + 'site "a.b" { root = ../www }\nsite "A.B" { root = ../www }\n',
                            19, "A.B", "conf:18,")

    def test_a_repeated_location(self):
        self.assert_line_refused(16, '  location "/" { endpoint = "ping" }', "given twice", "once")

    def test_a_repeated_listen(self):
        self.assert_refused(
            SAMPLE + 'listen "127.0.0.1:8080" {}\n', 18, "127.0.0.1:8080", "conf:1,")
        self.assert_refused('listen "[::1]:80" {}\nlisten "[0::1]:80" {}\n'
                            'site "*" { root = ../www }', 2, "conf:1,")

    def test_an_unset_variable(self):
        for line, text in ((12, 'root = "${RINGLET_TEST_UNSET}"'),
                           (2, "workers = ${RINGLET_TEST_UNSET}"),
                           (1, 'listen "${RINGLET_TEST_UNSET}:80" {}')):
            with self.subTest(text):
                self.assert_line_refused(line, text, "RINGLET_TEST_UNSET is not set", "environment")

    def test_a_broken_variable(self):
        for text in ('root = "${HOME"', "root = ${HOME", 'root = "${}"', 'root = "${HOME:x}"',
                     'root = "${A B}"', "root = ${HOME"):
            with self.subTest(text):
                self.assert_line_refused(12, text, "broken variable", r"\$\{NAME\}")
        self.assert_line_refused(12, "root = /srv/${HOME}", "quotes")

    def test_no_listen(self):
        self.assert_line_refused(1, "", "no listen", "listen", line=17)

    def test_no_site(self):
        self.assert_refused("".join(SAMPLE.splitlines(True)[:10]), 10, "no site", "site")
        self.assert_refused("", 1, "no listen", more=True)

    def test_semicolons(self):
        for line, text in ((2, "workers = 0;"), (4, "keep_alive = yes ;"), (12, 'root = "../www";'),
                           (13, 'index = {"a"};'), (1, 'listen "127.0.0.1:80" {};'),
                           (14, 'location "/" { endpoint = static; }'), (2, ";")):
            with self.subTest(text):
                self.assert_line_refused(line, text, "semicolons are not used")

    def test_what_is_not_understood_is_not_skipped(self):
        for line, text, *patterns in (
                (2, "workers += 1", r"\+="),
                (2, "workers : 1", "unexpected :"),
                (2, "workers 1", "unexpected 1", "="),
                (2, "workers =", "no value", "decimal number"),
                (12, "root =", "no value", "directory"),
                (2, "workers = {1}", r"unexpected \{"),
                (2, "workers = 1, 2", "unexpected ,"),
                (2, "(workers = 1)", r"unexpected \("),
                (2, "= 1", "unexpected ="),
                (2, '"workers" = 1', "unexpected"),
                (2, "workers * = 1", r"unexpected \*"),
                (2, "workers = 1 \x01", "0x01"),
                (2, "workers = 1 \x00", "0x00"),
                (12, 'root = "../\x00www"', "NUL"),
                (12, 'root = "../www', "does not end", "same line"),
                (12, "root = '../www", "does not end"),
                (12, r'root = "../\www"', "escape"),
                (12, r'root = "../www\x00"', "escape"),
                (11, "site * {", r"unexpected \*", "quotes"),
                (11, "site {", "no title"),
                (11, 'site "*" = {', "unexpected ="),
                (9, 'limits "x" {}', "has a title"),
                (9, "limits = 3", "unexpected ="),
                (13, 'index = {"a" "b"}', ", or }"),
                (13, 'index = {"a",}', "unexpected }")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns, more=True)
        self.assert_refused(SAMPLE + "/* no end", 18, "comment does not end")
        self.assert_refused(SAMPLE + "include(x)\n", 18, "unexpected \\(", more=True)

    def test_lines_are_right_after_block_comments(self):
        self.assert_refused("/* one */ /* two\n\n */ /***/ wrong = 1\n" + SAMPLE, 3, "wrong")
        self.assert_refused(SAMPLE.replace("backend", "/* x */ /* y */ backend")
                            + 'site "*" { root = "../www" }\n', 18, "conf:11,")

    def test_addresses_hosts_and_prefixes(self):
        for line, text, *patterns in (
                (1, 'listen "127.0.0.1" {}', "127.0.0.1"),
                (1, 'listen "localhost" {}', "localhost"),
                (1, 'listen "example.com:80" {}', "not an address", "localhost:8080"),
                (1, 'listen "[::ffff:127.0.0.1]:80" {}', "the IPv4 address itself"),
                (1, 'listen "127.0.0.1:99999" {}', "99999"), (1, 'listen "unix:" {}', "unix"),
                (11, 'site "example.com:80" {', "without port"), (11, 'site "" {', "host"),
                (11, 'site "a/b" {', "host"),
                (11, 'site "a.*" {', "wildcard.*expected .*example"),
                (11, 'site "a.b." {', "dot at the end"), (11, 'site "a..b" {', "empty label"),
                (14, 'location "x" {}', "begins with /"), (14, 'location "" {}', "begins with /"),
                (14, 'location "/a//b" {}', "never"), (14, 'location "/a/../b" {}', "never"),
                (14, 'location "/a/." {}', "never")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns)

    def test_endpoints_and_their_settings(self):
        self.assert_line_refused(16, 'location "/ping" { endpoint = "pong" }', "pong",
                                 "expected ping$")
        self.assert_line_refused(16, 'location "/ping" { endpoint = "xyzzy" }', "xyzzy",
                                 "one of static dynamic ping")
        self.assert_line_refused(16, 'location "/ping" { root = "../www" endpoint = "ping" }',
                                 "root is a setting of the endpoint static", "ping")
        self.assert_line_refused(16, 'location "/ping" { rot = "../www" endpoint = "ping" }', "rot")

    def test_methods_of_a_location(self):
        def sample(methods):
            return SAMPLE + ('site "a.b" {\n'
                             f'location "/" {{ endpoint = ping  methods = {methods} }} }}')

        self.assert_refused(sample('{"GET", "BREW"}'), 19, "methods = BREW: unknown word",
                            "GET, HEAD")
        self.assert_refused(sample('{"get"}'), 19, "methods = get: unknown word, nearest is GET")
        self.assert_refused(sample('{"POST", "PUT"}'), 19, "ping supports none", "GET, HEAD")

    def test_a_file_that_cannot_be_read(self):
        for path in (self.tree / "none.conf", self.root):
            with self.subTest(path):
                result = run("-c", path, "-t")
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, rf"^{path}: .*expected")

    def test_a_mistake_keeps_the_server_from_starting(self):
        self.write(SAMPLE + "workers = 1\n")
        result = run("-c", self.path)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^\S+:18:1: workers is given twice")


class AllMistakes(Case):
    """Every mistake of a file is listed, with its place; what follows from one is not."""

    def complaints(self, text):
        result = self.load(text)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        return [line.removeprefix(f"{self.path}:") for line in result.stderr.splitlines()
                if line.startswith(str(self.tree))]

    def test_a_mistake_does_not_hide_the_next(self):
        lines = SAMPLE.splitlines()
        lines[1] = "workers = many"
        lines[2] = "backnd = epoll"
        lines[8] = "limits { heder_bytes = 16K }"
        lines[12] = '  index = {"a" "b"}'
        lines[15] = '  location "/ping" { endpoint = "pong" }'
        self.assertEqual(
            [":".join(line.split(":")[:2]) for line in self.complaints("\n".join(lines))],
            ["3:1", "9:10", "13:16", "2:11", "16:33"])

    def test_a_missing_brace_is_one_mistake(self):
        for missing, count in (("  location \"/\"         { endpoint = \"static\" }", 1),
                               ("drain = 5s }", 1), ("10000 }", 1), ('"index.html"}', 1)):
            with self.subTest(missing):
                self.assertEqual(len(self.complaints(SAMPLE.replace(missing, missing[:-1]))),
                                 count)

    def test_a_list_where_none_may_stand_is_one_mistake(self):
        for value in ("{ 1 }", "{ 1", "{"):
            with self.subTest(value):
                wrong = SAMPLE.replace("workers     = 0", f"workers = {value}")
                self.assertEqual(len(self.complaints(wrong)), 1)

    def test_twenty_are_shown(self):
        complaints = self.complaints("wrong = 1\n" * 50 + SAMPLE)
        self.assertEqual(len(complaints), 21)
        self.assertIn("more mistakes", complaints[-1])

    def test_the_caret_is_below_the_mistake(self):
        self.write(SAMPLE.replace("backend     = auto", "\tbackend = \u00e9\u00e9pol"))
        result = run("-c", self.path, "-t")
        self.assertEqual(result.stderr.splitlines()[1:3],
                         ["\tbackend = \u00e9\u00e9pol", "\t          ^"])
        self.assertIn(":3:12: ", result.stderr)

    def test_a_terminal_obeys_nothing(self):
        self.write(SAMPLE.replace("auto", "\x1b[31mauto"))
        result = run("-c", self.path, "-t")
        self.assertNotIn("\x1b", result.stderr)
        self.assertIn("0x1B", result.stderr)

    def test_the_nearest_word(self):
        for line, text, nearest in (
                (3, "backend = io_urnig", "nearest is io_uring"),
                (2, "wokers = 1", "expected workers$"),
                (16, 'location "/ping" { endpont = "ping" }', "expected endpoint$"),
                (16, 'location "/ping" { endpoint = "pnig" }', "expected ping$"),
                (15, 'location "/d" { endpoint = dynamic filtres = {"ssi"} }',
                 "expected filters$")):
            with self.subTest(text):
                self.assert_line_refused(line, text, nearest)


class Invisible(Case):
    """What nobody sees in an editor is named; in a comment it may stand."""

    def test_a_byte_order_mark(self):
        self.assert_refused("\ufeff" + SAMPLE, 1, "U\\+FEFF, a byte order mark", more=True)

    def test_others(self):
        for line, text, pattern in (
                (2, "workers = 1\u200b", "U\\+200B"), (2, "workers\u00a0= 1", "U\\+00A0"),
                (12, 'root = "../www\u200b"', "U\\+200B"), (12, "root = '../w\u202eww'", "202E"),
                (2, "\u2028workers = 1", "2028"), (12, 'root = "../www\x7f"', "0x7F")):
            with self.subTest(text):
                self.assert_line_refused(line, text, pattern)

    def test_utf_16(self):
        result = self.load(SAMPLE.encode("utf-16"))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, ":1:1: .*UTF-16.*expected .*UTF-8")

    def test_a_comment_may_contain_them(self):
        self.assert_loads(SAMPLE + "# \u200b\ufeff\n/* \u00a0 */")

    def test_escaped_they_are_a_name(self):
        (self.tree / "www\u200b").mkdir()
        first = self.printed(SAMPLE.replace('"../www"', '"../www\\xe2\\x80\\x8b"'))
        self.assertIn('www\\xE2\\x80\\x8B"', first)
        self.assertEqual(self.printed(first), first)


class Include(Case):
    def setUp(self):
        super().setUp()
        self.sites = self.tree / "etc" / "sites"
        self.sites.mkdir()
        for name in ("b", "a"):
            (self.sites / f"{name}.conf").write_text(
                f'site "{name}.example" {{ root = "../../www" }}\n')
        (self.sites / "c.conf.old").write_text("wrong")

    def test_files_are_read_in_the_order_of_their_names(self):
        text = self.printed('listen ":0"\ninclude "sites/*.conf"\n')
        self.assertEqual(re.findall(r'site "(.*?)"', text), ["a.example", "b.example"])
        self.assertEqual(re.findall(r'root = "(.*)"', text), [str(self.root)] * 2)

    def test_in_a_section_and_nested(self):
        (self.tree / "etc" / "fields.conf").write_text(
            'add_header = {"X-A: 1"}\ninclude "more/ping.conf"')
        (self.tree / "etc" / "more").mkdir()
        (self.tree / "etc" / "more" / "ping.conf").write_text(
            'root = "../../www" location "/ping" { endpoint = ping }')
        text = self.printed('listen ":0" site "*" { include "fields.conf" }')
        self.assertIn("X-A: 1", text)
        self.assertIn('location "/ping"', text)
        self.assertIn(f'root = "{self.root}"', text)

    def test_no_match_of_a_pattern_is_nothing_but_of_a_name_a_mistake(self):
        self.assert_loads(SAMPLE + 'include "none/*.conf"\n')
        self.assert_refused(SAMPLE + 'include "none.conf"\n', 18, "No such file", "can be read")
        self.assert_refused(SAMPLE + "include\n", 18, "after include")
        self.assert_refused(SAMPLE + 'include = "a"\n', 18, "unexpected =")

    def test_a_mistake_names_the_included_file(self):
        (self.sites / "b.conf").write_text('site "b.example" {\n  rot = "../../www"\n}\n')
        result = self.load(SAMPLE + 'include "sites/*.conf"\n')
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{self.sites}/b.conf:2:3: unknown setting rot", result.stderr)

    def test_braces_stay_in_their_file(self):
        (self.sites / "a.conf").write_text('site "a.example" {\n  root = "../../www"\n')
        result = self.load(SAMPLE + 'include "sites/a.conf"\nuser = ""\n')
        self.assertIn(f"{self.sites}/a.conf:2:1: missing closing brace", result.stderr)
        (self.sites / "a.conf").write_text('root = "../../www" }')
        result = self.load('listen ":0" site "*" { include "sites/a.conf" }\n')
        self.assertIn(f"{self.sites}/a.conf:1:20: unexpected }}", result.stderr)

    def test_what_is_no_file_does_not_hold_the_start_up(self):
        os.mkfifo(self.sites / "d.conf")
        self.assert_refused(SAMPLE + 'include "sites/*.conf"\n', 18, "d.conf: Invalid argument")

    def test_no_cycles(self):
        (self.sites / "a.conf").write_text('include "b.conf"')
        (self.sites / "b.conf").write_text('include "link.conf"')
        (self.sites / "link.conf").symlink_to("a.conf")
        result = self.load(SAMPLE + 'include "sites/a.conf"\n')
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{self.sites}/b.conf:1:9: include", result.stderr)
        self.assertIn("expected no cycle", result.stderr)

    def test_a_directory_with_the_bytes_of_a_pattern(self):
        strange = self.tree / "[a-z]*?"
        strange.mkdir()
        (strange / "x.conf").write_text('user = ""')
        self.path = strange / "ringlet.conf"
        self.assert_loads(SAMPLE + 'include "x*.conf"\n')


class Listen(Case):
    def test_braces_may_be_left_out(self):
        text = self.printed('listen "127.0.0.1:8080"\nlisten ":81" { ipv6_only = yes }\n'
                            'site "*" { root = ../www }')
        self.assertEqual(re.findall(r'listen "(.*)" \{\n  ipv6_only = (.*)\n', text),
                         [("127.0.0.1:8080", "no"), (":81", "yes")])

    def test_conflicts(self):
        for first, second in (("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "0.0.0.0:80"),
                              (":80", "[::1]:80"), ("localhost:80", "127.0.0.1:80"),
                              ("*:80", ":80"), ("unix:a", "unix:./a")):
            with self.subTest(f"{first} {second}"):
                self.assert_refused(f'listen "{first}"\nlisten "{second}"\n'
                                    'site "*" { root = ../www }', 2, "conf:1,")
        self.assert_loads('listen "[::]:80" { ipv6_only = on }\nlisten "0.0.0.0:80"\n'
                          'site "*" { root = ../www }')
        self.assert_loads('listen ":0"\nlisten ":0"\nsite "*" { root = ../www }')


class Rehearsal(Case):
    """-t refuses what the start would refuse, and leaves nothing behind."""

    def names(self):
        return sorted(path.name for path in self.tree.rglob("*"))

    def test_what_would_not_start(self):
        lines = SAMPLE.replace(":8080", ":0")
        for setting, *patterns in (
                ('user = "nobody-of-that-name"', "no such user"),
                ('pid_file = "none/pid"', "No such file"),
                ('pid_file = "/proc/pid"', "/proc/pid"),
                ('listen "192.0.2.1:80"', "Cannot assign"),
                ('listen "unix:none/socket"', "No such file"),
                ('listen "unix:ringlet.conf"', "not a socket"),
                ('site "a.b" { location "/s" { endpoint = store directory = "/proc/x" } }',
                 "workers may write")):
            with self.subTest(setting):
                self.assert_refused(lines + setting + "\n", 18, *patterns)
        self.assert_refused(lines.replace('"stderr"', '"none/error.log"'), 5, "No such file")
        self.assert_refused(lines.replace('"-"', '"none/access.log"', 1), 7, "No such file")

    def test_nothing_is_left_behind(self):
        self.write(SAMPLE)
        before = self.names()
        self.assert_loads(SAMPLE.replace('"stderr"', "error.log").replace('"-"', "a.log", 1) +
                          'pid_file = pid\nlisten "unix:socket"\n'
                          'site "a.b" { location "/s" { endpoint = store directory = new } }\n')
        self.assertEqual(self.names(), before)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_a_root_that_the_user_cannot_enter(self):
        self.tree.chmod(0o755)
        self.root.chmod(0o700)
        text = SAMPLE + "user = nobody\n"
        self.assert_refused(text, 12, "Permission denied", "workers may enter")
        self.root.chmod(0o755)
        self.assert_loads(text)

    def test_off_is_no_file(self):
        text = SAMPLE.replace('"stderr"', "off").replace('"-"', "off", 1) + "pid_file = off\n"
        printed = self.printed(text)
        for name in ("error_log", "access_log", "pid_file"):
            self.assertIn(f"{name} = off\n", printed)
        self.assert_loads(text)

    def test_a_start_from_a_removed_directory(self):
        gone = self.tree / "gone"
        gone.mkdir()
        script = f'cd "{gone}" && rmdir "{gone}" && exec "{harness.BINARY}" "$@"'
        for arguments in ((), ("-c", "x.conf")):
            with self.subTest(arguments):
                result = subprocess.run(["sh", "-c", script, "sh", *arguments], text=True,
                                        capture_output=True, timeout=harness.SECONDS)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, "(No such file|current directory).*expected")
                gone.mkdir()


class Printing(Case):
    def assert_prints_itself(self, text):
        first = self.printed(text)
        self.assertEqual(self.printed(first), first)
        return first

    def test_the_print_prints_itself(self):
        self.assert_prints_itself(SAMPLE)

    def test_every_default_is_printed(self):
        text = self.assert_prints_itself('listen "[::1]:0" {} site "*" { root = "../www" }')
        for setting in ("workers = 0", "backend = auto", "zero_copy = splice", "keep_alive = yes",
                        "server = yes", 'user = ""', 'pid_file = off', 'error_log = "stderr"',
                        "log_level = info", 'access_log = "-"', "access_log_format = combined",
                        "header_bytes = 16K", "body_bytes = 1M", "connections = 10000",
                        "keep_alive_requests = 10000", "header = 10s", "body = 30s", "idle = 75s",
                        "drain = 5s", 'endpoint = "static"', 'index = {"index.html"}'):
            self.assertRegex(text, rf"(?m)^ *{re.escape(setting)}$")
        self.assertRegex(text, "(?m)^ *send = (60s|1m)$")

    def test_strings_are_quoted_so_that_they_load_again(self):
        name = "a \"b' \\ $x ${y} ; # {} é\t"
        (self.root / name).mkdir()
        escaped = re.sub(r'([\\"$])', r"\\\1", name).replace("\t", "\\t")
        text = self.assert_prints_itself(SAMPLE.replace("../www", f"../www/{escaped}"))
        self.assertIn("\\${y}", text)

    def test_sites_and_locations_keep_their_order(self):
        text = self.assert_prints_itself(
            SAMPLE + 'site "b.example" { root = ../www index = {} }\n'
            'site "a.example" { root = ../www }\n')
        self.assertLess(text.index('"b.example"'), text.index('"a.example"'))

    def test_options_of_the_command_line_are_printed(self):
        text = self.printed(SAMPLE, "-b", "epoll", "-q")
        self.assertIn("backend = epoll\n", text)
        self.assertIn('access_log = off\n', text)


class CommandLine(Case):
    def assert_usage_error(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"(?m)^usage: ringlet ")

    def test_wrong_usage(self):
        self.write(SAMPLE)
        for arguments in (("-c", self.path, "DIR"), ("-c", self.path, "-p", "80"),
                          ("-c", self.path, "-l", "127.0.0.1"),
                          ("--port=80", "--config", self.path),
                          ("-x",), ("--no-such-option",), ("-p",), ("-c",), ("a", "b"),
                          ("-p", "http"), ("-p", "65536"), ("-p", "-1"), ("-p", ""),
                          ("-b", "kqueue"), ("--help-config=xml",), ("-d", "--single-process"),
                          ("--test=yes",)):
            with self.subTest(arguments):
                self.assert_usage_error(*arguments)

    def test_help_has_every_option_and_examples(self):
        for option in ("-h", "--help"):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for word in ("-c, --config", "-t, --test", "-T, ", "-b, --backend", "-q, --quiet",
                         "-V, --version", "-h, --help", "--single-process", "-d, --daemon",
                         "-p, --port", "-l, --listen", "--help-config", "Examples:"):
                self.assertIn(word, result.stdout)
            self.assertLessEqual(max(map(len, result.stdout.splitlines())), 80)

    def test_version_tells_library_features_and_backend(self):
        for option in ("-V", "--version"):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, r"\Aringlet \d+\.\d+\.\d+\nliburing \S+\n"
                             r"ring features: .+\nbackend auto: (io_uring|epoll)")

    def test_version_without_io_uring_tells_why(self):
        result = subprocess.run([harness.BINARY, "-V"], text=True, capture_output=True,
                                preexec_fn=harness.forbid_system_call(harness.IO_URING_SETUP),
                                timeout=harness.SECONDS)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"backend auto: epoll")

    def test_output_that_cannot_be_written_is_a_failure(self):
        self.write(SAMPLE)
        with open("/dev/full", "w") as full:
            result = subprocess.run([harness.BINARY, "-c", self.path, "-T"], stdout=full,
                                    stderr=subprocess.PIPE, timeout=harness.SECONDS)
        self.assertEqual(result.returncode, 1)

    def quick_start(self, *arguments, directory=None):
        result = run("-T", *arguments, directory=directory or self.root)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def test_quick_start_serves_the_current_directory_on_8080(self):
        text = self.quick_start()
        self.assertEqual(re.findall(r'listen "(.*)"', text), ["localhost:8080"])
        self.assertIn(f'root = "{self.root}', text)
        self.assertEqual(re.findall(r'location "(.*)" \{\n +endpoint = "(.*)"', text),
                         [("/", "static"), ("/dynamic/", "dynamic"), ("/ping", "ping")])

    def test_quick_start_takes_directory_port_and_address(self):
        for arguments, listeners in (
                (("-p", "0"), ["localhost:0"]),
                (("-l", "0.0.0.0"), ["0.0.0.0:8080"]),
                (("-l", "::1", "-p", "81"), ["[::1]:81"]),
                (("-l", "[::1]", "-p", "81"), ["[::1]:81"]),
                (("-l", "127.0.0.2:90"), ["127.0.0.2:90"]),
                (("-l", "unix:/run/x"), ["unix:/run/x"])):
            with self.subTest(arguments):
                text = self.quick_start(self.root, *arguments, directory="/")
                self.assertEqual(re.findall(r'listen "(.*)"', text), listeners)
                self.assertIn(f'root = "{self.root}"', text)

    def test_quick_start_of_an_awkward_directory(self):
        name = 'a "quoted" $dir ${x} \\'
        (self.root / name).mkdir()
        self.assertIn(r"\${x}", self.quick_start(name))

    def test_quick_start_prints_a_file_that_prints_itself(self):
        text = self.quick_start()
        self.assertEqual(self.printed(text), text)

    def test_quick_start_refuses_what_is_not_there(self):
        for arguments in (("no-such-directory",), ("-l", "example.com")):
            with self.subTest(arguments):
                result = run(*arguments, directory=self.root)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, r"\Aquick start:\d+:\d+: .*expected .*\n")


class Documents(Case):
    def test_the_document_of_the_configuration_is_the_programs_own(self):
        result = run("--help-config=markdown")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual((DOCS / "configuration.md").read_text(), result.stdout,
                         "run: build/ringlet --help-config=markdown >docs/configuration.md")

    def test_the_manual_page_is_the_programs_own(self):
        result = run("--help-config=man")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual((DOCS / "ringlet.conf.5.scd").read_text(), result.stdout,
                         "run: build/ringlet --help-config=man >docs/ringlet.conf.5.scd")

    def test_every_setting_stands_in_help_and_manual(self):
        names = set(re.findall(r"(?m)^\| `(\w+)` \|", run("--help-config=markdown").stdout))
        self.assertGreater(len(names), 20)
        help_text = run("--help-config").stdout
        manual = (DOCS / "ringlet.conf.5.scd").read_text()
        for name in names:
            self.assertRegex(help_text, rf"(?m)^ *(# )?{name}( =| \{{| \")")
            self.assertIn(f"*{name}*", manual)


if __name__ == "__main__":
    harness.main()

"""The configuration file and the command line, from outside: messages, lines, exit codes, -T.

Each mistake is one line changed in a file that is right, so that the message can only be about that
line.  What libconfuse alone would let pass has a case of its own."""

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

    def assert_refused(self, text, line, *patterns, **options):
        """Exit code 1 and one line on stderr that begins with FILE:LINE and says what is wrong and
        what is expected."""
        result = self.load(text, **options)
        self.assertEqual(result.returncode, 1, result)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith(f"{self.path}:{line}: "), result.stderr)
        message = result.stderr.split(": ", 1)[1]
        for pattern in (*patterns, r"\bexpected \S"):
            self.assertRegex(message, pattern)

    def assert_line_refused(self, number, replacement, *patterns, line=None, **options):
        """The sample with one line replaced; its message names that line, or `line`."""
        lines = SAMPLE.splitlines()
        lines[number - 1] = replacement
        self.assert_refused("\n".join(lines) + "\n", line or number, *patterns, **options)

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
        for time in ("100ms", "1s", "1m", "1h", "1d", '"10s"'):
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
        self.assertIn(f'listen "unix:{self.tree}/run/socket" {{}}\n', text)


class Mistakes(Case):
    def test_wrong_word(self):
        self.assert_line_refused(2, "worker = 0", "unknown word worker", "workers")
        self.assert_line_refused(2, "Workers = 0", "unknown word Workers")
        self.assert_line_refused(13, 'indx = {"a"}', "indx", "root index .*location")
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
                (5, 'error_log = ""', "empty", "file"),
                (15, 'location "/d" { endpoint = "dynamic" filters = {"gzip"} }', "gzip",
                 "unknown filter", "identity.*ssi"),
                (15, 'location "/d" { endpoint = "dynamic" filters = {"ssi", "ssi"} }',
                 "named twice")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns)

    def test_wrong_unit(self):
        for line, text, *patterns in (
                (9, "limits { header_bytes = 16Q }", "unknown unit", "K, M or G"),
                (9, "limits { header_bytes = 16k }", "unknown unit", "K, M or G"),
                (9, "limits { connections = 10K }", "unknown unit", "decimal number"),
                (9, "limits { header_bytes = 16 K }", "K does not stand in the limits"),
                (10, "timeouts { idle = 75 }", "no unit", "ms, s, m, h or d"),
                (10, "timeouts { idle = 75S }", "unknown unit"),
                (10, "timeouts { idle = 1y }", "unknown unit")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns)

    def test_octal_numbers(self):
        self.assert_line_refused(2, "workers = 010", "octal", "decimal")
        self.assert_line_refused(2, "workers = 00", "octal", "decimal")
        self.assert_line_refused(9, "limits { header_bytes = 020000 }", "octal")
        self.assert_line_refused(10, "timeouts { idle = 075s }", "octal")
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
                            "} for the site of line 11")
        self.assert_line_refused(9, "limits { header_bytes = 16K", "timeouts", "limits of line 9",
                                 "closing brace }", line=10)
        self.assert_line_refused(14, 'location "/" { endpoint = "static"', "location of line 14",
                                 "closing brace }", line=15)
        self.assert_line_refused(16, 'location "/ping" { endpoint = "ping"',
                                 "missing closing brace", line=17)
        self.assert_line_refused(1, 'listen "127.0.0.1:8080" {', "workers", "listen of line 1",
                                 "}", line=2)
        self.assert_line_refused(13, 'index = {"index.html"', "location", ", or }", line=14)

    def test_a_closing_brace_too_many(self):
        self.assert_refused(SAMPLE + "}\n", 18, "unexpected }")

    def test_a_setting_given_twice(self):
        self.assert_refused(SAMPLE + "workers = 1\n", 18, "workers is given twice", "line 2")
        self.assert_refused(SAMPLE + "workers = 0\n", 18, "workers is given twice", "line 2")
        self.assert_line_refused(13, 'root = "../www"', "root is given twice", "line 12")
        self.assert_line_refused(10, "timeouts { idle = 1s idle = 2s }", "idle is given twice")
        self.assert_line_refused(
            14, 'location "/" { endpoint = "static" endpoint = "static" }', "given twice")
        self.assert_refused(SAMPLE + "limits { }\n", 18, "limits is given twice", "line 9")

    def test_a_repeated_site(self):
        site = 'site "*" { root = "../www" }\n'
        self.assert_refused(SAMPLE + site, 18, r'\*', "once")
        self.assert_refused(SAMPLE + 'site "a.b" { root = ../www }\nsite "A.B" { root = ../www }\n',
                            19, "A.B", "line 18")

    def test_a_repeated_location(self):
        self.assert_line_refused(16, '  location "/" { endpoint = "ping" }', "'/'", "once")

    def test_a_repeated_listen(self):
        self.assert_refused(SAMPLE + 'listen "127.0.0.1:8080" {}\n', 18, "127.0.0.1:8080", "once")
        self.assert_refused('listen "[::1]:80" {}\nlisten "[0::1]:80" {}\n'
                            'site "*" { root = ../www }', 2, "line 1")

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
        self.assert_refused("", 1, "no listen")

    def test_semicolons(self):
        for line, text in ((2, "workers = 0;"), (4, "keep_alive = yes ;"), (12, 'root = "../www";'),
                           (13, 'index = {"a"};'), (1, 'listen "127.0.0.1:80" {};'),
                           (14, 'location "/" { endpoint = static; }'), (2, ";")):
            with self.subTest(text):
                self.assert_line_refused(line, text, "no semicolons here")

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
                (9, 'limits "x" {}', "no title"),
                (9, "limits = 3", "unexpected ="),
                (13, 'index = {"a" "b"}', ", or }"),
                (13, 'index = {"a",}', "unexpected }")):
            with self.subTest(text):
                self.assert_line_refused(line, text, *patterns)
        self.assert_refused(SAMPLE + "/* no end", 18, "comment does not end")
        self.assert_refused(SAMPLE + "include(x)\n", 18, "unexpected \\(")

    def test_lines_are_right_after_block_comments(self):
        self.assert_refused("/* one */ /* two\n\n */ /***/ wrong = 1\n" + SAMPLE, 3, "wrong")
        self.assert_refused(SAMPLE.replace("backend", "/* x */ /* y */ backend")
                            + 'site "*" { root = "../www" }\n', 18, "once")

    def test_addresses_hosts_and_prefixes(self):
        for line, text, *patterns in (
                (1, 'listen "127.0.0.1" {}', "127.0.0.1"),
                (1, 'listen "localhost:80" {}', "localhost"),
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
                                 "static dynamic ping")
        self.assert_line_refused(16, 'location "/ping" { root = "../www" endpoint = "ping" }',
                                 "root is a setting of the endpoint static", "ping")
        self.assert_line_refused(16, 'location "/ping" { rot = "../www" endpoint = "ping" }', "rot")

    def test_methods_of_a_location(self):
        def sample(methods):
            return SAMPLE + ('site "a.b" {\n'
                             f'location "/" {{ endpoint = ping  methods = {methods} }} }}')

        self.assert_refused(sample('{"GET", "BREW"}'), 19, "methods = BREW: unknown word",
                            "GET, HEAD")
        self.assert_refused(sample('{"get"}'), 19, "methods = get: unknown word")
        self.assert_refused(sample('{"POST", "PUT"}'), 19, "ping knows none", "GET, HEAD")

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
        self.assertRegex(result.stderr, r"^\S+:18: workers is given twice")


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
                        "server = yes", 'user = ""', 'pid_file = ""', 'error_log = "stderr"',
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
        self.assertIn('access_log = ""\n', text)


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
        self.assertEqual(re.findall(r'listen "(.*)"', text), ["127.0.0.1:8080", "[::1]:8080"])
        self.assertIn(f'root = "{self.root}', text)
        self.assertEqual(re.findall(r'location "(.*)" \{\n +endpoint = "(.*)"', text),
                         [("/", "static"), ("/dynamic/", "dynamic"), ("/ping", "ping")])

    def test_quick_start_takes_directory_port_and_address(self):
        for arguments, listeners in (
                (("-p", "0"), ["127.0.0.1:0", "[::1]:0"]),
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
                self.assertRegex(result.stderr, r"\Aquick start:\d+: .*expected .*\n\Z")


class Documents(Case):
    def test_the_document_of_the_configuration_is_the_programs_own(self):
        result = run("--help-config=markdown")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual((DOCS / "configuration.md").read_text(), result.stdout,
                         "run: build/ringlet --help-config=markdown >docs/configuration.md")

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

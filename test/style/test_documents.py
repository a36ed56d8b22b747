"""The documents agree with the program.

    RINGLET   the binary (default: build/ringlet of this tree)"""

import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import checks  # noqa: E402
import tap_runner  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(os.environ.get("RINGLET", TREE / "build" / "ringlet"))


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)


def read(path):
    return (TREE / path).read_text(encoding="utf-8")


def settings():
    """Pairs of name and default ("" if it has none), as the program describes them."""
    for line in run("--help-config=markdown").stdout.splitlines():
        if match := re.match(r"\| `(\w+)` \|.*?\| (?:`(.*?)`)? *\|", line):
            yield match[1], match[2] or ""


def plain(manual):
    """The text without scdoc's escapes."""
    return re.sub(r"\\(.)", r"\1", manual)


class Documents(unittest.TestCase):
    def assert_in(self, part, document):
        """Fails without printing the whole document."""
        if part not in document:
            self.fail(f"{part!r} is missing")

    def test_settings_stand_in_the_manual_page(self):
        manual = plain(read("docs/ringlet.conf.5.scd"))
        described = list(settings())
        self.assertIn(("workers", "0"), described)
        for name, fallback in described:
            with self.subTest(name):
                self.assert_in(f"*{name}* = {fallback}" if fallback else f"*{name}*", manual)

    def test_settings_of_the_manual_page_exist(self):
        manual = plain(read("docs/ringlet.conf.5.scd"))
        names = {name for name, _ in settings()}
        for name in re.findall(r"^\*(\w+)\* = ", manual, re.MULTILINE):
            self.assertIn(name, names)

    def test_options_stand_in_the_manual_page(self):
        manual = read("docs/ringlet.8.scd")
        options = set(re.findall(r"--[a-z][a-z-]+", run("--help").stdout))
        self.assertIn("--config", options)
        for option in options:
            with self.subTest(option):
                self.assert_in(f"*{option}*", manual)
        for option in set(re.findall(r"\*(--[a-z-]+)\*", manual)):
            self.assertIn(option, options)

    def test_endpoints_stand_in_the_documents(self):
        names = re.findall(r"&(\w+)_endpoint", read("src/endpoints/registry.c"))
        self.assertIn("static", names)
        for name in names:
            with self.subTest(name):
                self.assert_in(f"_{name}_", read("docs/ringlet.conf.5.scd"))
                self.assert_in(f"\n## {name}\n", read("docs/endpoints.md"))

    def words_of(self, kind, name):
        """The name of each test in a file, as words."""
        path = f"test/{kind}/test_{name}.{'c' if kind == 'unit' else 'py'}"
        pattern = r"\bvoid test_(\w+)\(" if kind == "unit" else r"\bdef test_(\w+)\("
        self.assertTrue((TREE / path).exists(), f"{path} does not exist")
        return [words.replace("_", " ") for words in re.findall(pattern, read(path))]

    def assert_tests_exist(self, column):
        """For example: unit `range`: order is kept, examples …; integration `files`."""
        for reference in column.split("; "):
            match = re.fullmatch(r"(unit|integration) `(\w+)`(?:: (.+))?", reference)
            self.assertTrue(match, f"no test is named so: {reference!r}")
            kind, name, claims = match.groups()
            tests = self.words_of(kind, name)
            for claim in claims.split(", ") if claims else []:
                self.assertTrue(fnmatch.filter(tests, claim.replace("…", "*")),
                                f"{kind} {name} has no test {claim!r}")

    def test_tests_named_in_the_document_of_http_exist(self):
        is_named, count = False, 0
        for line in read("docs/http.md").splitlines():
            columns = [column.strip() for column in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not columns:
                is_named = False
            elif columns[0] == "section":
                is_named = columns[-1] == "test"
            elif is_named and columns[-1] not in ("---", "–"):
                count += 1
                with self.subTest(section=columns[0]):
                    self.assert_tests_exist(columns[-1])
        self.assertGreater(count, 80)

    def test_example_endpoint_ends_its_document_and_is_written_as_the_others(self):
        """test/integration/test_example.py compiles and runs it."""
        example = re.search(r"(?s)```c\n(.*)```\n\Z", read("docs/endpoints.md"))[1]
        path = "src/endpoints/hello.c"
        for check in checks.FILE_CHECKS:
            self.assertEqual(list(check(path, example)), [])
        if reason := checks.why_formatting_is_unknown():
            self.skipTest(reason)
        formatted = subprocess.run(["clang-format", f"--assume-filename={path}"], cwd=TREE,
                                   input=example, capture_output=True, text=True, timeout=60)
        self.assertEqual(example, formatted.stdout)

    def test_configuration_document_is_what_the_program_prints(self):
        self.assertEqual(read("docs/configuration.md"), run("--help-config=markdown").stdout)

    def test_sample_configuration_is_right(self):
        done = run("-c", TREE / "docs" / "ringlet.conf", "-t")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_configuration_of_the_readme_is_right(self):
        example = re.search(r"(?m)^    listen (?:.*\n(?:    .*\n)*)", read("README.md"))[0]
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "ringlet.conf")
            file.write_text(re.sub(r"(?m)^    ", "", example))
            pathlib.Path(directory, "www").mkdir()
            done = run("-c", file, "-t")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_configuration_of_the_manual_page_is_right(self):
        example = read("docs/ringlet.conf.5.scd").split("```")[1]
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "ringlet.conf")
            file.write_text(example.replace("/srv/www", directory))
            done = run("-c", file, "-t")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_counters_stand_in_the_documents(self):
        document = read("docs/endpoints.md")
        keys = re.findall(r'^\tX\(\w+, "(\w+)"', read("src/base/metrics.h"), re.MULTILINE)
        self.assertIn("requests", keys)
        for key in keys:
            with self.subTest(key):
                self.assert_in(f"`{key}`", document)


if __name__ == "__main__":
    tap_runner.main()

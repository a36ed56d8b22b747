"""Style is a test: the rules of checks.py, applied to this tree.

    CC   the compiler (default: cc)"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import checks  # noqa: E402
import tap_runner  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src", "test", "docs", "scripts", "www", ".ci", ".github",
           "subprojects")
TEXT_ENDINGS = (".c", ".h", ".py", ".md", ".scd", ".conf", ".html", ".css", ".js", ".svg", ".txt",
                ".yml", ".build", ".sh", ".wrap", ".supp", ".dict", "")


def is_text(path):
    return path.suffix in TEXT_ENDINGS


def is_generated(path):
    """Files of a build, of an unpacked subproject or of Python."""
    parts = path.relative_to(TREE).parts
    return "__pycache__" in parts or (parts[0] == "subprojects" and len(parts) > 2
                                      and parts[1] != "packagefiles")


def read_tree():
    files = [path for path in TREE.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        files += [path for path in (TREE / folder).rglob("*") if path.is_file()]
    tree = {}
    for path in files:
        if is_text(path) and not is_generated(path):
            try:
                tree[str(path.relative_to(TREE))] = path.read_bytes().decode()
            except UnicodeDecodeError:
                pass  # a corpus of the fuzzers
    return tree


# Prepared inputs must stay as they are; the rules about lines do not apply to them.
INPUTS = re.compile(r"^(test/fuzz/corpus|test/[^/]*/data|www/static/.*\.txt)")


class Style(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = read_tree()
        cls.constants = {name for path, text in cls.tree.items() if checks.is_source(path)
                         for name in checks.enumerators(text)}

    def assert_clean(self, findings):
        findings = list(findings)
        if findings:
            self.fail("\n" + "\n".join(findings))


def add_check(check, apply):
    def test(self):
        self.assert_clean(apply(self, check))
    test.__doc__ = check.__doc__
    setattr(Style, f"test_{check.__name__}", test)


def apply_to_files(self, check):
    for path, text in sorted(self.tree.items()):
        if INPUTS.match(path) and check in (checks.lines_fit, checks.lines_end_cleanly):
            continue
        if check is checks.enum_switches_name_every_case:
            yield from check(path, text, self.constants)
        else:
            yield from check(path, text)


def apply_to_disk(self, check):
    if check is checks.files_are_formatted and (reason := checks.why_formatting_is_unknown()):
        self.skipTest(reason)
    return check(TREE, sorted(self.tree))


for each in checks.FILE_CHECKS:
    add_check(each, apply_to_files)
for each in checks.TREE_CHECKS:
    add_check(each, lambda self, check: check(self.tree))
for each in checks.TOOL_CHECKS:
    add_check(each, apply_to_disk)

if __name__ == "__main__":
    tap_runner.main()

"""The rules of style that a program can check, as functions from a file to findings.

A check takes the path of a file, relative to the tree, and its text, and yields sentences that
begin with `PATH:LINE:`. It never reads the disk, so that test_checks.py can give it files that do
not exist. Checks that need a tool (a compiler, clang-format) get a directory. A check is named
after the claim that it tests. test_style.py applies all of them to this tree; test_checks.py
requires that each finds something in a bad example.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
TAB = 8

# What each layer may include, besides itself.
LAYERS = {
    "base": set(),
    "proactor": {"base"},
    "simulated": {"base", "proactor"},  # in test/: the tests' kernel
    "net": {"base", "proactor"},
    "http": {"base"},
    "files": {"base", "proactor", "http"},
    "filters": {"base", "proactor", "http", "files"},
    "http1": {"base", "proactor", "net", "http"},
    "http2": {"base", "proactor", "net", "http"},
    "endpoints": {"base", "proactor", "http", "files", "filters"},
    "server": {"base", "proactor", "net", "http", "http1", "http2", "files", "filters",
               "endpoints"},
}

# Headers that only some files may include, as patterns of paths.
PRIVATE_HEADERS = {
    r"liburing(/.*)?\.h|linux/io_uring\.h": r"src/proactor/uring[^/]*|test/bench/.*",
    r"sys/epoll\.h": r"src/proactor/epoll[^/]*|test/bench/.*",
    r"proactor/backend\.h": r"src/proactor/[^/]*|test/.*",
    r"openssl/.*": r"src/net/tls[^/]*|test/unit/(test_tls|certificates)[^/]*",
    r"zlib\.h": r"src/filters/gzip\.c|test/unit/test_gzip\.c",
    r"nghttp2/.*": r"src/http2/.*",
    r"xxhash\.h": r"src/files/content_hash_xxhash\.c",
}


# --- reading C --------------------------------------------------------------------------------


def is_c(path):
    return path.endswith((".c", ".h"))


def is_source(path):
    return is_c(path) and path.startswith(("src/", "test/simulated/"))


_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def comments(text):
    """Pairs of line number and comment."""
    for match in _TOKEN.finditer(text):
        if match[0].startswith("/"):
            yield text.count("\n", 0, match.start()) + 1, match[0]


def without_comments(text, strings_too=False):
    """The code without comments; line numbers stay the same."""
    def blank(match):
        if match[0].startswith("/") or strings_too:
            return re.sub(r"[^\n]", " ", match[0])
        return match[0]
    return _TOKEN.sub(blank, text)


def includes(text):
    """Triples of line number, opening character, and what is included."""
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line):
            yield number, match[1], match[2]


def functions(text):
    """Triples of name, first line and last line. Requires that the braces of a function stand alone
    in the first column, where clang-format puts them."""
    lines = without_comments(text, strings_too=True).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = " ".join(lines[max(0, start - 8):start - 1])
            names = re.findall(r"(\w+)\s*\(", re.split(r"[;}]", head)[-1])
            names = [name for name in names if name != "__attribute__"]
            yield (names[0] if names else "?"), start, number
            start = None


# --- the checks -------------------------------------------------------------------------------


def layers_include_only_what_is_below(path, text):
    if not is_source(path):
        return
    layer = path.split("/")[1]
    if layer not in LAYERS:
        if path != "src/main.c":
            yield f"{path}:1: {layer} is no layer"
        return
    for line, quote, name in includes(text):
        if quote != '"':
            continue
        other = name.split("/")[0]
        if "/" not in name or ".." in name:
            yield f'{path}:{line}: "{name}": write "layer/file.h"'
        elif other not in LAYERS:
            yield f"{path}:{line}: {other} is no layer"
        elif other != layer and other not in LAYERS[layer]:
            yield f"{path}:{line}: {layer} must not know {other}"


def layers_link_only_with_what_is_below(path, text):
    match = re.fullmatch(r"(?:src|test)/(\w+)/meson\.build", path)
    if not match or match[1] not in LAYERS:
        return
    layer = match[1]
    for line, content in enumerate(text.splitlines(), 1):
        for names in re.findall(r"\bdependencies:\s*\[([^\]]*)\]", content):
            for other in re.findall(r"\w+", names):
                if other in LAYERS and other != layer and other not in LAYERS[layer]:
                    yield f"{path}:{line}: {layer} must not be linked with {other}"


def outside_libraries_have_one_place(path, text):
    if not is_c(path):
        return
    for line, _, name in includes(text):
        for pattern, place in PRIVATE_HEADERS.items():
            if re.fullmatch(pattern, name) and not re.fullmatch(place, path):
                yield f"{path}:{line}: {name} is known only to {place}"


def functions_are_short(path, text):
    if not is_c(path):
        return
    for name, first, last in functions(text):
        length = last - first + 1
        if length > FUNCTION_LINES_MAX:
            yield f"{path}:{first}: {name} has {length} lines, {FUNCTION_LINES_MAX} are the limit"


def files_open_with_what_they_are(path, text):
    if not is_c(path):
        return
    first = next(comments(text), None)
    if not text.startswith("/*") or not first:
        yield f"{path}:1: a file opens with a comment that says what it is and why"
    elif len(re.findall(r"\w+", first[1])) < 5:
        yield f"{path}:1: the opening comment says too little"


def lines_fit(path, text):
    """A table that clang-format leaves alone may be as wide as its rows."""
    if not is_c(path) and not path.endswith(".py") and not text.startswith("#!"):
        return
    is_table = False
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.search(r"/\* clang-format (on|off) \*/", line):
            is_table = match[1] == "off"
        if len(line.expandtabs(TAB)) > COLUMNS_MAX and "://" not in line and not is_table:
            yield f"{path}:{number}: longer than {COLUMNS_MAX} columns"


def lines_end_cleanly(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f"{path}:{number}: white space at the end"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield f"{path}:{text.count(chr(10)) + 1}: a file ends in one newline"


def nothing_is_left_for_later(path, text):
    # The words are assembled, so that the check does not find this file.
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "To be writ" + "ten"))
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.search(rf"\b({words})\b", line):
            yield f"{path}:{number}: {match[1]}: do it or drop it"


def no_code_is_commented_out(path, text):
    """A comment in which every line reads as a statement. Examples within a comment of sentences
    are welcome."""
    if not is_c(path):
        return
    for number, comment in comments(text):
        body = re.sub(r"^/\*+|\*+/$|^//", "", comment)
        lines = [re.sub(r"^\s*\*?\s*", "", line).rstrip() for line in body.splitlines()]
        lines = [line for line in lines if line]
        if any(line.endswith(";") for line in lines) and all(
                re.search(r"[;{}]$|^#\s*\w", line) for line in lines):
            yield f"{path}:{number}: commented-out code"
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*#\s*if\s+0\b", line):
            yield f"{path}:{number}: code switched off by #if 0"


def enumerators(text):
    """The enumeration constants that a text defines."""
    code = without_comments(text)
    for body in re.findall(r"\benum\b\s*\w*\s*\{([^}]*)\}", code):
        yield from re.findall(r"(?:^|,)\s*([A-Z][A-Z0-9_]+)", body)


def enum_switches_name_every_case(path, text, known=frozenset()):
    """`known` are enumeration constants that other files define."""
    if not is_source(path):
        return
    constants = set(known) | set(enumerators(text))
    code = without_comments(text, strings_too=True)
    for match in re.finditer(r"\bswitch\s*\(", code):
        body, line = _braced(code, match.end()), code.count("\n", 0, match.start()) + 1
        labels = re.findall(r"\bcase\s+(\w+)", body)
        if re.search(r"\bdefault\s*:", body) and any(label in constants for label in labels):
            yield f"{path}:{line}: a switch over an enum has no default"


def _braced(code, start):
    """The text between the next brace and its closing brace."""
    begin = code.find("{", start)
    depth = 0
    for i in range(begin, len(code)):
        depth += {"{": 1, "}": -1}.get(code[i], 0)
        if depth == 0:
            return code[begin:i]
    return code[begin:]


def guard_of(path):
    return "RINGLET_" + re.sub(r"\W", "_", path.split("/", 1)[1]).upper()


def headers_are_guarded(path, text):
    if not is_source(path) or not path.endswith(".h"):
        return
    guard = guard_of(path)
    directives = re.findall(r"^#.*$", without_comments(text), re.MULTILINE)
    if directives[:2] != [f"#ifndef {guard}", f"#define {guard}"] or directives[-1] != "#endif":
        yield f"{path}:1: the include guard must be {guard}"


def conditional_code_stays_below(path, text):
    if not is_source(path) or re.match(r"src/(base/|proactor/(uring|epoll))", path):
        return
    guard = guard_of(path)
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line) and guard not in line:
            yield f"{path}:{number}: no #if outside base/ and the backends"


def own_header_comes_first(path, text):
    """The own header comes first, then those of the system, then those of the layers. A source that
    implements a part of another header may include that one first."""
    if not is_source(path):
        return
    own = re.sub(r"^(src|test)/", "", path).removesuffix(".c") + ".h"
    names = list(includes(text))
    if any(name == own for _, _, name in names):
        if names[0][2] != own:
            yield f"{path}:{names[0][0]}: {own} comes first"
    layers_seen = False
    for line, quote, name in names[1 if path.endswith(".c") else 0:]:
        if quote == "<" and layers_seen:
            yield f"{path}:{line}: <{name}> comes before the layers' headers"
        layers_seen = layers_seen or quote == '"'


def only_functions_have_typedefs(path, text):
    if not is_source(path):
        return
    code = without_comments(text)
    for match in re.finditer(r"^\s*typedef\b[^;{]*[;{]", code, re.MULTILINE):
        if not re.search(r"\w+_fn\s*\(", match[0]):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{line + match[0].startswith(chr(10))}: typedefs are for function types"


def streams_are_sealed(path, text):
    """Above net/ nothing touches a member of a stream or of a stream's output."""
    if not is_source(path) or "net/stream.h" not in text and "connection.h" not in text:
        return
    if path.startswith("src/net/"):
        return
    for number, line in enumerate(without_comments(text, strings_too=True).splitlines(), 1):
        if match := re.search(r"\b(stream(?:\.|->)\w+|send\.\w+)", line):
            yield f"{path}:{number}: {match[0]}: a stream is sealed, call a function of it"


def strings_are_bounded(path, text):
    if not is_source(path):
        return
    for number, line in enumerate(without_comments(text, strings_too=True).splitlines(), 1):
        if match := re.search(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(", line):
            yield f"{path}:{number}: {match[1]}() knows no bound"


def scripts_stop_at_the_first_error(path, text):
    if not text.startswith("#!") or "bash" not in text.split("\n", 1)[0]:
        return
    if "\nset -euo pipefail\n" not in text:
        yield f"{path}:1: a script sets -euo pipefail"


def python_uses_the_standard_library_only(path, text):
    if not path.endswith(".py"):
        return
    own = {"harness", "tap_runner", "checks", "summary", "cases", "measure", "report", "servers",
           "slow_files", "targets", "webdriver"}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*(?:import|from)\s+([A-Za-z_]\w*)(?:[\w.]*)(?:\s+import\b|\s*$|\s*#|"
                         r"\s*,|\s+as\b)", line)
        if match and match[1] not in sys.stdlib_module_names | own:
            yield f"{path}:{number}: {match[1]} is not in the standard library"


def sources_are_built(tree):
    """`tree` maps paths to texts. A file that no meson.build names is never tested."""
    for path in sorted(tree):
        if not path.endswith(".c") or not path.startswith(("src/", "test/")):
            continue
        folder, _, name = path.rpartition("/")
        while folder and f"{folder}/meson.build" not in tree:
            folder = folder.rpartition("/")[0]
        build = tree.get(f"{folder}/meson.build", "") + tree.get("meson.build", "")
        stem = name.removesuffix(".c")
        short = re.escape(re.sub(r"^(test|fuzz)_", "", stem))
        if not re.search(rf"\b{re.escape(name)}'|'{short}'", build):
            yield f"{path}:1: no meson.build names it"


def links_lead_somewhere(tree):
    """Relative links of the documents with their anchors, and words in backticks that look like
    paths."""
    folders = {"/".join(path.split("/")[:i])
               for path in tree for i in range(1, path.count("/") + 1)}
    for path, text in sorted(tree.items()):
        if not path.endswith(".md"):
            continue
        base = path.rpartition("/")[0]
        for number, line in enumerate(text.splitlines(), 1):
            for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?[^)]*\)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                file = _joined(base, target) if target else path
                if not _exists(file, tree, folders):
                    yield f"{path}:{number}: {target} does not exist"
                elif anchor and anchor not in _anchors(tree.get(file, "")):
                    yield f"{path}:{number}: {file} has no heading #{anchor}"
            for target in re.findall(r"`((?:src|test|docs|scripts|www)/[\w./-]*)`", line):
                if not _exists(target, tree, folders):
                    yield f"{path}:{number}: {target} does not exist"


def _anchors(document):
    """As forges make them of headings."""
    for heading in re.findall(r"^#+ (.*)$", document, re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


GLOSSARY = "docs/glossary.md"


def _glossary_words(tree):
    return re.findall(r"^\| ([^|]+?) \|.*`\S+` \|$", tree.get(GLOSSARY, ""), re.MULTILINE)


def glossary_is_in_order_and_used(tree):
    words = _glossary_words(tree)
    if words != sorted(words, key=str.lower):
        yield f"{GLOSSARY}:1: the words are not in alphabetical order"
    others = " ".join(text for path, text in tree.items() if path != GLOSSARY and
                      path.startswith(("src/", "docs/"))).lower()
    for word in words:
        if not re.search(rf"\b{re.escape(word.lower())}(s|es)?\b", others):
            yield f"{GLOSSARY}:1: no other document and no source says {word}"


def words_in_italics_are_in_the_glossary(tree):
    """The documents for developers put the project's own words in italics where they explain
    them."""
    words = {word.lower() for word in _glossary_words(tree)}
    for path in ("CONTRIBUTING.md", "docs/architecture.md", "docs/debugging.md"):
        for number, line in enumerate(tree.get(path, "").splitlines(), 1):
            line = re.sub(r"`[^`]*`|\*\*.*?\*\*", "", line)
            for word in re.findall(r"(?<!\*)\*([a-z][a-z -]*)\*(?!\*)", line):
                if word not in words and word.removesuffix("s") not in words:
                    yield f"{path}:{number}: {word} is not in {GLOSSARY}"


def names_in_documents_exist(tree):
    """The structs and functions that documents name."""
    code = "\n".join(text for path, text in tree.items()
                     if path.startswith(("src/", "test/")) and is_c(path))
    for path, text in sorted(tree.items()):
        if path not in ("CONTRIBUTING.md", "docs/architecture.md", "docs/debugging.md", GLOSSARY):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for name in re.findall(r"`struct (\w+)`|`(\w+)\(\)`", line):
                name = name[0] or name[1]
                if not re.search(rf"\b{name}\b", code):
                    yield f"{path}:{number}: no source knows {name}"


def _joined(base, target):
    parts = base.split("/") if base else []
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _exists(target, tree, folders):
    target = target.rstrip("/")
    return target in tree or target in folders or target == ""


def packages_are_listed(tree):
    """Those that the scripts install are those that CONTRIBUTING.md lists."""
    needed = set(re.findall(r"^\tneed (\S+)", tree.get("scripts/lib.sh", ""), re.MULTILINE))
    listed = set()
    for row in re.findall(r"^\| (?:building|testing) \| (.*) \|$", tree.get("CONTRIBUTING.md", ""),
                          re.MULTILINE):
        listed |= set(row.split())
    if needed != listed:
        yield f"CONTRIBUTING.md:1: its packages differ from scripts/lib.sh in {needed ^ listed}"


def versions_agree(tree):
    version = re.search(r"^\s*version: '([\d.]+)'", tree["meson.build"], re.MULTILINE)[1]
    if f"## [{version}]" not in tree.get("CHANGELOG.md", ""):
        yield f"CHANGELOG.md:1: says nothing about {version}, the version of meson.build"


# --- checks that need a tool ------------------------------------------------------------------


def headers_are_self_contained(directory, paths):
    compiler = os.environ.get("CC", "cc").split()
    for path in paths:
        if not is_source(path) or not path.endswith(".h"):
            continue
        done = subprocess.run(
            [*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Werror",
             "-Isrc", "-Itest", "-include", path, "-x", "c", "/dev/null"],
            cwd=directory, capture_output=True, text=True, timeout=60)
        if "liburing.h: No such file" in done.stderr:
            continue  # a build without io_uring
        if done.returncode != 0:
            yield f"{path}:1: does not compile alone: {done.stderr[:300]}"


CLANG_FORMAT_VERSION = "14"  # the version of Debian 12; others format differently


def why_formatting_is_unknown():
    """Why files_are_formatted() cannot work, or ""."""
    program = shutil.which("clang-format")
    if not program:
        return "clang-format is not installed"
    version = subprocess.run([program, "--version"], capture_output=True, text=True,
                             timeout=60).stdout.strip()
    if f"version {CLANG_FORMAT_VERSION}." not in version:
        return f"clang-format {CLANG_FORMAT_VERSION} decides, not {version}"
    return ""


def files_are_formatted(directory, paths):
    files = [path for path in paths if is_c(path)]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=directory,
                          capture_output=True, text=True, timeout=120)
    yield from (line for line in done.stderr.splitlines() if "error:" in line)
    if done.returncode != 0 and "error:" not in done.stderr:
        yield f".clang-format:1: {done.stderr.strip()}"


def is_script(path):
    return bool(re.fullmatch(r"scripts/\w+|\.ci/run", path))


def scripts_tell_their_usage(directory, paths):
    """--help works from every directory, changes nothing there and prints no error."""
    for path in filter(is_script, paths):
        script = os.path.join(os.path.abspath(directory), path)
        if not os.access(script, os.X_OK):
            yield f"{path}:1: not executable"
            continue
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=20,
                                  stdin=subprocess.DEVNULL, cwd=elsewhere)
            left = os.listdir(elsewhere)
        if (done.returncode, done.stderr, left) != (0, "", []):
            yield f"{path}:1: --help: exit code {done.returncode}, {done.stderr!r}, left {left}"
        if not done.stdout.startswith(f"Usage: {path}") or "--help" not in done.stdout:
            yield f"{path}:1: --help does not begin with `Usage: {path}` or does not name --help"


# All checks: of one file, of the whole tree, of what is on disk.
FILE_CHECKS = [
    layers_include_only_what_is_below,
    layers_link_only_with_what_is_below,
    outside_libraries_have_one_place,
    functions_are_short,
    files_open_with_what_they_are,
    lines_fit,
    lines_end_cleanly,
    nothing_is_left_for_later,
    no_code_is_commented_out,
    enum_switches_name_every_case,
    headers_are_guarded,
    conditional_code_stays_below,
    own_header_comes_first,
    only_functions_have_typedefs,
    streams_are_sealed,
    strings_are_bounded,
    scripts_stop_at_the_first_error,
    python_uses_the_standard_library_only,
]
TREE_CHECKS = [
    sources_are_built,
    links_lead_somewhere,
    glossary_is_in_order_and_used,
    words_in_italics_are_in_the_glossary,
    names_in_documents_exist,
    packages_are_listed,
    versions_agree,
]
TOOL_CHECKS = [
    headers_are_self_contained,
    files_are_formatted,
    scripts_tell_their_usage,
]

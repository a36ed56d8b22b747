"""Every check can fail: each finds something in its bad examples and nothing in its good ones.

A check without a bad example fails itself, so that no rule is useless."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import checks  # noqa: E402
import tap_runner  # noqa: E402

LONG_FUNCTION = "int f(void)\n{\n" + "\tg();\n" * 69 + "}\n"
FITTING_FUNCTION = "int f(void)\n{\n" + "\tg();\n" * 68 + "}\n"
LATER = "TO" + "DO"
SWITCH = ("enum color { COLOR_RED, COLOR_BLUE };\n"
          "void f(int c)\n{\n\tswitch (c) {\n\tcase %s:\n\t\tbreak;\n%s\t}\n}\n")

# Check: bad examples, good examples; each a path and a text.
EXAMPLES = {
    checks.layers_include_only_what_is_below: (
        [("src/base/a.c", '#include "net/address.h"\n'),
         ("src/http/a.c", '#include "proactor/op.h"\n'),
         ("src/http1/a.h", '#include "http2/a.h"\n'),
         ("src/endpoints/a.c", '#include "http1/parser.h"\n'),
         ("src/files/a.c", '#include "filters/a.h"\n'),
         ("src/net/a.c", '#include "address.h"\n'),
         ("src/net/a.c", '#include "../base/text.h"\n'),
         ("src/net/a.c", '#  include "other/text.h"\n'),
         ("src/net/a.c", '#include "simulated/simulated.h"\n'),
         ("test/simulated/a.c", '#include "net/address.h"\n'),
         ("src/other/a.c", "int a;\n")],
        [("src/http1/a.c", '#include <errno.h>\n#include "net/stream.h"\n'),
         ("src/server/a.c", '#include "endpoints/registry.h"\n'),
         ("test/simulated/a.c", '#include "proactor/backend.h"\n'),
         ("src/base/a.c", '/* #include "net/address.h" */\n'),
         ("src/main.c", '#include "server/supervisor.h"\n')]),
    checks.layers_link_only_with_what_is_below: (
        [("src/http/meson.build", "x = static_library('x',\n    dependencies: [base, net])\n"),
         ("src/net/meson.build", "x = static_library('x',\n    dependencies: [simulated])\n")],
        [("src/net/meson.build", "x = static_library('x',\n    dependencies: [base, proactor])\n"),
         ("src/proactor/meson.build", "dependencies: [base, threads, liburing])\n")]),
    checks.outside_libraries_have_one_place: (
        [("src/server/worker.c", "#include <liburing.h>\n"),
         ("src/proactor/epoll.c", "#include <linux/io_uring.h>\n"),
         ("src/net/listener.c", "#include <sys/epoll.h>\n"),
         ("src/server/worker.c", "#include <zlib.h>\n"),
         ("src/net/stream.c", '#include "proactor/backend.h"\n'),
         ("src/net/stream.c", "#include <openssl/ssl.h>\n"),
         ("src/http1/a.c", "#include <nghttp2/nghttp2.h>\n"),
         ("src/files/etag.c", "#include <xxhash.h>\n")],
        [("src/proactor/uring_sendfile.c", "#include <liburing.h>\n"),
         ("src/proactor/epoll.c", "#include <sys/epoll.h>\n"),
         ("src/filters/gzip.c", "#include <zlib.h>\n"),
         ("test/contract/a.c", '#include "proactor/backend.h"\n')]),
    checks.functions_are_short: (
        [("src/base/a.c", LONG_FUNCTION)],
        [("src/base/a.c", FITTING_FUNCTION), ("src/base/a.c", FITTING_FUNCTION * 2),
         ("src/base/a.c", "int table[] = {\n" + "\t1,\n" * 90 + "};\n")]),
    checks.files_open_with_what_they_are: (
        [("src/base/a.c", "int a;\n"),
         ("src/base/a.c", "#include <errno.h>\n/* This comes too late now. */\n"),
         ("src/base/a.c", "/* Lists. */\n")],
        [("src/base/a.c", "/* Lists whose nodes are embedded in their owners. */\n")]),
    checks.lines_fit: (
        [("src/base/a.c", "x" * 101 + "\n"), ("src/base/a.c", "\t" * 12 + "12345\n"),
         ("src/base/a.c", "/* clang-format off */\n/* clang-format on */\n" + "x" * 101)],
        [("src/base/a.c", "x" * 100 + "\n"), ("src/base/a.c", "\t" * 12 + "1234\n"),
         ("src/base/a.c", "/* clang-format off */\n" + "x" * 101 + "\n"),
         ("docs/a.md", "x" * 101 + "\n")]),
    checks.lines_end_cleanly: (
        [("src/base/a.c", "int a; \n"), ("src/base/a.c", "int a;\r\n"), ("src/base/a.c", "int a;"),
         ("src/base/a.c", "int a;\n\n")],
        [("src/base/a.c", "int a;\n"), ("www/empty", "")]),
    checks.nothing_is_left_for_later: (
        [("src/base/a.c", f"/* {LATER}: free it */\n"), ("docs/a.md", f"{LATER}\n")],
        [("src/base/a.c", "/* What is to do here? */\n")]),
    checks.no_code_is_commented_out: (
        [("src/base/a.c", "/* free(pointer); */\n"), ("src/base/a.c", "// close(fd);\n"),
         ("src/base/a.c", "/*\n\tif (a) {\n\t\tb();\n\t}\n*/\n"),
         ("src/base/a.c", "#if 0\nint a;\n#endif\n")],
        [("src/base/a.c", "/* As in:\n *\tclose(fd);\n */\n"),
         ("src/base/a.c", "/* name { … } */\n"),
         ("src/base/a.c", 'puts("/* close(fd); */");\n')]),
    checks.enum_switches_name_every_case: (
        [("src/base/a.c", SWITCH % ("COLOR_RED", "\tdefault:\n\t\tbreak;\n"))],
        [("src/base/a.c", SWITCH % ("COLOR_RED", "")),
         ("src/base/a.c", SWITCH % ("'a'", "\tdefault:\n\t\tbreak;\n")),
         ("src/base/a.c", SWITCH % ("EINTR", "\tdefault:\n\t\tbreak;\n"))]),
    checks.headers_are_guarded: (
        [("src/base/a.h", "int a;\n#endif\n"),
         ("src/base/a.h", "#ifndef A_H\n#define A_H\n#endif\n")],
        [("src/base/a.h", "/* What. */\n#ifndef RINGLET_BASE_A_H\n#define RINGLET_BASE_A_H\n"
                          "#endif\n")]),
    checks.conditional_code_stays_below: (
        [("src/http/a.c", "#ifdef HAVE_ZLIB\n#endif\n"), ("src/server/a.c", "# if A\n#endif\n"),
         ("src/proactor/pool.c", "#ifndef A\n#endif\n")],
        [("src/base/a.c", "#ifdef A\n#endif\n"), ("src/proactor/uring_compat.h", "#ifndef A\n"),
         ("src/http/a.h", "#ifndef RINGLET_HTTP_A_H\n#define RINGLET_HTTP_A_H\n#endif\n"),
         ("test/unit/a.c", "#ifdef A\n#endif\n")]),
    checks.own_header_comes_first: (
        [("src/base/a.c", '#include <errno.h>\n\n#include "base/a.h"\n'),
         ("src/base/a.c", '#include "base/a.h"\n#include "base/b.h"\n#include <errno.h>\n'),
         ("src/base/a.h", '#include "base/b.h"\n#include <errno.h>\n')],
        [("src/base/a.c", '#include "base/a.h"\n\n#include <errno.h>\n\n#include "base/b.h"\n'),
         ("src/base/b.c", '#include <errno.h>\n\n#include "base/a.h"\n')]),
    checks.only_functions_have_typedefs: (
        [("src/base/a.h", "typedef struct { int a; } thing;\n"),
         ("src/base/a.h", "typedef unsigned length;\n")],
        [("src/base/a.h", "typedef void op_done_fn(struct proactor *,\n\tstruct op *);\n")]),
    checks.streams_are_sealed: (
        [("src/http1/a.c", '#include "net/stream.h"\n\tclose(connection->stream.fd);\n'),
         ("src/http1/a.c", '#include "http1/connection.h"\n\tx = active->send.op.moved;\n')],
        [("src/http1/a.c",
          '#include "net/stream.h"\n\tx = stream_error(stream); /* a->stream.fd */\n'),
         ("src/net/stream.c", '#include "net/stream.h"\n\tclose(stream->fd);\n')]),
    checks.strings_are_bounded: (
        [("src/base/a.c", "\tstrcpy(a, b);\n"), ("src/base/a.c", "\tsprintf(a, b);\n")],
        [("src/base/a.c", "\tsnprintf(a, 1, b);\n"),
         ("src/base/a.c", '\tputs("strcpy(a, b)");\n')]),
    checks.scripts_stop_at_the_first_error: (
        [("scripts/a", "#!/usr/bin/env bash\necho\n")],
        [("scripts/a", "#!/usr/bin/env bash\n# What.\nset -euo pipefail\n")]),
    checks.python_uses_the_standard_library_only: (
        [("test/a.py", "import requests\n"), ("test/a.py", "    from numpy.linalg import norm\n")],
        [("test/a.py", "import os\nfrom xml.dom import minidom\nimport harness  # ours\n"),
         ("test/a.py", '"""A text\nfrom here on.\n"""\n')]),
}

# The same for the checks of a whole tree.
TREES = {
    checks.sources_are_built: (
        [{"src/base/meson.build": "static_library('a',\n    'text.c')\n", "src/base/list.c": ""},
         {"src/base/list.c": ""}],
        [{"src/base/meson.build": "static_library('a',\n    'list.c')\n", "src/base/list.c": ""},
         {"test/unit/meson.build": "    'list': base,\n", "test/unit/test_list.c": ""},
         {"meson.build": "executable('a', 'src/main.c')\n", "src/main.c": ""}]),
    checks.links_lead_somewhere: (
        [{"README.md": "[a](docs/a.md)\n"}, {"docs/a.md": "[b](../b.md)\n"},
         {"README.md": "`src/none/`\n"}, {"README.md": "[a](#b)\n# B c\n"},
         {"README.md": "[a](docs/a.md#part)\n", "docs/a.md": "## Parts\n"}],
        [{"README.md": "[a](docs/a.md#a-part-2) [b](https://example.com/) [c](#d)\n# D\n",
          "docs/a.md": "## A `part`, 2\n"},
         {"README.md": "`src/base/`\n", "src/base/a.c": ""}]),
    checks.glossary_is_in_order_and_used: (
        [{"docs/glossary.md": "| turn | x | `src/a.h` |\n", "src/a.h": "/* re-turned */"},
         {"docs/glossary.md": "| turn | x | `src/a.h` |\n| loan | x | `src/a.h` |\n",
          "src/a.h": "/* A loan of one turn. */"}],
        [{"docs/glossary.md": "| loan | x | `src/a.h` |\n| turn | x | `src/a.h` |\n",
          "src/a.h": "/* Loans of one turn. */"}]),
    checks.words_in_italics_are_in_the_glossary: (
        [{"docs/architecture.md": "A *loan* ends.\n"},
         {"docs/architecture.md": "A *loan* ends.\n", "docs/glossary.md": "| op | x | `a` |\n"}],
        [{"docs/architecture.md": "**A** *loan* of `*this*` ends, *loans* end.\n",
          "docs/glossary.md": "| loan | x | `a` |\n"},
         {"docs/deploy.md": "A *server*.\n"}]),
    checks.names_in_documents_exist: (
        [{"docs/architecture.md": "`struct absent`\n"}, {"docs/architecture.md": "`absent()`\n"},
         {"docs/architecture.md": "`f()`\n", "src/a.c": "ff()"}],
        [{"docs/architecture.md": "`struct a` and `f()`\n", "src/a.c": "struct a *f(void);"}]),
    checks.packages_are_listed: (
        [{"scripts/lib.sh": "\tneed gcc x\n", "CONTRIBUTING.md": "| building | meson |\n"},
         {"scripts/lib.sh": "\tneed gcc x\n"}],
        [{"scripts/lib.sh": "\tneed gcc x\n\tneed b y\n",
          "CONTRIBUTING.md": "| building | gcc |\n| testing | b |\n"}]),
    checks.versions_agree: (
        [{"meson.build": "    version: '0.2.0',\n", "CHANGELOG.md": "## [0.1.0]\n"},
         {"meson.build": "    version: '0.2.0',\n"}],
        [{"meson.build": "    version: '0.2.0',\n", "CHANGELOG.md": "## [0.2.0] - unreleased\n"}]),
}

# For checks that need a tool: the files that are written to a directory.
DISKS = {
    checks.headers_are_self_contained: (
        [{"src/base/a.h": "size_t length_of(void);\n"}],
        [{"src/base/a.h": "#include <stddef.h>\nsize_t length_of(void);\n"}]),
    checks.files_are_formatted: (
        [{"src/base/a.c": "int   a;\n", ".clang-format": "BasedOnStyle: LLVM\n"}],
        [{"src/base/a.c": "int a;\n", ".clang-format": "BasedOnStyle: LLVM\n"}]),
    checks.scripts_tell_their_usage: (
        [{"scripts/a": "#!/bin/sh\necho Usage: scripts/b, --help\n"},
         {"scripts/a": "#!/bin/sh\necho Usage: scripts/a, --help\nexit 1\n"},
         {"scripts/a": "#!/bin/sh\necho Usage: scripts/a, --help\ntouch b\n"},
         {".ci/run": "#!/bin/sh\necho Usage: .ci/run\n"}],
        [{"scripts/a": "#!/bin/sh\necho Usage: scripts/a, --help\n"}]),
}


def findings_on_disk(check, files):
    with tempfile.TemporaryDirectory() as directory:
        for path, text in files.items():
            file = pathlib.Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        return list(check(directory, list(files)))


class Checks(unittest.TestCase):
    def test_every_check_has_bad_and_good_examples(self):
        self.assertEqual(set(EXAMPLES), set(checks.FILE_CHECKS))
        self.assertEqual(set(TREES), set(checks.TREE_CHECKS))
        self.assertEqual(set(DISKS), set(checks.TOOL_CHECKS))
        for bad, good in [*EXAMPLES.values(), *TREES.values(), *DISKS.values()]:
            self.assertTrue(bad and good)

    def test_function_that_is_too_long_is_named(self):
        finding = next(checks.functions_are_short("src/base/a.c", LONG_FUNCTION))
        self.assertIn("src/base/a.c:2: f has 71 lines", finding)

    def test_enum_of_another_file_is_known(self):
        text = "void f(int c)\n{\n\tswitch (c) {\n\tcase A_B:\n\tdefault:\n\t\tbreak;\n\t}\n}\n"
        check = checks.enum_switches_name_every_case
        self.assertEqual(list(check("src/base/a.c", text)), [])
        self.assertEqual(len(list(check("src/base/a.c", text, {"A_B"}))), 1)


def add_examples(check, bad, good, apply):
    def test(self):
        if check is checks.files_are_formatted and (reason := checks.why_formatting_is_unknown()):
            self.skipTest(reason)
        for example in bad:
            with self.subTest(bad=example):
                self.assertTrue(list(apply(check, example)), "not found")
        for example in good:
            with self.subTest(good=example):
                self.assertEqual(list(apply(check, example)), [])
    setattr(Checks, f"test_{check.__name__}_can_fail", test)


for each, examples in EXAMPLES.items():
    add_examples(each, *examples, lambda check, example: check(*example))
for each, examples in TREES.items():
    add_examples(each, *examples, lambda check, example: check(example))
for each, examples in DISKS.items():
    add_examples(each, *examples, findings_on_disk)

if __name__ == "__main__":
    tap_runner.main()

"""Extracts the example endpoint from docs/endpoints.md and registers it, as a reader of the
document would.

    example_endpoint.py endpoints.md registry.c hello.c registry_with_hello.c

Reads the first two files, writes the last two."""

import pathlib
import re
import sys


def example(document):
    """The last C block of the document."""
    return re.findall(r"(?ms)^```c\n(.*?)^```$", document)[-1]


def registered(registry):
    """Adds one endpoint to the end of the list, and its declaration."""
    registry, count = re.subn(r"(?m)^\tNULL,$", "\t&hello_endpoint,\n\tNULL,", registry)
    if count != 1:
        raise ValueError("the registry has no end")
    return registry.replace("\nconst struct endpoint *const",
                            "\nextern const struct endpoint hello_endpoint;\n"
                            "\nconst struct endpoint *const", 1)


if __name__ == "__main__":
    endpoints, registry_file, hello, registry_with_hello = map(pathlib.Path, sys.argv[1:])
    hello.write_text(example(endpoints.read_text()))
    registry_with_hello.write_text(registered(registry_file.read_text()))

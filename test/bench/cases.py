"""The cases, and the files that they request."""

import dataclasses
import os

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

FILES = {"1k": KIB, "16k": 16 * KIB, "100k": 100 * KIB, "1m": MIB, "100m": 100 * MIB, "1g": GIB}
MANY_COUNT = 1000
COLD_COUNT = 128


@dataclasses.dataclass(frozen=True)
class Case:
    """`length` is the length of a body; `kind` is how the case runs: plain, schedule, cold, slow,
    idle."""

    name: str
    path: str = ""
    length: int = 0
    connections: int = 64
    depth: int = 1
    is_reopening: bool = False
    status: int = 200
    field: str = ""            # @MODIFIED@ is replaced by the file's Last-Modified
    paths: str = ""            # a file with paths, below the directory of the benchmark
    kind: str = "plain"
    has_ceiling: bool = False
    is_quick: bool = False

    @property
    def is_large(self):
        """Compared per byte, because few requests end during a run."""
        return self.length >= MIB


CASES = [
    Case("ping", "/ping", 4, has_ceiling=True, is_quick=True),
    Case("ping-1", "/ping", 4, connections=1, has_ceiling=True),
    Case("ping-512", "/ping", 4, connections=512, has_ceiling=True),
    Case("1k", "/1k", KIB, has_ceiling=True, is_quick=True),
    Case("1k-1", "/1k", KIB, connections=1, has_ceiling=True),
    Case("1k-512", "/1k", KIB, connections=512, has_ceiling=True),
    Case("16k", "/16k", 16 * KIB, has_ceiling=True, is_quick=True),
    Case("100k", "/100k", 100 * KIB, has_ceiling=True, is_quick=True),
    Case("100k-1", "/100k", 100 * KIB, connections=1, has_ceiling=True),
    Case("100k-512", "/100k", 100 * KIB, connections=512, has_ceiling=True),
    Case("1m", "/1m", MIB, has_ceiling=True, is_quick=True),
    Case("1m-1", "/1m", MIB, connections=1, has_ceiling=True),
    Case("100m", "/100m", 100 * MIB),
    Case("100m-1", "/100m", 100 * MIB, connections=1),
    Case("1g", "/1g", GIB),
    Case("1g-1", "/1g", GIB, connections=1),
    Case("1000-files", length=KIB, paths="many-paths"),
    Case("dynamic-100k", "/dynamic/100k", 100 * KIB),
    Case("dynamic-1m", "/dynamic/1m", MIB),
    Case("connection-each", "/1k", KIB, is_reopening=True, has_ceiling=True, is_quick=True),
    Case("pipelined-16", "/1k", KIB, depth=16, has_ceiling=True, is_quick=True),
    Case("304", "/1k", 0, status=304, field="If-Modified-Since: @MODIFIED@"),
    Case("range", "/1m", 1000, status=206, field="Range: bytes=500000-500999"),
    Case("404", "/absent", 0, status=404),
    Case("cold", length=MIB, paths="cold-paths", kind="cold"),
    Case("schedule", "/1k", KIB, kind="schedule"),
    Case("slow-readers", "/ping", 4, connections=8, kind="slow"),
    Case("idle", "/ping", 4, kind="idle"),
]


BY_NAME = {case.name: case for case in CASES}


def _write(path, length):
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for begin in range(0, length, MIB):
            file.write(block[:min(MIB, length - begin)])


def make_files(root, directory, cases):
    """Writes the files for these cases; the lists of paths are in the directory, too."""
    (root / "dynamic").mkdir(parents=True)
    (root / "ping").write_bytes(b"pong")  # for servers without a cheaper answer
    wanted = {case.path for case in cases} | {"/1k", "/1m"}
    wanted |= {"/1g" for case in cases if case.kind == "slow"}
    for path in sorted(wanted):
        if length := FILES.get(path.rpartition("/")[2], 0):
            _write(root / path[1:], length)
    for name, count, length in (("many", MANY_COUNT, KIB), ("cold", COLD_COUNT, MIB)):
        if any(case.paths == name + "-paths" for case in cases):
            (root / name).mkdir()
            for i in range(count):
                _write(root / name / str(i), length)
            (directory / f"{name}-paths").write_text(
                "".join(f"/{name}/{i}\n" for i in range(count)))
    os.sync()


def forget_pages(root):
    """Removes the cold files from the page cache. They are synced before, so that all pages can
    go."""
    for entry in (root / "cold").iterdir():
        fd = os.open(entry, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)

"""A file system whose answers the test decides over: FUSE, spoken by a thread of the test.

    with SlowFiles(directory, {"a": b"..."}) as slow:
        slow.stall()          from now on every request is kept unanswered ...
        slow.await_stalled()  ... and at least one is
        slow.release()        all are answered

It speaks the kernel's protocol (linux/fuse.h, version 7.31) over /dev/fuse, as far as reading files
needs it.  The kernel may cache neither names nor attributes, so every look-up asks.  The mount
stands in a mount namespace of the test's own: nothing of it is left when the test ends, however."""

import ctypes
import errno
import os
import select
import stat
import struct
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 1 << 14, 1 << 18
MNT_DETACH = 2

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 25, 26, 27, 29, 36, 42
NEVER_ANSWERED = (FORGET, BATCH_FORGET, INTERRUPT)
FUSE_SUPER_MAGIC = 0x65735546

STALL_SECONDS_MAX = 60  # without a request: a test that waits for its own disk must not hang

REQUEST = struct.Struct("=IIQQIIII")
ANSWER = struct.Struct("=IiQ")
ROOT = 1


def _call(function, *arguments):
    if function(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function.__name__}: {os.strerror(number)}")


def why_unavailable():
    """The reason for which nothing can be mounted here, or ""."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
        _call(LIBC.unshare, CLONE_NEWNS)
        _call(LIBC.mount, None, b"/", None, MS_REC | MS_PRIVATE, None)
    except OSError as error:
        return f"cannot mount a FUSE file system: {error}"
    return ""


class SlowFiles:
    def __init__(self, directory, files):
        self._directory = os.fsencode(directory)
        self._names = {name.encode(): number for number, name in enumerate(files, ROOT + 1)}
        self._contents = dict(enumerate(files.values(), ROOT + 1))
        self._changed = threading.Condition()
        self._is_stalled = False
        self._stalled_operation = None
        self._kept = []  # requests without an answer

    def __enter__(self):
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._ending = os.pipe2(os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        _call(LIBC.mount, b"slow", self._directory, b"fuse", MS_NOSUID | MS_NODEV,
              options.encode())
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.release()
        LIBC.umount2(self._directory, MNT_DETACH)
        os.write(self._ending[1], b"x")
        self._thread.join()
        for descriptor in (self._device, *self._ending):
            os.close(descriptor)

    def stall(self, operation=None):
        """Keeps all requests of that kind from now on; None: of every kind."""
        with self._changed:
            self._is_stalled = True
            self._stalled_operation = operation

    def release(self):
        with self._changed:
            self._is_stalled = False
            kept, self._kept = self._kept, []
        for request in kept:
            self._answer(request)

    def await_stalled(self, count=1, seconds=20):
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, seconds):
                raise AssertionError(f"{len(self._kept)} requests are stalled, not {count}")

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._device, self._ending[0]], [], [], STALL_SECONDS_MAX)
            if self._ending[0] in ready:
                return
            if not ready:
                self.release()
                continue
            try:
                self._take(os.read(self._device, 1 << 18))
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return  # unmounted
                if error.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    raise

    def _take(self, request):
        operation = REQUEST.unpack_from(request)[1]
        if operation in NEVER_ANSWERED:
            return
        with self._changed:
            if self._is_stalled and self._stalled_operation in (None, operation):
                self._kept.append(request)
                self._changed.notify_all()
                return
        self._answer(request)

    def _answer(self, request):
        _, operation, unique, node, *_ = REQUEST.unpack_from(request)
        try:
            body, error = self._result(operation, node, request[REQUEST.size:]), 0
        except OSError as refused:
            body, error = b"", -refused.errno
        try:
            os.write(self._device, ANSWER.pack(ANSWER.size + len(body), error, unique) + body)
        except OSError as refused:
            if refused.errno not in (errno.ENOENT, errno.ENODEV):
                raise  # else nobody waits for it any more

    def _result(self, operation, node, body):
        if operation == INIT:
            return struct.pack("=IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 64, 48, 1 << 17, 1, 0, 0, 0)
        if operation == LOOKUP:
            found = self._names.get(body.rstrip(b"\0"))
            if not found:
                raise OSError(errno.ENOENT, "")
            return struct.pack("=QQQQII", found, 0, 0, 0, 0, 0) + self._attributes(found)
        if operation == GETATTR:
            return struct.pack("=QII", 0, 0, 0) + self._attributes(node)
        if operation in (OPEN, OPENDIR):
            return struct.pack("=QII", 0, 0, 0)
        if operation == READ:
            _, offset, length = struct.unpack_from("=QQI", body)
            return self._contents[node][offset:offset + length]
        if operation == STATFS:
            return struct.pack("=QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if operation in (RELEASE, RELEASEDIR, FLUSH):
            return b""
        raise OSError(errno.ENOSYS, "")

    def _attributes(self, node):
        mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
        length = len(self._contents.get(node, b""))
        written = 1_000_000_000
        return struct.pack("=QQQQQQIIIIIIIIII", node, length, (length + 511) // 512, written,
                           written, written, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

"""Files and folders: whole or absent, appended piece by piece, held by one process; and what a full disk is called."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Iterator, List, Optional

from biggan_cli.errors import StepFailed

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors of a disk, quota or file that is full."""
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Numbers of errors of a place that may not be written to."""
_HELD = (errno.EAGAIN, errno.EACCES)
"""Numbers of errors of a lock that another process has."""
LOCK = ".lock"
"""In which file of a folder its lock is."""
_PATIENCE = 0.5
"""Seconds in which a lock that somebody only looks at is free again."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[Optional[str]]:
    """Hold a folder against a second process that would write to it; the lock dies with its process.

    The folder itself is held as well as the file in it: one of them is known to other hosts of a network's file system,
    and the other cannot be removed by hand while a process has it.

    Yields:
        Who held it and is gone without having let go, ``process 4711 on host``; None: nobody.

    Raises:
        StepFailed: another process holds it, or nothing can be written there.
    """
    with contextlib.ExitStack() as opened:
        try:
            holder = _opened(folder / LOCK, os.O_RDWR | os.O_CREAT, opened)
            itself = _opened(folder, os.O_RDONLY, opened)
        except OSError as error:
            if error.errno not in (*FULL, *READ_ONLY):
                raise
            raise cannot_be_written(folder, error) from error
        until = time.monotonic() + _PATIENCE
        _take(holder, folder, holder, until)
        with contextlib.suppress(OSError):  # not every file system knows locks of folders
            _take(itself, folder, holder, until)
        gone = _note_in(holder)
        _note(holder, f"process {os.getpid()} on {socket.gethostname()}")
        try:
            yield gone
        finally:
            _note(holder, "")


def _take(descriptor: int, folder: Path, holder: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                raise
            if time.monotonic() > until:
                owner = _note_in(holder) or "another process"
                raise StepFailed(
                    f"{folder} is in use by {owner}", fix="wait until it ends, or stop it, then try again"
                ) from error
        time.sleep(0.02)


def _note_in(holder: int) -> Optional[str]:
    return os.pread(holder, 1000, 0).decode("utf-8", "replace").strip() or None


def _note(holder: int, text: str) -> None:
    """Say in a lock who holds it. The lock is one without the note too, which a full disk has no room for."""
    with contextlib.suppress(OSError):
        os.ftruncate(holder, 0)
        os.pwrite(holder, text.encode(), 0)


def holder_of(folder: Path) -> Optional[str]:
    """Who holds a folder's lock, without disturbing that one; None: nobody."""
    with contextlib.ExitStack() as opened:
        note = None
        for path in (folder / LOCK, folder):
            try:
                descriptor = _opened(path, os.O_RDONLY, opened)
                note = note or (_note_in(descriptor) if path != folder else None)
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _HELD:
                    return note or "another process"
    return None


def cannot_be_written(folder: Path, error: OSError) -> StepFailed:
    """What is said of an error whose number is one of ``FULL`` or ``READ_ONLY``."""
    hint = free_space(folder) if error.errno in FULL else None
    return StepFailed(f"{folder} cannot be written: {error.strerror.lower()}", hint=hint)


def free_space(folder: Path) -> str:
    """A sentence about what may still be written to the disk of a folder."""
    try:
        return f"{shutil.disk_usage(str(folder)).free / 1e6:.1f} MB are free there"
    except OSError as error:
        return f"how much is free there cannot be told: {error.strerror.lower()}"


def _opened(path: Path, flags: int, opened: contextlib.ExitStack) -> int:
    descriptor = os.open(str(path), flags, 0o666)
    opened.callback(os.close, descriptor)
    return descriptor


def read_json(path: Path) -> Any:
    """A JSON file of ours.

    Raises:
        StepFailed: it is missing, cut off or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepFailed(f"{path} is missing") from None
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is one of the first kind
        raise StepFailed(f"{path} is damaged: {error}") from error


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to; the file takes its real name, all on the disk, when the block ends well."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(str(temporary), str(path))
        flush_to_disk(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def flush_to_disk(path: Path) -> None:
    """fsync a file that is already closed; of a folder, the names in it, where its file system can."""
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


class Appended:
    """Pieces added to the end of a file, each whole or not at all, in order.

    What cannot be written, for instance because the disk is full, is kept in memory, and goes first the next time.
    """

    def __init__(self, path: Path):
        self._path = path
        self._kept: List[bytes] = []

    def add(self, piece: bytes) -> None:
        self._kept.append(piece)
        with contextlib.suppress(OSError):
            self.write_kept()

    def write_kept(self, to_disk: bool = False) -> None:
        """Write what is left; ``to_disk``: all that was ever added is then on the disk.

        Raises:
            OSError: something is still left.
        """
        descriptor = os.open(str(self._path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            while self._kept:
                size = os.fstat(descriptor).st_size
                written = 0
                try:
                    while written < len(self._kept[0]):
                        written += os.write(descriptor, self._kept[0][written:])
                except OSError:
                    os.ftruncate(descriptor, size)
                    raise
                del self._kept[0]
            if to_disk:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def expanded(path) -> Path:
    """With ``~`` and ``~name`` as a shell has them; a name that nobody has stays as it is."""
    return Path(os.path.expanduser(str(path)))


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(str(path), "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()

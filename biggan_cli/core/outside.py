"""Results that go to a place of the user's instead of into a run."""

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Iterator

from biggan_cli.errors import UsageError
from biggan_cli.files import FULL, READ_ONLY, cannot_be_written, whole_file


def check_free(out: Path, flag: str = "--out") -> None:
    """That something can be made there, before the work: nothing is ever written over.

    Raises:
        UsageError: it cannot.
    """
    if os.path.lexists(str(out)):
        raise UsageError(f"{flag} {out} exists", fix=f"another {flag}, or remove it")
    if out.absolute().parent.exists() and not out.absolute().parent.is_dir():
        raise UsageError(f"{flag} {out}: {out.parent} is no folder", fix=f"{flag} in another folder")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{flag} {out}: there is no folder {out.parent}", fix=f"mkdir -p {out.parent}")
    if not os.access(str(out.absolute().parent), os.W_OK | os.X_OK):
        raise UsageError(f"{flag} {out}: nothing can be written to {out.parent}", fix=f"{flag} in another folder")


@contextlib.contextmanager
def made_whole(out: Path, folder: bool = False) -> Iterator[Path]:
    """A temporary name for a file or a folder, which takes its real name when the block ends well.

    Raises:
        StepFailed: the disk is full, or nothing can be made there, whatever its permissions say.
    """
    temporary = out
    try:
        if not folder:
            with whole_file(out) as temporary:
                yield temporary
            return
        temporary = out.with_name(f".{out.name}.{os.getpid()}")
        temporary.mkdir()
        try:
            yield temporary
            os.rename(str(temporary), str(out))
        finally:
            shutil.rmtree(str(temporary), ignore_errors=True)
    except OSError as error:
        ours = str(error.filename).startswith(str(temporary))  # what the block reads has errors of its own
        if error.errno not in FULL and not (ours and error.errno in (*READ_ONLY, errno.ENOENT)):
            raise
        raise cannot_be_written(out.absolute().parent, error) from error

"""Huawei's object storage: places named obs://bucket/… or s3://…, by way of moxing. The only ``import moxing``.

ModelArts' images have moxing; nothing else has. What is copied in lands on the node's own disk: ``/cache`` there.
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Iterator, List, Optional

from biggan_cli.errors import NotReady, StepFailed, UsageError, is_interrupt

SCRATCH_VARIABLE = "BIGGAN_MODELARTS_CACHE"
SCRATCH = Path("/cache")
_SCHEME = re.compile(r"(obs|s3):")
_URL = re.compile(r"(obs|s3)://[^/]+(/.*)?")


def on_modelarts() -> bool:
    """Whether this process is part of a job or a notebook on ModelArts, going by its environment."""
    return "MA_JOB_DIR" in os.environ or any(name.startswith("MODELARTS_") for name in os.environ)


def is_remote(place: Optional[str]) -> bool:
    """Whether a place is in the object storage, going by its first letters."""
    return bool(place) and _SCHEME.match(place) is not None


def checked_url(place: str, flag: str) -> str:
    """The place without the slashes at its end.

    Raises:
        UsageError: it names no bucket.
    """
    if not _URL.fullmatch(place):
        raise UsageError(f"{flag} {place} names no bucket", fix=f"{flag} obs://bucket/folder")
    return place.rstrip("/")


def scratch() -> Path:
    """``BIGGAN_MODELARTS_CACHE``, which is made, else ``/cache``.

    Raises:
        NotReady: neither is there.
    """
    asked = os.environ.get(SCRATCH_VARIABLE)
    folder = Path(asked).expanduser().absolute() if asked else SCRATCH
    fix = f"set {SCRATCH_VARIABLE} to a folder on a local disk that can be written"
    try:
        if asked:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotReady(f"{SCRATCH_VARIABLE}={folder} cannot be made: {error.strerror}", fix=fix) from error
    if not folder.is_dir() or not os.access(str(folder), os.W_OK | os.X_OK):
        raise NotReady(
            f"{folder}, where copies of obs:// go, is no folder that can be written", looked_for=str(folder), fix=fix
        )
    return folder


def scratch_folder(prefix: str) -> Path:
    """A new folder of its own in the scratch place."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=str(scratch())))


def exists(url: str) -> bool:
    """Whether a file or folder is there."""
    with _as_our_errors(f"{url} cannot be looked up"):
        return bool(_files().exists(url))


def names(url: str) -> List[str]:
    """What is in a folder, by name and in order; nothing where there is none."""
    if not exists(url):
        return []
    with _as_our_errors(f"{url} cannot be listed"):
        return sorted({name.strip("/") for name in _files().list_directory(url)} - {""})


def copy_in(url: str, folder: Path, flag: str) -> None:
    """Copy a folder of the storage to a local one; ``flag`` is what named it.

    Raises:
        UsageError: it is not there, or a file.
        StepFailed: the copy failed.
    """
    if not exists(url):
        raise UsageError(f"{flag} {url} is not there", fix=f"{flag} with a folder that this account may read")
    with _as_our_errors(f"{url} cannot be looked up"):
        is_folder = _files().is_directory(url)
    if not is_folder:
        raise UsageError(f"{flag} {url} is a file, not a folder", fix=f"{flag} with the folder that it is in")
    with _as_our_errors(f"{url} cannot be copied to {folder}"):
        _files().copy_parallel(url, str(folder))


def copy_out(path: Path, url: str) -> None:
    """Copy one local file to the storage, over what is there.

    Raises:
        StepFailed: the copy failed.
    """
    with _as_our_errors(f"{path} cannot be copied to {url}"):
        _files().copy(str(path), url)


def remove(url: str) -> None:
    """Remove one file of the storage, if it is there."""
    if not exists(url):
        return
    with _as_our_errors(f"{url} cannot be removed"):
        _files().remove(url)


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A copy of a folder of the storage, as long as the block lasts."""
    url = checked_url(url, "--data")
    _files()  # without moxing the scratch place is no matter
    with tempfile.TemporaryDirectory(prefix="data-", dir=str(scratch())) as folder:
        copy_in(url, Path(folder), "--data")
        yield Path(folder)


def _files():
    try:
        import moxing
    except ImportError as error:
        raise NotReady(
            f"obs:// and s3:// need moxing, which cannot be imported: {error}",
            fix="run it on ModelArts, whose images have moxing; elsewhere copy with obsutil and name local folders",
        ) from error
    return moxing.file


@contextlib.contextmanager
def _as_our_errors(what: str) -> Iterator[None]:
    """moxing has exceptions of its own, and passes on those of the network: none of them is a bug of ours."""
    try:
        yield
    except NotReady:
        raise
    except Exception as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from error
        raise StepFailed(
            f"{what}: {error or type(error).__name__}", hint="the account of the job needs access to the bucket"
        ) from error

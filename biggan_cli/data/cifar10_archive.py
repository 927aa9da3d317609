"""CIFAR-10's official archives in the cache: fetched when asked for, known by the MD5 that their page gives."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from biggan_cli.errors import NotReady, StepFailed
from biggan_cli.runtime import cache
from biggan_cli.runtime.network import Progress, download

PAGE = "https://www.cs.toronto.edu/~kriz/"
FETCH = "biggan prepare cifar10 --download"
_MOST = 300_000_000
"""Bytes; the archives have 163 and 175 MiB."""


class Archive(NamedTuple):
    """A form in which CIFAR-10 is published."""

    file: str
    md5: str

    @property
    def place(self) -> Path:
        return cache.folder() / "cifar10" / self.file

    @property
    def by_hand(self) -> str:
        return f"get {PAGE + self.file} (md5 {self.md5}) on another machine and put it at {self.place}"


ARCHIVES: Dict[str, Archive] = {
    "python": Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    "matlab": Archive("cifar-10-matlab.tar.gz", "70270af85842c9e89bb428ec9976c926"),
}


def in_cache() -> Optional[Path]:
    """One that was fetched; None where there is none."""
    return next((archive.place for archive in ARCHIVES.values() if archive.place.is_file()), None)


def fetch(archive: Archive, progress: Progress) -> Path:
    """The archive in the cache, fetched if it is not there; an interrupted call is carried on with.

    Raises:
        NotReady: it cannot be fetched; says how to bring it by hand.
        StepFailed: it cannot be written, or what is in its place or came is another file.
    """
    place, partial = archive.place, archive.place.with_name(archive.file + ".part")
    try:
        if place.is_file():
            _check(archive, place, fix=f"remove it, then {FETCH}")
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        download(PAGE + archive.file, partial, _MOST, progress)
        try:
            _check(archive, partial, fix=f"the same command again; or {archive.by_hand}")
        except StepFailed:
            partial.unlink()
            raise
        os.replace(str(partial), str(place))
    except NotReady as error:
        error.replace_detail("fix", f"{archive.by_hand}; the same command again goes on where this one ended")
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise StepFailed(
            f"{place} cannot be written: {error.strerror.lower()}",
            fix="make room, then the same command: it goes on" if full else "BIGGAN_CACHE with a folder that can",
        ) from error
    return place


def _check(archive: Archive, path: Path, fix: str) -> None:
    digest = hashlib.md5()
    with open(str(path), "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != archive.md5:
        raise StepFailed(f"{path} is not {archive.file}: its md5 is {digest.hexdigest()}, not {archive.md5}", fix=fix)

"""Members of a .tar.gz, read in memory by their names; nothing is written to disk.

Header by header, without what makes tarfile go from one header to the next: long names, sparse files, PAX.
"""

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Dict, Tuple

from biggan_cli.errors import BigganError, StepFailed

_MOST = 200_000_000
"""Bytes of all that is in it; CIFAR-10 has 186 MB."""
_MOST_MEMBERS = 1000
_BLOCK = 512
_LINK_OR_FOLDER = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE)
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


class _Bounded:
    """What a gzip file unpacks to, up to a number of bytes."""

    def __init__(self, unpacked, where: str):
        self._unpacked, self._where, self._left = unpacked, where, _MOST

    def read(self, size: int) -> bytes:
        """All of them.

        Raises:
            EOFError: there are fewer.
        """
        if not 0 <= size <= self._left:
            raise StepFailed(f"{self._where} unpacks to more than {_MOST:,} bytes", fix="get it again")
        block = self._unpacked.read(size)
        if len(block) != size:
            raise EOFError("it ends too early")
        self._left -= size
        return block

    def finish(self) -> None:
        """To the end, where the checksum stands."""
        while self._unpacked.read(1 << 16):
            self._left -= 1 << 16
            if self._left < 0:
                raise StepFailed(f"{self._where} unpacks to more than {_MOST:,} bytes", fix="get it again")


def members(path: Path, wanted: Tuple[str, ...], where: str) -> Dict[str, bytes]:
    """The content of the files whose last name is ``wanted``, by that name.

    Raises:
        StepFailed: cut off, damaged, larger than any such archive, a member that leads out of it, or one twice.
    """
    found: Dict[str, bytes] = {}
    try:
        with gzip.open(str(path)) as unpacked:
            bounded = _Bounded(unpacked, where)
            for _ in range(_MOST_MEMBERS):
                try:
                    member = tarfile.TarInfo.frombuf(bounded.read(_BLOCK), "utf-8", "surrogateescape")
                except tarfile.EOFHeaderError:
                    bounded.finish()
                    return found
                content = _content(bounded, member)
                parts = member.name.split("/")
                if ".." in parts or member.name.startswith("/"):
                    raise StepFailed(f"{where} has a member {member.name!r}, which leads out of it", fix="get it again")
                if parts[-1] not in wanted or member.type not in _FILES:
                    continue
                if parts[-1] in found:
                    raise StepFailed(f"{where} has {parts[-1]} twice", fix="get it again")
                found[parts[-1]] = content
            raise StepFailed(f"{where} has more than {_MOST_MEMBERS:,} members", fix="get it again")
    except BigganError:
        raise
    except (EOFError, zlib.error, tarfile.TarError, OSError, ValueError) as error:
        if getattr(error, "strerror", None):
            raise StepFailed(f"{where} cannot be read: {error.strerror}") from error
        raise StepFailed(f"{where} is cut off or damaged: {error}", fix="get it again") from error


def _content(bounded: _Bounded, member: tarfile.TarInfo) -> bytes:
    if member.type == tarfile.GNUTYPE_SPARSE:
        raise ValueError(f"{member.name!r} is a sparse file")
    if member.type in _LINK_OR_FOLDER:
        return b""
    content = bounded.read(member.size)
    bounded.read(-member.size % _BLOCK)
    return content

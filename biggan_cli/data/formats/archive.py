"""Members of a .tar.gz, read in memory by their names; nothing is written to disk."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Dict, Tuple

from biggan_cli.errors import BigganError, StepFailed

_MOST = 400_000_000
"""Bytes of all members together; CIFAR-10 has 186 MB."""
_MOST_MEMBERS = 1000


class _Bounded(io.RawIOBase):
    """What a gzip file unpacks to, up to a number of bytes."""

    def __init__(self, unpacked, where: str):
        self._unpacked, self._where, self._read = unpacked, where, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._unpacked.read(size if 0 <= size <= _MOST else _MOST + 1)
        self._read += len(block)
        if self._read > _MOST:
            raise StepFailed(f"{self._where} unpacks to more than {_MOST:,} bytes", fix="get it again")
        return block


def members(path: Path, wanted: Tuple[str, ...], where: str) -> Dict[str, bytes]:
    """The content of the files whose last name is ``wanted``, by that name.

    Raises:
        StepFailed: cut off, damaged, larger than any such archive, a member that leads out of it, or one twice.
    """
    found: Dict[str, bytes] = {}
    try:
        with gzip.open(str(path)) as unpacked, tarfile.open(fileobj=_Bounded(unpacked, where), mode="r|") as archive:
            for number, member in enumerate(archive):
                parts = member.name.split("/")
                if ".." in parts or member.name.startswith("/"):
                    raise StepFailed(f"{where} has a member {member.name}, which leads out of it", fix="get it again")
                if number >= _MOST_MEMBERS or not 0 <= member.size <= _MOST:
                    raise StepFailed(f"{where}: {member.name} makes it larger than CIFAR-10", fix="get it again")
                if parts[-1] not in wanted or not member.isreg():
                    continue
                if parts[-1] in found:
                    raise StepFailed(f"{where} has {parts[-1]} twice", fix="get it again")
                content = archive.extractfile(member).read()
                if len(content) != member.size:
                    raise tarfile.ReadError(f"{member.name} ends too early")
                found[parts[-1]] = content
    except BigganError:
        raise
    except (EOFError, zlib.error, tarfile.TarError, OSError, ValueError) as error:
        if getattr(error, "strerror", None):
            raise StepFailed(f"{where} cannot be read: {error.strerror}") from error
        raise StepFailed(f"{where} is cut off or damaged: {error}", fix="get it again") from error
    return found

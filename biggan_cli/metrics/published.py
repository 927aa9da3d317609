"""The files that others published and scores depend on: the Inception graph of 2015-12-05, TTUR's statistics.

They are named by the user or fetched when asked for, never shipped, and known by their digests.
"""

import errno
import gzip
import hashlib
import io
import os
import tarfile
import zlib
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Sequence, Tuple

from biggan_cli.errors import NotReady, StepFailed, UsageError
from biggan_cli.files import expanded, whole_file
from biggan_cli.runtime import cache
from biggan_cli.runtime.network import fetch

Progress = Callable[[int, Optional[int]], None]

GRAPH = "classify_image_graph_def.pb"
GRAPH_BYTES = 95_673_916
GRAPH_SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"
"""Of the copy below, as several unrelated projects check it."""
GRAPH_URL = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/" + GRAPH
"""Source: openai/guided-diffusion, evaluations/evaluator.py."""
ARCHIVE = "inception-2015-12-05.tgz"
ARCHIVE_BYTES = 88_931_400
ARCHIVE_URL = "http://download.tensorflow.org/models/image/imagenet/" + ARCHIVE
"""Source: openai/improved-gan and bioinf-jku/TTUR, which take the graph out of it."""
TTUR = "fid_stats_cifar10_train.npz"
TTUR_URL = "http://bioinf.jku.at/research/ttur/ttur_stats/" + TTUR
"""Source: the README of bioinf-jku/TTUR; mean and covariance of CIFAR-10's 50,000 training pictures."""
TTUR_BLOB = "165dc110756822a80d7c08c50c7055adb71a86fe"
"""The id of the file in git, the same in lzhbrian/metrics and VITA-Group/TransGAN; no other digest is published."""

_VARIABLE = "BIGGAN_INCEPTION"
_MOST = 200_000_000
"""Bytes of a graph, or of an archive that holds one, packed or not."""
_MOST_TTUR = 50_000_000
_BY_HAND = f"{ARCHIVE} ({ARCHIVE_BYTES:,} bytes) from {ARCHIVE_URL}"


class GraphFile(NamedTuple):
    """A serialized graph and where it was found; ``official`` is the one that published scores were made with."""

    path: Path
    data: bytes
    sha256: str
    official: bool


def find_inception(asked: Optional[Path]) -> GraphFile:
    """The graph of ``--inception``, else of ``BIGGAN_INCEPTION``, else the one in the cache.

    Of a .tgz only the graph is read, in memory. Nothing is fetched.

    Raises:
        NotReady: none is named, and none is in the cache.
        UsageError: what is named is not there, or is no TensorFlow graph.
        StepFailed: it cannot be read, or is damaged.
    """
    variable = os.environ.get(_VARIABLE)
    if asked is not None:
        path, label = asked, f"--inception {asked}"
    elif variable:
        path, label = expanded(variable), f"{_VARIABLE}={variable}"
    else:
        path = _graph_place()
        label = str(path)
        if not os.path.isfile(label):
            raise NotReady(
                "there is no Inception graph",
                looked_for=f"--inception, {_VARIABLE}, {path}",
                fix=f"--fetch-inception; or get {_BY_HAND} and name it with --inception FILE or {_VARIABLE}",
            )
    try:
        packed = _is_packed(path, label)
        if path.stat().st_size > _MOST:
            raise StepFailed(f"{label} has {path.stat().st_size:,} bytes: the graph has {GRAPH_BYTES:,}")
        data = path.read_bytes()
    except OSError as error:
        raise StepFailed(f"{label} cannot be read: {error.strerror}") from error
    data = _unpacked(data, label) if packed else data
    digest = hashlib.sha256(data).hexdigest()
    return GraphFile(path, data, digest, digest == GRAPH_SHA256)


def fetch_inception(progress: Progress) -> Path:
    """The official graph in the cache, fetched if it is not there yet.

    Args:
        progress: as :func:`biggan_cli.runtime.network.fetch` has it.

    Raises:
        NotReady: no address has it; names each of them, and how to bring the file by hand.
        StepFailed: the cache cannot be written.
    """
    path = _graph_place()
    sources = ((GRAPH_URL, GRAPH_BYTES, _official), (ARCHIVE_URL, ARCHIVE_BYTES, _official_of_archive))
    by_hand = (
        f"get {_BY_HAND} and name it with --inception FILE, or put its {GRAPH} ({GRAPH_BYTES:,} bytes, "
        f"sha256 {GRAPH_SHA256}) at {path}"
    )
    return _fetch_one(path, "the Inception graph", _is_official, sources, by_hand, progress)


def fetch_ttur(progress: Progress) -> Path:
    """TTUR's statistics of CIFAR-10 in the cache, fetched if they are not there yet.

    Raises:
        NotReady, StepFailed: as :func:`fetch_inception`.
    """
    path = _ttur_place()
    by_hand = f"get {TTUR} (git hash-object: {TTUR_BLOB}) from {TTUR_URL} and put it at {path}"
    return _fetch_one(path, "TTUR's statistics", is_ttur, ((TTUR_URL, _MOST_TTUR, _ttur),), by_hand, progress)


def ttur_file() -> Optional[Path]:
    """TTUR's statistics in the cache, unread; None where they are not there."""
    path = _ttur_place()
    return path if os.path.isfile(str(path)) else None


def is_ttur(data: bytes) -> bool:
    """Whether this is TTUR's file: another, of a PyTorch network, goes by the same name."""
    return git_blob(data) == TTUR_BLOB


def is_ttur_file(path: Path) -> bool:
    """The same of a file, whatever its name; one that is much larger is not read."""
    return path.is_file() and path.stat().st_size <= _MOST_TTUR and is_ttur(path.read_bytes())


def git_blob(data: bytes) -> str:
    """The id that git gives a file: SHA-1 over its length and bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _graph_place() -> Path:
    return cache.folder() / "inception" / GRAPH


def _ttur_place() -> Path:
    return cache.folder() / "stats" / TTUR


def _is_packed(path: Path, label: str) -> bool:
    """By its name: an archive that holds the graph, or the graph itself."""
    name = path.name.lower()
    packed = name.endswith((".tgz", ".tar.gz"))
    if not path.is_file():
        raise UsageError(
            f"{label} is not a file" if path.exists() else f"{label} is not there",
            fix=f"the path of {GRAPH} or {ARCHIVE}",
        )
    if name.endswith((".pt", ".pth")):
        raise UsageError(f"{label} is the PyTorch port: score needs the TensorFlow graph", fix=f"get {_BY_HAND}")
    if not packed and not name.endswith(".pb"):
        raise UsageError(f"{label} is neither .pb nor .tgz nor .tar.gz", fix=f"{GRAPH} or {ARCHIVE}")
    return packed


def _unpacked(packed: bytes, label: str) -> bytes:
    """The graph out of an archive; no other member is read, none is written to disk.

    Raises:
        StepFailed: the archive is cut off or damaged, or much larger than one of a graph.
        UsageError: no file in it has exactly the graph's name.
    """
    again = f"get {_BY_HAND} again"
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as handle:
            unpacked = handle.read(_MOST + 1)
    except EOFError as error:
        raise StepFailed(f"{label} is cut off: it has {len(packed):,} bytes", fix=again) from error
    except (OSError, zlib.error) as error:
        raise StepFailed(f"{label} is damaged, or no gzip file: {error}", fix=again) from error
    if len(unpacked) > _MOST:
        raise StepFailed(f"{label} unpacks to more than {_MOST:,} bytes: the graph has {GRAPH_BYTES:,}", fix=again)
    names = []
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in archive:
                if not 0 <= member.size <= _MOST:  # a negative one leads back to where the archive began
                    raise tarfile.ReadError(f"{member.name} claims {member.size:,} bytes")
                if member.name == GRAPH and member.isreg():
                    return archive.extractfile(member).read()
                names.append(member.name)
    except Exception as error:  # tarfile meets a damaged archive with whatever it trips over
        raise StepFailed(f"{label} is cut off or damaged inside: {error}", fix=again) from error
    held = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    raise UsageError(f"{label} has no file {GRAPH}", hint=f"it holds: {held}", fix=f"get {_BY_HAND}")


def _is_official(data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == GRAPH_SHA256


def _official(data: bytes, url: str) -> bytes:
    _check_size(data, GRAPH_BYTES, url)
    if not _is_official(data):
        raise NotReady(f"{url} is not the graph of 2015-12-05: its sha256 is {hashlib.sha256(data).hexdigest()}")
    return data


def _official_of_archive(data: bytes, url: str) -> bytes:
    _check_size(data, ARCHIVE_BYTES, url)
    return _official(_unpacked(data, url), url)


def _ttur(data: bytes, url: str) -> bytes:
    if not is_ttur(data):
        raise NotReady(f"{url} is not TTUR's file: {len(data):,} bytes, git hash-object {git_blob(data)}")
    return data


def _check_size(data: bytes, wanted: int, url: str) -> None:
    if len(data) != wanted:
        raise NotReady(f"{url} has {len(data):,} bytes, not {wanted:,}")


def _fetch_one(
    path: Path,
    what: str,
    is_right: Callable[[bytes], bool],
    sources: Sequence[Tuple[str, int, Callable[[bytes, str], bytes]]],
    by_hand: str,
    progress: Progress,
) -> Path:
    """The file, as it is if it is right, else from the first source that has it.

    A source is an address, the most bytes to take from there, and what makes the file of them, or raises.
    """
    failures = []
    try:
        if path.is_file() and is_right(path.read_bytes()):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(str(path.parent), os.W_OK | os.X_OK):  # before the minutes that fetching takes
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for url, most, checked in sources:
            try:
                data = checked(fetch(url, most, progress), url)
            except (NotReady, StepFailed, UsageError) as error:
                failures.append(error.message)
                continue
            with whole_file(path) as temporary:
                temporary.write_bytes(data)
            return path
    except OSError as error:
        raise StepFailed(
            f"{path} cannot be read or written: {error.strerror}", fix="BIGGAN_CACHE with a folder that can"
        ) from error
    raise NotReady(f"{what} could not be fetched: {'; '.join(failures)}", fix=by_hand)

"""A folder of class folders: the names of the folders are the classes, in their order."""

import concurrent.futures
import functools
import os
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from biggan_cli.data import classes, picture_files
from biggan_cli.data.formats.source import Part, Progress, Source, check_classes, nothing, untold
from biggan_cli.data.picture_files import ENDINGS
from biggan_cli.errors import BigganError, StepFailed, UsageError, visible
from biggan_cli.files import sha256

KIND = "folder"
_AT_ONCE = 64
_BESIDE = (
    *("", ".txt", ".md", ".rst", ".html", ".pdf", ".log", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"),
    *(".ini", ".db", ".py", ".sh"),
)
"""Endings of what lies beside pictures and is none: lists, notes, and what file managers leave (Thumbs.db)."""
_KINDS = 8
"""Endings that a note names."""


class Files(Part):
    """Picture files of any size: ``names`` are their paths in ``root``, as ``class/file``."""

    size = None

    def __init__(self, root: Path, names: Sequence[str], labels: np.ndarray):
        self.root, self.names, self.labels = root, names, labels

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        for name in self.names[start:stop]:
            if digest:
                self._feed(digest, name)
            yield picture_files.decoded(self.root / name).levels

    def undecoded(self, start: int, stop: int) -> Iterator[Path]:
        return (self.root / name for name in self.names[start:stop])

    def at(self, indices: Sequence[int]) -> List[np.ndarray]:
        names = [self.names[index] for index in indices]
        return [found.levels for _, found in self._each(picture_files.decoded, names)]

    def name(self, index: int) -> str:
        return self.names[index]

    def sizes(self) -> Set[Tuple[int, int]]:
        return {size for _, size in self._each(picture_files.size_of, self.names)}

    def notes(self) -> List[str]:
        found = self._each(picture_files.is_transparent, self.names)
        return _transparent([name for name, transparent in found if transparent])

    def _identify(self, start: int, stop: int, digest) -> None:
        for name in self.names[start:stop]:
            try:
                status = os.stat(str(self.root / name))
                found = f"{status.st_size} {status.st_mtime_ns}"
            except OSError as error:  # whoever decodes it says so
                found = str(error.strerror)
            digest.update(os.fsencode(name) + f" {found}\n".encode())

    def load(self, resolution: int, digest, progress: Progress, notes: List[str]) -> np.ndarray:
        loaded = np.empty((len(self.names), resolution, resolution, 3), np.uint8)
        transparent = []
        squared = functools.partial(picture_files.squared, resolution=resolution)
        for index, (name, found) in enumerate(self._each(squared, self.names, progress, resolution)):
            loaded[index] = found.levels
            transparent += [name] * found.transparent
            self._feed(digest, name)
        notes += _transparent(transparent)
        return loaded

    def feed(self, digest, progress: Progress) -> None:
        """Without decoding."""
        for done, name in enumerate(self.names, start=1):
            self._feed(digest, name)
            if done % _AT_ONCE == 0 or done == len(self.names):
                progress(done, len(self.names))

    def _each(
        self, work: Callable[[Path], Any], names: Sequence[str], progress: Progress = untold, resolution: int = 32
    ) -> Iterator[Tuple[str, Any]]:
        """(name, what ``work`` gives for the file), in order, by a thread for each core: Pillow lets go of Python.

        Raises:
            StepFailed, UsageError: at the end, of all pictures that cannot be used, which are passed over before.
        """
        unusable: List[BigganError] = []
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for start in range(0, len(names), _AT_ONCE):
                part = names[start : start + _AT_ONCE]
                results = threads.map(functools.partial(picture_files.attempted, work), map(self.root.joinpath, part))
                for name, found in zip(part, results):
                    if isinstance(found, BigganError):
                        unusable.append(found)
                    else:
                        yield name, found
                progress(start + len(part), len(names))
        if unusable:
            prepare = f"biggan prepare {self.root} --res {resolution} --out DIR --skip-broken, and train on DIR"
            raise picture_files.all_unusable(unusable, len(names), f"leave out all that are: {prepare}")

    def _feed(self, digest, name: str) -> None:
        try:
            digest.update(os.fsencode(name) + f" {sha256(self.root / name)}\n".encode())
        except OSError as error:
            raise StepFailed(f"{self.root / name} cannot be read: {error.strerror}") from error


def open_source(path: Path, place: str) -> Source:
    """Every picture file in a folder of each class, sorted by name.

    Files of other kinds are left out, and :attr:`Source.notes` says so: they may be pictures all the same (.tif,
    .heic). Nothing is said of hidden files, of files without an ending, and of lists and notes (``_BESIDE``).

    Raises:
        UsageError: no class folders, one, an empty one, folders in them, or pictures that are in none.
        StepFailed: a folder that cannot be read.
    """
    where = f"--data {KIND}:{place}"
    if not path.is_dir():
        raise UsageError(f"{where} is {'not a folder' if path.exists() else 'not there'}")
    folders, loose, others = _listed(path)
    if loose:
        raise UsageError(
            f"{where} has {len(loose)} picture{'s' * (len(loose) != 1)} that are in no class folder, as {loose[0]}",
            fix="a folder for each class with its pictures in it, and no pictures beside them",
        )
    if not folders:
        raise UsageError(
            f"{where} is nothing that data are made of: it has no class folders",
            looked_for=f"{os.path.join(place, 'CLASS', '*')}{{{','.join(ENDINGS)}}}",
            fix="a folder for each class with its pictures in it",
        )
    for folder in folders:
        classes.check_names([folder], where, f"rename the folder {folder!r}, which is the class")
    names: List[str] = []
    labels: List[int] = []
    for label, folder in enumerate(folders):
        inner, files, unread = _listed(path / folder)
        if inner:
            raise UsageError(
                f"{where} is a folder of folders of folders: {os.path.join(place, folder, inner[0])} is a folder",
                fix=f"--data {os.path.join(place, folder)}, if its folders are the classes",
            )
        if not files:
            kinds = sorted({_ending(name) for name in os.listdir(str(path / folder))} - {""})
            raise UsageError(
                f"{where}: the class folder {classes.quoted(folder)} has no pictures"
                + (f", only files with {', '.join(kinds[:5])}" if kinds else ""),
                looked_for=", ".join("*" + ending for ending in ENDINGS),
                fix=f"put pictures into {os.path.join(place, folder)}, or move it elsewhere",
            )
        others.extend(f"{folder}/{file}" for file in unread)
        names.extend(f"{folder}/{file}" for file in files)
        labels.extend([label] * len(files))
    found = np.array(labels, np.int32)
    check_classes(folders, found, where)
    name = path.absolute().name or KIND
    return Source(KIND, place, name, tuple(folders), Files(path, names, found), nothing(), _notes(others))


def _transparent(names: Sequence[str]) -> List[str]:
    return picture_files.transparent_words(len(names), names[0] if names else None)


def _notes(others: Sequence[str]) -> Tuple[str, ...]:
    """That files are left out, if any are."""
    if not others:
        return ()
    kinds = sorted({_ending(name) for name in others})
    listed = ", ".join(kinds[:_KINDS]) + (", …" if len(kinds) > _KINDS else "")
    what = (
        f"{len(others):,} files of kinds that are not read are"
        if len(others) > 1
        else "1 file of a kind that is not read is"
    )
    first = os.fsencode(others[0]).decode("utf-8", "backslashreplace")
    return (visible(f"{what} left out ({listed}): the first is {first}; what is read: {', '.join(ENDINGS)}"),)


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()


class _Listed(NamedTuple):
    folders: List[str]
    pictures: List[str]
    others: List[str]


def _listed(folder: Path) -> _Listed:
    """What is in a folder, each sorted; links are followed, hidden names and those of ``_BESIDE`` passed over."""
    folders, files, others = [], [], []
    try:
        with os.scandir(str(folder)) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(ENDINGS):
                    files.append(entry.name)
                elif _ending(entry.name) not in _BESIDE:
                    others.append(entry.name)
    except OSError as error:
        raise StepFailed(f"{folder} cannot be read: {error.strerror}") from error
    for name in (*folders, *files):
        if name != name.encode("utf-8", "ignore").decode("utf-8"):
            raise UsageError(f"{folder} has a name that is not UTF-8: {os.fsencode(name)!r}", fix="rename it")
    return _Listed(sorted(folders), sorted(files), sorted(others))


def _is_folder(entry: "os.DirEntry") -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        raise StepFailed(f"{entry.path} cannot be followed: {error.strerror}", fix="remove the link") from error

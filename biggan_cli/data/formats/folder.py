"""A folder of class folders: the names of the folders are the classes, in their order."""

import concurrent.futures
import contextlib
import os
from pathlib import Path
from typing import Iterator, List, Sequence, Set, Tuple

import numpy as np

from biggan_cli.data import classes, picture_files
from biggan_cli.data.formats.source import Part, Progress, Source, check_classes, nothing
from biggan_cli.data.picture_files import ENDINGS
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import sha256

KIND = "folder"
_AT_ONCE = 64


class Files(Part):
    """Picture files of any size: ``names`` are their paths in ``root``, as ``class/file``."""

    size = None

    def __init__(self, root: Path, names: Sequence[str], labels: np.ndarray):
        self.root, self.names, self.labels = root, names, labels

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        for name in self.names[start:stop]:
            if digest:
                self._feed(digest, name)
            yield picture_files.decoded(self.root / name)

    def undecoded(self, start: int, stop: int) -> Iterator[Path]:
        return (self.root / name for name in self.names[start:stop])

    def at(self, indices: Sequence[int]) -> List[np.ndarray]:
        with self._ways_out():
            return [picture_files.decoded(self.root / self.names[index]) for index in indices]

    def name(self, index: int) -> str:
        return self.names[index]

    def sizes(self) -> Set[Tuple[int, int]]:
        with self._ways_out():
            return {picture_files.size_of(self.root / name) for name in self.names}

    def _identify(self, start: int, stop: int, digest) -> None:
        for name in self.names[start:stop]:
            try:
                status = os.stat(str(self.root / name))
                found = f"{status.st_size} {status.st_mtime_ns}"
            except OSError as error:  # whoever decodes it says so
                found = str(error.strerror)
            digest.update(os.fsencode(name) + f" {found}\n".encode())

    def load(self, resolution: int, digest, progress: Progress) -> np.ndarray:
        """Decoded by a thread for each core: Pillow lets go of Python meanwhile."""
        loaded = np.empty((len(self.names), resolution, resolution, 3), np.uint8)

        def fitted(name: str) -> np.ndarray:
            return picture_files.squared(self.root / name, resolution)

        with self._ways_out(resolution), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for start in range(0, len(self.names), _AT_ONCE):
                names = self.names[start : start + _AT_ONCE]
                for index, picture in enumerate(threads.map(fitted, names), start):
                    loaded[index] = picture
                for name in names:
                    self._feed(digest, name)
                progress(start + len(names), len(self.names))
        return loaded

    def feed(self, digest, progress: Progress) -> None:
        """Without decoding."""
        for index, name in enumerate(self.names):
            self._feed(digest, name)
            if index % _AT_ONCE == 0:
                progress(index, len(self.names))

    @contextlib.contextmanager
    def _ways_out(self, resolution: int = 32) -> Iterator[None]:
        """Of a broken picture."""
        try:
            yield
        except StepFailed as error:
            prepare = f"biggan prepare {self.root} --res {resolution} --out DIR --skip-broken, then --data DIR"
            error.replace_detail("fix", f"copy or make it again, or remove it; or leave out all that are: {prepare}")
            raise

    def _feed(self, digest, name: str) -> None:
        try:
            digest.update(os.fsencode(name) + f" {sha256(self.root / name)}\n".encode())
        except OSError as error:
            raise StepFailed(f"{self.root / name} cannot be read: {error.strerror}") from error


def open_source(path: Path, place: str) -> Source:
    """Every picture file in a folder of each class, sorted by name; other files and hidden ones are passed over.

    Raises:
        UsageError: no class folders, one, an empty one, folders in them, or pictures that are in none.
        StepFailed: a folder that cannot be read.
    """
    where = f"--data {KIND}:{place}"
    if not path.is_dir():
        raise UsageError(f"{where} is {'not a folder' if path.exists() else 'not there'}")
    folders, loose = _listed(path)
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
        inner, files = _listed(path / folder)
        if inner:
            raise UsageError(
                f"{where} is a folder of folders of folders: {os.path.join(place, folder, inner[0])} is a folder",
                fix=f"--data {os.path.join(place, folder)}, if its folders are the classes",
            )
        if not files:
            others = sorted({os.path.splitext(name)[1].lower() for name in os.listdir(str(path / folder))} - {""})
            raise UsageError(
                f"{where}: the class folder {folder} has no pictures"
                + (f", only files with {', '.join(others[:5])}" if others else ""),
                looked_for=", ".join("*" + ending for ending in ENDINGS),
                fix=f"remove {os.path.join(place, folder)}, or put pictures into it",
            )
        names.extend(f"{folder}/{file}" for file in files)
        labels.extend([label] * len(files))
    found = np.array(labels, np.int32)
    check_classes(folders, found, where)
    name = path.absolute().name or KIND
    return Source(KIND, place, name, tuple(folders), Files(path, names, found), nothing())


def _listed(folder: Path) -> Tuple[List[str], List[str]]:
    """The folders and the picture files in a folder, each sorted; links are followed, hidden names passed over."""
    folders, files = [], []
    try:
        with os.scandir(str(folder)) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(ENDINGS):
                    files.append(entry.name)
    except OSError as error:
        raise StepFailed(f"{folder} cannot be read: {error.strerror}") from error
    for name in (*folders, *files):
        if name != name.encode("utf-8", "ignore").decode("utf-8"):
            raise UsageError(f"{folder} has a name that is not UTF-8: {os.fsencode(name)!r}", fix="rename it")
    return sorted(folders), sorted(files)


def _is_folder(entry: "os.DirEntry") -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        raise StepFailed(f"{entry.path} cannot be followed: {error.strerror}", fix="remove the link") from error

"""Look at a data set: its classes, how many pictures each has, where they are, and what they look like."""

import itertools
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import numpy as np

from biggan_cli.core.grids import first_of_each, write_labelled
from biggan_cli.core.prepare import called_source
from biggan_cli.core.reporting import Report
from biggan_cli.data import datasets, images
from biggan_cli.data.formats.source import Part, Source
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded, whole_file
from biggan_cli.settings import DataConfig

_CELL = 64
"""Pixels of a picture in the grid, where the pictures differ in size."""
_LONGEST = 60
"""Characters of a data set's name in that of its grid."""


class DataResult(NamedTuple):
    """What a data set is."""

    data: str
    name: str
    num: int
    held_out: int
    size: str
    digest: str
    classes: List[Dict[str, Any]]
    """Each with ``name``, ``train``, ``held_out`` and ``first``, how a user finds its first picture."""
    grid: Optional[str]


def look(settings: DataConfig, report: Report) -> DataResult:
    """Open a data set, read all of it once, and draw the first pictures of each class.

    The grid goes to ``settings.out``, or to ``NAME-grid.png`` in the working directory; where that is another file,
    to ``NAME-grid-2.png`` …

    Raises:
        UsageError: it is nothing that can be trained on, or the grid cannot go there.
        StepFailed, NotReady: as :func:`biggan_cli.data.datasets.opened`.
    """
    out = expanded(settings.out) if settings.out else None
    if out:
        _check_place(out)

    def progress(done: int, total: int) -> None:
        report("advance", what="reading the data", done=done, total=total)

    with called_source(), datasets.opened(settings.spec, progress) as source:
        size = datasets.sizes_text(source.train.sizes())
        for note in (*source.notes, *source.train.notes()):
            report("warning", text=note)
        digest = datasets.digest_of(source, progress)
        grid = _drawn(source, out, report)
        train = source.train
        return DataResult(
            data=datasets.absolute(settings.spec),
            name=source.name,
            num=len(train.labels),
            held_out=len(source.held_out.labels),
            size=size,
            digest=digest,
            classes=_classes(source),
            grid=str(grid) if grid else None,
        )


def _drawn(source: Source, out: Optional[Path], report: Report) -> Optional[Path]:
    """Where the grid is."""
    if out:
        write_labelled(out, _rows(source))
        return out
    if not os.access(os.curdir, os.W_OK | os.X_OK):
        report("warning", text="no grid is drawn: nothing can be written to this folder; --out with another place")
        return None
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "grid.png"
        write_labelled(drawn, _rows(source))
        content = drawn.read_bytes()
    place = next(path for path in _own_places(source.name) if not os.path.lexists(str(path)) or _holds(path, content))
    if not place.is_file():
        with whole_file(place) as temporary:
            temporary.write_bytes(content)
    return place


def _own_places(name: str) -> Iterator[Path]:
    stem = re.sub(r"[^\w.-]", "_", name)[:_LONGEST] + "-grid"
    yield Path(f"{stem}.png")
    yield from (Path(f"{stem}-{number}.png") for number in itertools.count(2))


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _check_place(out: Path) -> None:
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out} does not end in .png", fix=f"--out {out.stem or 'grid'}.png")
    folder = out.absolute().parent
    if not folder.is_dir() or not os.access(str(folder), os.W_OK | os.X_OK):
        raise UsageError(f"--out {out}: nothing can be written to {folder}", fix="--out in a folder that is there")


def _classes(source: Source) -> List[Dict[str, Any]]:
    counts = [np.bincount(part.labels, minlength=len(source.class_names)) for part in (source.train, source.held_out)]
    first = dict(zip(*(found.tolist() for found in np.unique(source.train.labels, return_index=True))))
    return [
        dict(
            name=name,
            train=int(counts[0][label]),
            held_out=int(counts[1][label]),
            first=source.train.name(first[label]) if label in first else None,
        )
        for label, name in enumerate(source.class_names)
    ]


def _rows(source: Source):
    """(class, its first pictures, all at one size) for the grid."""
    part: Part = source.train
    side = part.size[0] if part.size and part.size[0] == part.size[1] else _CELL
    chosen = first_of_each(source.class_names, part.labels)
    pictures = iter(part.at([index for _, indices in chosen for index in indices.tolist()]))
    return [(name, np.stack([images.fit(next(pictures), side) for _ in indices])) for name, indices in chosen]

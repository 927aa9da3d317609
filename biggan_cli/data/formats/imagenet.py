"""Downsampled ImageNet as it is published: train_data_batch_1 … 10 and val_data, each with or without .npz.

Source: Chrabaszcz, Loshchilov and Hutter, A downsampled variant of ImageNet (arXiv 1707.08819). ``data`` uint8
[N, 3 * R * R] has the red, green and blue plane of a picture row by row, ``labels`` are 1 to 1000.
"""

import functools
import re
from pathlib import Path
from typing import List, Tuple

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats import npz
from biggan_cli.data.formats.source import Part, Source, check_classes, checked_labels, nothing
from biggan_cli.errors import StepFailed, UsageError

KIND = "imagenet"
CLASSES = 1000
_TRAIN = re.compile(r"train_data(?:_batch_(\d{1,2}))?(?:\.npz)?")
_HELD_OUT = ("val_data.npz", "val_data")


def is_folder(names: Tuple[str, ...]) -> bool:
    """Whether a folder with files of these names in it is one of these."""
    return any(_TRAIN.fullmatch(name) for name in names)


def open_source(path: Path, place: str) -> Source:
    """The batches of a folder in the order of their numbers, and the validation set held out; or one batch.

    The classes are numbered: 0 is the label 1.

    Raises:
        UsageError: there is none, or one class only.
        StepFailed: a batch is damaged, or holds something else; names it.
    """
    where = f"--data {KIND}:{place}"
    if path.is_dir():
        matches = ((_TRAIN.fullmatch(file.name), file) for file in path.iterdir() if file.is_file())
        found = {int(match.group(1) or 0): file for match, file in matches if match}
        train = [file for _, file in sorted(found.items())]
        held_out = [path / name for name in _HELD_OUT if (path / name).is_file()][:1]
    else:
        train, held_out = [path] if path.is_file() else [], []
    if not train:
        raise UsageError(f"{where} has no train_data_batch_1", fix="the folder with the unpacked .npz batches")
    part = _part(train)
    names = classes.numbered(CLASSES)
    check_classes(names, part.labels, where)
    side = part.size[0]
    rest = _part(held_out) if held_out else nothing()
    if held_out and rest.size != part.size:
        raise StepFailed(f"{held_out[0]} has {rest.size[0]} px, {train[0]} {side} px")
    return Source(KIND, place, f"imagenet{side}", names, part, rest)


def _part(files: List[Path]) -> Part:
    sides, labels = [], []
    for file in files:
        lacking = [key for key in ("data", "labels") if key not in npz.keys(file)]
        if lacking:
            raise StepFailed(f"{file} has no array {' and '.join(lacking)}", fix="a batch of downsampled ImageNet")
        shape, dtype = npz.header(file, "data")
        side = round((shape[1] / 3) ** 0.5) if len(shape) == 2 else 0
        if dtype != np.uint8 or not side or shape[1] != 3 * side * side:
            raise StepFailed(f"{file}: data is {dtype} {shape}, not uint8 (N, 3 * R * R)")
        sides.append(side)
        labels.append(checked_labels(npz.small_array(file, "labels"), shape[0], str(file), 1, CLASSES))
        if side != sides[0]:
            raise StepFailed(f"{file} has {side} px, {files[0]} {sides[0]} px")
    as_picture = functools.partial(_picture, side=sides[0])
    return npz.Rows([(file, "data") for file in files], np.concatenate(labels), (sides[0],) * 2, as_picture)


def _picture(row: np.ndarray, side: int) -> np.ndarray:
    return row.reshape(3, side, side).transpose(1, 2, 0)

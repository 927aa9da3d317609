"""The 5,000 digits of MNIST that the package brings."""

from pathlib import Path

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats.source import Arrays, Source

KIND = "digits"
RESOURCES = Path(__file__).parent.parent / "resources"
_HELD_OUT_PER_CLASS = 50


def open_source() -> Source:
    """Padded to 32 px; the last 50 digits of each class in the order of the file are held out."""
    with np.load(str(RESOURCES / "digits.npz")) as archive:
        pictures, labels = archive["images"], archive["labels"].astype(np.int32)
    pictures = np.pad(pictures, ((0, 0), (2, 2), (2, 2)), mode="constant")
    pictures = np.repeat(pictures[..., None], 3, axis=-1)
    held_out = np.zeros(len(labels), bool)
    for label in range(10):
        held_out[np.flatnonzero(labels == label)[-_HELD_OUT_PER_CLASS:]] = True
    train = Arrays(pictures[~held_out], labels[~held_out])
    return Source(KIND, "", KIND, classes.DIGITS, train, Arrays(pictures[held_out], labels[held_out]))

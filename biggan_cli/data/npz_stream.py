"""An .npz file that is written while its largest array is still being made, also into a pipe."""

import zipfile
from typing import BinaryIO, Iterable, Mapping, Tuple

import numpy as np


def write_npz(
    file: BinaryIO, name: str, shape: Tuple[int, ...], batches: Iterable[np.ndarray], arrays: Mapping[str, np.ndarray]
) -> None:
    """``name``, uint8 of this shape, in batches along its first axis; then the other arrays. Not compressed.

    The bytes depend on the arrays alone. Nothing is held in memory but a batch.
    """
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as member:
            header = dict(descr="|u1", fortran_order=False, shape=shape)
            np.lib.format.write_array_header_1_0(member, header)
            for batch in batches:
                member.write(np.ascontiguousarray(batch, np.uint8).tobytes())
        for other, array in arrays.items():
            with archive.open(zipfile.ZipInfo(other + ".npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)

"""The files that ``msame`` and ``ais_bench`` write, and the failures in writing them that a test can ask for."""

from pathlib import Path
from typing import FrozenSet

import numpy as np

from biggan_cli.emulator import failures


class OutputFolder:
    """Writes the outputs of a run of ``total`` inferences into a folder that exists."""

    def __init__(self, path: Path, total: int, asked: FrozenSet[str]):
        self.path, self._total, self._asked = path, total, asked

    def write(self, name: str, number: int, values: np.ndarray, length: int) -> None:
        """Write the first ``length`` bytes of ``values`` (zeros after its end) as ``name``: .bin raw, .txt, .npy.

        Args:
            number: which inference of the run, from 0.
        """
        if "nan" in self._asked and values.dtype.kind == "f":
            values = np.full_like(values, np.nan)
        if "missing" in self._asked and number >= self._total - max(1, self._total // 10):
            return
        path = self.path / name
        if path.suffix == ".npy":
            np.save(str(path), values)
        elif path.suffix == ".txt":
            rows = values.reshape(-1, values.shape[-1] if values.ndim else 1)
            path.write_text("".join(" ".join(f"{value:g}" for value in row) + " \n" for row in rows), encoding="ascii")
        else:
            path.write_bytes(values.tobytes()[:length].ljust(length, b"\0"))
        if "truncate" in self._asked and number == self._total - 1:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def before(self, number: int) -> None:
        """Call before inference ``number``."""
        if "crash" in self._asked and number >= self._total // 2:
            failures.die()

"""Raw files for an offline model: one little-endian file for each input and batch, no header, C order.

``<folder>/z/000000.bin`` and ``<folder>/y/000000.bin`` belong together; ``index.json`` says what is in them.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from biggan_cli.deploy.spec import GraphSpec, TensorSpec
from biggan_cli.errors import StepFailed
from biggan_cli.files import read_json, write_json

INDEX = "index.json"
_PROGRESS_EVERY = 1000


class BinIndex(NamedTuple):
    """What a set of files holds: ``num`` latents, ``batch`` in each file, the last one filled with its own first."""

    num: int
    batch: int
    seeds: Tuple[int, ...]
    labels: Tuple[int, ...]

    def stems(self) -> List[str]:
        """The names of the files without their ending, in order."""
        return [f"{number:06d}" for number in range(-(-self.num // self.batch))]


def write_bins(folder: Path, arrays: Mapping[str, np.ndarray], spec: GraphSpec, batch: int, progress) -> List[str]:
    """Write each input's array [N, …] as files of ``batch`` rows in ``folder/<input>/``; their names.

    Args:
        progress: told (files of each input done, in all).
    """
    num = len(arrays[spec.inputs[0].name])
    names = [f"{number:06d}.bin" for number in range(-(-num // batch))]
    for tensor in spec.inputs:
        (folder / tensor.name).mkdir()
    typed = {tensor.name: np.asarray(arrays[tensor.name], tensor.dtype) for tensor in spec.inputs}
    for number, name in enumerate(names):
        for input_name, rows in typed.items():
            part = rows[number * batch : (number + 1) * batch]
            whole = np.resize(part, (batch, *part.shape[1:]))
            (folder / input_name / name).write_bytes(whole.astype(whole.dtype.newbyteorder("<")).tobytes())
        if (number + 1) % _PROGRESS_EVERY == 0:
            progress(number + 1, len(names))
    return names


def write_index(folder: Path, index: BinIndex, class_names: Sequence[str]) -> None:
    write_json(folder / INDEX, dict(index._asdict(), class_names=list(class_names)))


def read_index(folder: Path) -> BinIndex:
    """What :func:`write_index` wrote.

    Raises:
        StepFailed: it is missing or damaged.
    """
    stored: Dict[str, Any] = read_json(folder / INDEX)
    try:
        index = BinIndex(stored["num"], stored["batch"], tuple(stored["seeds"]), tuple(stored["labels"]))
        numbers = (index.num, index.batch, *index.seeds, *index.labels)
        if not all(type(number) is int and number >= 0 for number in numbers) or not index.batch:
            raise ValueError("it has what is no whole number")
        if len(index.seeds) != index.num or len(index.labels) != index.num:
            raise ValueError(f"{len(index.seeds)} seeds and {len(index.labels)} labels for {index.num} latents")
    except (KeyError, TypeError, ValueError) as error:
        raise StepFailed(f"{folder / INDEX} is damaged: {error}", fix="biggan to-bin") from error
    return index


def read_bins(folder: Path, index: BinIndex, spec: GraphSpec, most: int) -> Dict[str, np.ndarray]:
    """Input name → its first rows [n, …], ``most`` at most."""
    return {
        tensor.name: _read([folder / tensor.name / f"{stem}.bin" for stem in index.stems()], index, tensor, most)
        for tensor in spec.inputs
    }


def read_outputs(folder: Path, index: BinIndex, spec: GraphSpec, most: int) -> np.ndarray:
    """The first pictures float32 [n, R, R, 3] of a finished ``msame-run``, ``most`` at most."""
    return _read([folder / output_name(stem) for stem in index.stems()], index, spec.output, most)


def outputs(folder: Path, index: BinIndex, spec: GraphSpec, most: int) -> Iterator[np.ndarray]:
    """The same file by file: float32 [n, R, R, 3], ``index.batch`` of them at most."""
    for number, stem in enumerate(index.stems()):
        count = min(most, index.num) - number * index.batch
        if count > 0:
            yield _values([folder / output_name(stem)], spec.output)[:count]


def missing_outputs(folder: Path, index: BinIndex, spec: GraphSpec) -> List[str]:
    """The names of the outputs that are not there, or not of their size."""
    size = index.batch * spec.output.bytes_each()
    present = {path.name for path in folder.glob("*_output_0.bin") if path.stat().st_size == size}
    return [output_name(stem) for stem in index.stems() if output_name(stem) not in present]


def _read(files: List[Path], index: BinIndex, tensor: TensorSpec, most: int) -> np.ndarray:
    count = min(most, index.num)
    return _values(files[: -(-count // index.batch)], tensor)[:count]


def _values(files: List[Path], tensor: TensorSpec) -> np.ndarray:
    raw = b"".join(path.read_bytes() for path in files)
    return np.frombuffer(raw, np.dtype(tensor.dtype).newbyteorder("<")).reshape(-1, *tensor.shape[1:])


def output_name(stem: str) -> str:
    """What the result of an input file is called, whichever program made it."""
    return f"{stem}_output_0.bin"

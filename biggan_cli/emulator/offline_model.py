"""The emulator's offline model: a file ``.om`` that neither a device nor a reader of real ones can mistake.

::

    BIGGAN-EMULATED-OFFLINE-MODEL 1\\n
    {"emulator": "emulated CANN 8.1", …, "length": 12345, "sha256": "…"}\\n
    <a serialized GraphDef of `length` bytes>

A real one starts with ``IMOD``.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from biggan_cli.emulator import VERSION
from biggan_cli.errors import StepFailed
from biggan_cli.files import whole_file

MAGIC = b"BIGGAN-EMULATED-OFFLINE-MODEL 1\n"


class Tensor(NamedTuple):
    """An input or output: ``shape`` has a -1 for the batch of a model with gears; ``tensor`` is what the graph
    computes, where that has another name."""

    name: str
    dtype: str
    shape: List[int]
    tensor: str


class OfflineModel(NamedTuple):
    """What ``atc`` built.

    ``inputs`` stand in the order of ``--input_shape``; ``gears`` are the batches of ``--dynamic_batch_size``;
    ``precision`` is the mode with, for each node that computes floats, the dtypes of its operands and its result.
    ``graph`` is a serialized GraphDef that computes in float32 with the roundings of the chip.
    """

    soc_version: str
    inputs: List[Tensor]
    outputs: List[Tensor]
    gears: List[int]
    precision: Dict[str, Any]
    options: Dict[str, str]
    command_line: str
    graph: bytes


def write(path: Path, model: OfflineModel) -> None:
    """Write the file whole or not at all, readable by its owner only, as ``atc`` does."""
    header = model._asdict()
    graph = header.pop("graph")
    for which in ("inputs", "outputs"):
        header[which] = [tensor._asdict() for tensor in header[which]]
    header = dict(header, emulator=VERSION, length=len(graph), sha256=hashlib.sha256(graph).hexdigest())
    with whole_file(path) as temporary:
        handle = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + json.dumps(header).encode("utf-8") + b"\n")
            file.write(graph)


def read(path: Path) -> OfflineModel:
    """The model in a file.

    Raises:
        StepFailed: the file cannot be read, is none of the emulator's, or is cut off or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StepFailed(f"{path} cannot be read: {error.strerror}") from error
    if not data.startswith(MAGIC):
        whose = "a real offline model, for a device" if data.startswith(b"IMOD") else "no offline model"
        raise StepFailed(f"{path} is not the emulator's: it is {whose}")
    start = data.find(b"\n", len(MAGIC)) + 1
    graph = data[start:]
    try:
        header = json.loads(data[len(MAGIC) : start].decode("utf-8"))
        complete = len(graph) == header.pop("length") and hashlib.sha256(graph).hexdigest() == header.pop("sha256")
    except ValueError:
        complete = False
    if not complete:
        raise StepFailed(f"{path} is cut off or damaged")
    del header["emulator"]
    for which in ("inputs", "outputs"):
        header[which] = [Tensor(**tensor) for tensor in header[which]]
    return OfflineModel(graph=graph, **header)


def is_emulated(path: Path) -> bool:
    """Whether a file is an offline model of the emulator."""
    with open(str(path), "rb") as file:
        return file.read(len(MAGIC)) == MAGIC

"""``generator.spec.json``: what stands beside a frozen graph and tells every later step what it must know of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import read_json, sha256, write_json
from biggan_cli.rundir import RunDir

SCHEMA = 1
BYTES = dict(float32=4, int32=4)


@dataclass(frozen=True)
class TensorSpec:
    """An input or the output of a graph; the first dimension is the batch, None where it is free."""

    name: str
    dtype: str
    shape: Tuple[Optional[int], ...]

    def bytes_each(self) -> int:
        """Of one picture."""
        count = BYTES[self.dtype]
        for dimension in self.shape[1:]:
            count *= dimension
        return count


@dataclass(frozen=True)
class GraphSpec:
    """A frozen generator: its inputs in order, its output in [-1, 1], and where it comes from.

    ``truncation`` is that of the latents which the statistics belong to, None for none; ``sha256`` is that of the
    graph's file.
    """

    graph: str
    sha256: str
    inputs: Tuple[TensorSpec, ...]
    output: TensorSpec
    class_names: Tuple[str, ...]
    step: int
    weights: str
    bn: str
    truncation: Optional[float]
    resample: str
    biggan: str

    @property
    def batch(self) -> Optional[int]:
        """The batch that the graph is fixed to; None: any."""
        return self.output.shape[0]

    @property
    def z_dim(self) -> int:
        return self.inputs[0].shape[1]


def write_spec(path: Path, spec: GraphSpec) -> None:
    write_json(path, dict(asdict(spec), schema=SCHEMA))


def read_spec(run: RunDir) -> GraphSpec:
    """The specification of a run's frozen graph, after making sure that the two belong together.

    Raises:
        UsageError: nothing was frozen.
        StepFailed: the specification is damaged, or belongs to another graph.
    """
    graph, path, again = run.frozen_graph, run.graph_spec, f"biggan freeze {run}"
    if not path.is_file() or not graph.is_file():
        raise UsageError(f"no frozen graph in {run}", looked_for=str(path if graph.is_file() else graph), fix=again)
    try:
        spec = _from_json(read_json(path))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StepFailed(f"{path} is damaged: {type(error).__name__} {error}", fix=again) from error
    found = sha256(graph)
    if found != spec.sha256:
        raise StepFailed(
            f"{path.name} and {graph.name} do not belong together: the graph's SHA-256 is {found[:12]}…, "
            f"the specification is of {spec.sha256[:12]}…",
            looked_for=str(graph),
            fix=again,
        )
    return spec


def _from_json(stored: Dict[str, Any]) -> GraphSpec:
    values = dict(stored)
    if values.pop("schema") != SCHEMA:
        raise ValueError(f"schema {stored['schema']}, this biggan reads schema {SCHEMA}")
    values["inputs"] = tuple(_tensor(tensor) for tensor in values["inputs"])
    values["output"] = _tensor(values["output"])
    values["class_names"] = tuple(values["class_names"])
    texts = ("graph", "sha256", "weights", "bn", "resample", "biggan")
    if not all(isinstance(values[key], str) for key in texts) or not isinstance(values["step"], int):
        raise ValueError("a value has the wrong type")
    return GraphSpec(**values)


def _tensor(stored: Dict[str, Any]) -> TensorSpec:
    tensor = TensorSpec(stored["name"], stored["dtype"], tuple(stored["shape"]))
    tensor.bytes_each()
    return tensor

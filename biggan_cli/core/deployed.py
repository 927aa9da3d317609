"""The offline models, input files and outputs of a run: which one is meant, and that it belongs to the frozen graph."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.deploy.bins import BinIndex, missing_outputs, read_bins, read_index
from biggan_cli.deploy.spec import GraphSpec
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import sha256
from biggan_cli.rundir import Finished, RunDir, finished_in, is_unchanged


class OfflineModel(NamedTuple):
    """A converted model; ``gears`` are the batches of a dynamic one, else ``batch`` is fixed."""

    name: str
    path: Path
    sha256: str
    batch: Optional[int]
    gears: Tuple[int, ...]
    precision: str
    soc: str
    emulated: bool


class Plan(NamedTuple):
    """What a dry run shows: the command for a shell."""

    command: str


class Bins(NamedTuple):
    """Input files with what is in them; ``sha256`` is that of their manifest.

    ``truncation`` is that of their z, None for none; ``latents_file`` is where these were taken from, None: of seeds.
    """

    name: str
    folder: Path
    index: BinIndex
    sha256: str
    truncation: Optional[float]
    latents_file: Optional[str]


def open_model(run: RunDir, spec: GraphSpec, name: Optional[str]) -> OfflineModel:
    """The latest offline model of the run's frozen graph, or the one called ``name``.

    Raises:
        UsageError: there is none.
        StepFailed: it is damaged, or was made from another graph.
    """
    found = _pick(run.finished("atc"), name, "--om", "offline model", str(run.path / "atc"), f"biggan atc {run}")
    path = found.folder / f"{found.name}.om"
    listed = found.manifest["outputs"].get(path.name, {})
    if not path.is_file() or path.stat().st_size != listed.get("bytes") or sha256(path) != listed.get("sha256"):
        raise StepFailed(f"{path} is not what atc left: it is missing, cut off or changed", fix=f"biggan atc {run}")
    if found.manifest["inputs"].get("freeze/" + spec.graph) != spec.sha256:
        raise StepFailed(
            f"{path} was made from another graph than {run.frozen_graph}: something was frozen since",
            fix=f"biggan atc {run}",
        )
    config, details = found.manifest["config"], found.manifest["details"]
    gears = tuple(config["dynamic_batch"])
    batch = None if gears else config["batch"]
    return OfflineModel(
        found.name,
        path,
        listed["sha256"],
        batch,
        gears,
        config["precision"],
        config["soc"],
        details["emulated"],
    )


def open_bins(run: RunDir, spec: GraphSpec, which: Optional[str]) -> Bins:
    """The latest input files, or those of a name or a folder; each file has the size that the graph needs.

    Raises:
        UsageError: there are none.
        StepFailed: they are damaged, or made for another model.
    """
    own = run.finished("to-bin")
    if which not in (None, *(entry.name for entry in own)) and (Path(which) / "manifest.json").is_file():
        found = finished_in(Path(which) / "manifest.json")
    else:
        place = str(run.path / "bin")
        found = _pick(own, which, "--bins", "set of input files", place, f"biggan to-bin {run}")
    index, again = read_index(found.folder), f"biggan to-bin {run}"
    for tensor in spec.inputs:
        needed = index.batch * tensor.bytes_each()
        for stem in index.stems():
            path = found.folder / tensor.name / f"{stem}.bin"
            size = path.stat().st_size if path.is_file() else None
            if size != needed:
                has = "is missing" if size is None else f"has {size} bytes"
                raise StepFailed(
                    f"{path} {has}: {index.batch} of the model's input {tensor.name} "
                    f"({tensor.dtype}, {', '.join(str(size) for size in tensor.shape[1:])}) are {needed} bytes",
                    hint="it is cut off, or was made for another model",
                    fix=again,
                )
    if index.labels and max(index.labels) >= len(spec.class_names):
        raise StepFailed(
            f"{found.folder} has class {max(index.labels)}, the model has {len(spec.class_names)} classes",
            hint="it was made for another model",
            fix=again,
        )
    if not is_unchanged(found):
        raise StepFailed(f"{found.folder} is not what to-bin left: a file was changed", fix=again)
    asked = found.manifest["config"]
    digest = sha256(found.folder / "manifest.json")
    return Bins(found.name, found.folder, index, digest, asked["truncation"], asked["latents"]["file"])


def device_runs(run: RunDir, spec: GraphSpec) -> List[Finished]:
    """The finished runs of offline models of this graph, the latest last."""
    return [entry for entry in run.finished("msame-run") if entry.manifest["details"]["graph_sha256"] == spec.sha256]


def check_outputs(run: RunDir, spec: GraphSpec, ran: Finished) -> None:
    """All outputs of a finished run are there.

    Raises:
        StepFailed: some are missing or cut off.
    """
    lacking = missing_outputs(ran.folder, read_index(ran.folder), spec)
    if lacking:
        details = ran.manifest["details"]
        raise StepFailed(
            f"{len(lacking)} outputs of {ran.folder} are missing or cut off, first {lacking[0]}",
            fix=f"biggan msame-run {run} --om {details['model']} --bins {details['bins']}",
        )


def latents_of(run: RunDir, spec: GraphSpec, ran: Finished, most: int) -> Tuple[np.ndarray, np.ndarray]:
    """z [N, z_dim] and y [N] that an offline model was run on, ``most`` at most.

    Raises:
        StepFailed: the input files changed since.
    """
    bins = open_bins(run, spec, ran.manifest["details"]["bins"])
    if bins.sha256 != ran.manifest["details"]["bins_sha256"]:
        raise StepFailed(f"{bins.folder} is not what {ran.folder} was made from", fix=f"biggan msame-run {run}")
    arrays = read_bins(bins.folder, bins.index, spec, most)
    return arrays["z"], arrays["y"].reshape(-1)


def label_of(ran: Finished) -> str:
    """What a finished run of an offline model is called in tables."""
    details = ran.manifest["details"]
    return f"{'emulated ' if details['emulated'] else ''}{details['model']}"


def _pick(found, name: Optional[str], flag: str, what: str, place: str, fix: str) -> Finished:
    if name is None:
        if found:
            return found[-1]
        raise UsageError(f"there is no {what} yet", looked_for=place, fix=fix)
    for entry in found:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in found[-5:]) or "there is none yet"
    raise UsageError(f"{flag} {name} is not in {place}", hint=f"the latest: {known}", fix=fix)

"""Checkpoints: written whole, listed by what is complete, read back as plain arrays.

``model-001000.json`` is written last and makes a checkpoint one: it names the files with their sizes, the step,
and the run's configuration and class names, so that a checkpoint can be understood alone.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional

import numpy as np

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import RunDir, flush_to_disk, read_json, sha256, write_json
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.training import ema

SCHEMA = 1
BEST = ("fid", "is")
"""By what a checkpoint can be the best."""
_RECORD = re.compile(r"model-(\d+)\.json")
_PLACE = re.compile(
    r"Restoring from checkpoint|Graph execution error|Detected at node|File \"|Node: |\[\[|\(\d+\) |Errors may have"
)


class Checkpoint(NamedTuple):
    """A complete checkpoint: ``prefix`` without endings, the step it was saved at, and its record."""

    prefix: Path
    step: int
    record: Dict[str, Any]

    def inputs(self) -> Dict[str, str]:
        """Its files for a manifest: path in the run → sha256."""
        return {"checkpoints/" + name: file["sha256"] for name, file in self.record["files"].items()}


def save(
    write: Callable[[Path], None],
    run: RunDir,
    step: int,
    description: Mapping[str, Any],
    keep: int,
    spare: Collection[int] = (),
) -> Checkpoint:
    """Make the checkpoint of step ``step``, then remove the oldest ones beyond the last ``keep`` and the best.

    Args:
        write: writes its files under a prefix, see :func:`write_arrays`.
        description: stored with it: the run's configuration and class names.
        spare: steps that stay besides.
    """
    prefix = run.checkpoint_prefix(step)
    for left in run.checkpoints.glob(".saving-*"):  # by a process that was killed: this one holds the run
        shutil.rmtree(str(left), ignore_errors=True)
    work = run.checkpoints / f".saving-{os.getpid()}"
    work.mkdir()
    try:
        _write(write, work / prefix.name)
        files = sorted(work.iterdir())
        sums = {path.name: dict(bytes=path.stat().st_size, sha256=sha256(path)) for path in files}
        for path in files:
            flush_to_disk(path)
            os.replace(str(path), str(run.checkpoints / path.name))
    finally:
        shutil.rmtree(str(work), ignore_errors=True)
    record = dict(schema=SCHEMA, step=step, files=sums, **description)
    write_json(_record_of(prefix), record)
    spared = {*spare, *(entry["step"] for entry in best(run).values())}
    for old in steps(run)[:-keep]:
        if old not in spared:
            _remove(run.checkpoint_prefix(old))
    return Checkpoint(prefix, step, record)


def steps(run: RunDir) -> List[int]:
    """The steps of the complete checkpoints of a run, in order."""
    names = (_RECORD.fullmatch(path.name) for path in run.checkpoints.glob("model-*.json"))
    return sorted(int(match.group(1)) for match in names if match)


def find(run: RunDir, which: Optional[str] = None) -> Checkpoint:
    """The latest checkpoint, or the one of step ``which``, with every file in place.

    Raises:
        UsageError: there is none, or none of that step.
        StepFailed: its record is damaged, or one of its files is missing or has another size.
    """
    found = steps(run)
    if not found:
        raise UsageError(
            f"no checkpoint in {run}",
            looked_for=str(run.checkpoints / "model-*.json"),
            fix=f"biggan train --resume {run}",
        )
    if which in (None, "latest"):
        step = found[-1]
    elif int(which) in found:
        step = int(which)
    else:
        known = ", ".join(str(step) for step in found)
        raise UsageError(
            f"--checkpoint {which} is not in {run}", fix=f"--checkpoint {found[-1]}", hint="it has the steps " + known
        )
    prefix = run.checkpoint_prefix(step)
    record = read_json(_record_of(prefix))
    if not _is_record(record):
        raise StepFailed(f"{_record_of(prefix)} is damaged: it is no record of a checkpoint", hint=_other(prefix))
    checkpoint = Checkpoint(prefix, step, record)
    _check_files(checkpoint)
    return checkpoint


def mark_best(run: RunDir, metric: str, step: int, value: float, of: Mapping[str, Any]) -> None:
    """Keep the checkpoint of a step as the best by ``metric``, ``fid`` or ``is``, until another one is.

    Args:
        of: how the value was measured.
    """
    write_json(_best_place(run, metric), dict(schema=SCHEMA, step=step, value=value, metric=metric, of=dict(of)))


def unmark_best(run: RunDir, metric: str) -> None:
    """No checkpoint is the best any more."""
    _best_place(run, metric).unlink()


def best(run: RunDir) -> Dict[str, Dict[str, Any]]:
    """``fid`` and ``is`` → what :func:`mark_best` wrote last."""
    places = {metric: _best_place(run, metric) for metric in BEST}
    return {metric: read_json(place) for metric, place in places.items() if place.is_file()}


def _best_place(run: RunDir, metric: str) -> Path:
    return run.checkpoints / f"best-{metric}.json"


def move(run: RunDir, step: int, folder: Path) -> None:
    """Put a checkpoint into another folder: the record first, so that what is half moved no longer counts."""
    prefix = run.checkpoint_prefix(step)
    for path in [_record_of(prefix), *sorted(prefix.parent.glob(prefix.name + ".*"))]:
        if path.exists():
            os.replace(str(path), str(folder / path.name))


def write_arrays(arrays: Mapping[str, np.ndarray], prefix: Path) -> None:
    """Write name → array as the checkpoint ``prefix``, in TensorFlow's own format."""
    with tf.Graph().as_default() as graph, open_session(graph, "cpu") as session:
        feeds = {tf.placeholder(array.dtype, array.shape): array for array in arrays.values()}
        writing = tf.raw_ops.SaveV2(
            prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=list(feeds)
        )
        session.run(writing, feeds)


def read(prefix: Path) -> Dict[str, np.ndarray]:
    """Name → array of everything in a checkpoint.

    Raises:
        StepFailed: a file is cut off or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:  # what it is differs by version
        raise StepFailed(f"checkpoint {prefix} is damaged: {_cause(error)}") from error


def restore(session, variables: Mapping, checkpoint: Checkpoint, optional: Iterable[str] = ()) -> None:
    """Set every variable to what the checkpoint holds; those that it names as fresh, to their start values.

    Args:
        optional: names that it need not hold: they too start afresh then.

    Raises:
        StepFailed: a file is damaged, or it was written by another network.
    """
    values, fresh = read(checkpoint.prefix), checkpoint.record.get("fresh", [])
    held = {name: values[name] for name in variables if name in values and name not in fresh}
    lacking = sorted(set(variables) - set(held) - set(fresh) - set(optional))
    other = [name for name, value in held.items() if tuple(variables[name].shape.as_list()) != value.shape]
    if lacking or other:
        what = f"it has no {lacking[0]}" if lacking else f"{other[0]} has the shape {held[other[0]].shape}"
        raise StepFailed(f"checkpoint {checkpoint.prefix} cannot be restored: {what}", hint=_other(checkpoint.prefix))
    start_values(session, variables, held)


def generator_values(values: Mapping[str, np.ndarray], weights: str) -> Dict[str, np.ndarray]:
    """The generator's values under their ``generator/…`` names: its own (``raw``) or their averages (``ema``).

    The power-iteration vectors and the moving averages belong to both.
    """
    own = {name: value for name, value in values.items() if name.startswith("generator/")}
    if weights == "ema":
        own.update({name: values[ema.name_of(name)] for name in own if ema.name_of(name) in values})
    return own


def _write(write: Callable[[Path], None], prefix: Path) -> None:
    try:
        write(prefix)
    except (tf.errors.OpError, ValueError) as error:
        free = shutil.disk_usage(str(prefix.parent)).free
        raise StepFailed(
            f"checkpoint {prefix.name} could not be written: {_cause(error)}",
            hint=f"{free / 1e6:.1f} MB are free there; the checkpoints before it are kept",
        ) from error


def _is_record(record: Any) -> bool:
    wanted = dict(schema=int, step=int, files=dict, run=dict)
    return (
        isinstance(record, dict)
        and all(isinstance(record.get(key), kind) for key, kind in wanted.items())
        and all(isinstance(file, dict) and {"bytes", "sha256"} <= set(file) for file in record["files"].values())
    )


def _check_files(checkpoint: Checkpoint) -> None:
    for name, wanted in checkpoint.record["files"].items():
        path = checkpoint.prefix.with_name(name)
        if not path.is_file():
            raise StepFailed(
                f"checkpoint {checkpoint.prefix} is incomplete: {path.name} is missing",
                looked_for=str(path),
                hint=_other(checkpoint.prefix),
            )
        size = path.stat().st_size
        if size != wanted["bytes"]:
            raise StepFailed(
                f"checkpoint {checkpoint.prefix} is damaged: {path.name} has {size} bytes instead of {wanted['bytes']}",
                hint=_other(checkpoint.prefix),
            )


def _other(prefix: Path) -> Optional[str]:
    """What can be done without a checkpoint that is damaged: take the one before it, if there is one."""
    others = [path for path in prefix.parent.glob("model-*.json") if path != _record_of(prefix)]
    return f"without {prefix.name}.json the checkpoint before it counts as the latest" if others else None


def _record_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".json")


def _remove(prefix: Path) -> None:
    """The record first, so that what is half removed no longer counts; then what belongs to it."""
    _record_of(prefix).unlink()
    for path in prefix.parent.glob(prefix.name + ".*"):
        path.unlink()


def _cause(error: Exception) -> str:
    """The line of TensorFlow's message that says what happened; around it are places in its graph."""
    lines = [line.strip() for line in str(getattr(error, "message", error)).splitlines()]
    telling = [line for line in lines if line and not _PLACE.match(line)]
    return telling[0] if telling else type(error).__name__

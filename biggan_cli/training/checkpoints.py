"""Checkpoints: written whole, listed by what is complete, read back as plain arrays.

``model-001000.json`` is written last and makes a checkpoint one: it names the files with their sizes, the step,
and the run's configuration and class names, so that a checkpoint can be understood alone.
"""

import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

import numpy as np

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import RunDir, flush_to_disk, read_json, sha256, write_json
from biggan_cli.runtime.tf import tf
from biggan_cli.training import ema

SCHEMA = 1


class Checkpoint(NamedTuple):
    """A complete checkpoint: ``prefix`` without endings, the step it was saved at, and its record."""

    prefix: Path
    step: int
    record: Dict[str, Any]


def save(saver, session, run: RunDir, step: int, description: Mapping[str, Any], keep: int) -> Checkpoint:
    """Save every variable as step ``step``, then remove the oldest checkpoints beyond the last ``keep``.

    Args:
        description: stored with it: the run's configuration and class names.
    """
    prefix = run.checkpoint_prefix(step)
    work = run.checkpoints / f".saving-{os.getpid()}"
    shutil.rmtree(str(work), ignore_errors=True)
    work.mkdir()
    try:
        _write(saver, session, work / prefix.name)
        files = sorted(work.iterdir())
        sums = {path.name: dict(bytes=path.stat().st_size, sha256=sha256(path)) for path in files}
        for path in files:
            flush_to_disk(path)
            os.replace(str(path), str(run.checkpoints / path.name))
    finally:
        shutil.rmtree(str(work), ignore_errors=True)
    record = dict(schema=SCHEMA, step=step, files=sums, **description)
    write_json(_record_of(prefix), record)
    for old in complete(run)[:-keep]:
        _remove(old)
    return Checkpoint(prefix, step, record)


def complete(run: RunDir) -> List[Checkpoint]:
    """The checkpoints of a run, oldest first."""
    found = []
    for path in run.checkpoints.glob("model-*.json"):
        record = read_json(path)
        found.append(Checkpoint(path.with_suffix(""), record["step"], record))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def find(run: RunDir, which: Optional[str] = None) -> Checkpoint:
    """The latest checkpoint, or the one of step ``which``, with every file in place.

    Raises:
        UsageError: there is none, or none of that step.
        StepFailed: one of its files is missing or has another size.
    """
    found = complete(run)
    if not found:
        raise UsageError(
            f"no checkpoint in {run}",
            looked_for=str(run.checkpoint_prefix(0).with_name("model-*.json")),
            fix=f"biggan train --resume {run}",
        )
    if which in (None, "latest"):
        chosen = found[-1]
    else:
        chosen = next((checkpoint for checkpoint in found if str(checkpoint.step) == which.lstrip("0")), None)
        if chosen is None:
            steps = ", ".join(str(checkpoint.step) for checkpoint in found)
            raise UsageError(f"--checkpoint {which} is not in {run}", hint="it has the steps " + steps)
    _check_files(chosen)
    return chosen


def read(checkpoint: Checkpoint) -> Dict[str, np.ndarray]:
    """Name → array of everything in a checkpoint.

    Raises:
        StepFailed: a file is cut off or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(checkpoint.prefix))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise StepFailed(f"checkpoint {checkpoint.prefix} is damaged: {_first_line(error)}") from error


def restore(saver, session, checkpoint: Checkpoint) -> None:
    """Set every variable of the session's graph to what the checkpoint holds.

    Raises:
        StepFailed: a file is damaged, or it was written by another network.
    """
    try:
        saver.restore(session, str(checkpoint.prefix))
    except (tf.errors.OpError, ValueError) as error:
        raise StepFailed(f"checkpoint {checkpoint.prefix} cannot be restored: {_first_line(error)}") from error


def generator_values(values: Mapping[str, np.ndarray], weights: str) -> Dict[str, np.ndarray]:
    """The generator's values under their ``generator/…`` names: its own (``raw``) or their averages (``ema``).

    The power-iteration vectors and the moving averages belong to both.
    """
    own = {name: value for name, value in values.items() if name.startswith("generator/")}
    if weights == "ema":
        own.update({name: values[ema.name_of(name)] for name in own if ema.name_of(name) in values})
    return own


def _write(saver, session, prefix: Path) -> None:
    try:
        saver.save(session, str(prefix), write_meta_graph=False, write_state=False)
    except (tf.errors.OpError, ValueError) as error:
        free = shutil.disk_usage(str(prefix.parent)).free
        raise StepFailed(
            f"checkpoint {prefix.name} could not be written: {_first_line(error)}",
            hint=f"{free / 1e6:.1f} MB are free there; the checkpoints before it are kept",
        ) from error


def _check_files(checkpoint: Checkpoint) -> None:
    for name, wanted in checkpoint.record["files"].items():
        path = checkpoint.prefix.with_name(name)
        if not path.is_file():
            raise StepFailed(
                f"checkpoint {checkpoint.prefix} is incomplete: {path.name} is missing",
                looked_for=str(path),
                hint=f"without {checkpoint.prefix.name}.json the checkpoint before it counts as the latest",
            )
        size = path.stat().st_size
        if size != wanted["bytes"]:
            raise StepFailed(
                f"checkpoint {checkpoint.prefix} is damaged: {path.name} has {size} bytes instead of {wanted['bytes']}",
                hint=f"without {checkpoint.prefix.name}.json the checkpoint before it counts as the latest",
            )


def _record_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".json")


def _remove(checkpoint: Checkpoint) -> None:
    """Its record first, so that what is half removed no longer counts; then what belongs to it."""
    _record_of(checkpoint.prefix).unlink()
    for path in checkpoint.prefix.parent.glob(checkpoint.prefix.name + ".*"):
        path.unlink()


def _first_line(error: Exception) -> str:
    return str(getattr(error, "message", error)).strip().splitlines()[0]

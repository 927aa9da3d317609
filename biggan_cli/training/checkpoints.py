"""Checkpoints: written whole, listed by what is complete, read back as plain arrays.

``model-001000.json`` is written last and makes a checkpoint one: it names the files with their sizes and sums, the
step, and the run's configuration and class names, so that a checkpoint can be understood alone. ``best-fid.json`` names
the checkpoint that scored best. One that is damaged goes to ``unsound/`` when training goes on from another.

Training compares the sums of what it goes on from. What only reads compares sizes: TensorFlow itself compares a CRC of
every tensor, and of the index, as it reads them.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import flush_to_disk, free_space, read_json, sha256, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.device import open_session, release_memory
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.training import ema

SCHEMA = 1
BEST = ("fid", "is")
"""Metrics whose best checkpoint is kept; ``best`` alone is by the first that there is."""
_RECORD = re.compile(r"model-(\d+)\.json")
_FILE = re.compile(r"model-(\d+)\.")
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
) -> Checkpoint:
    """Make the checkpoint of step ``step``, on the disk when this returns.

    Args:
        write: writes its files under a prefix, see :func:`write_arrays`.
        description: stored with it: the run's configuration and class names, and what else goes on with it.

    Raises:
        StepFailed, OSError: it could not be written; what was there before is there.
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
        record = dict(schema=SCHEMA, step=step, files=sums, best=_there(run, _marks(run)[0]), **description)
        record["sum"] = _sum_of(record)
        write_json(work / "record", record)
        for path in files:
            flush_to_disk(path)
        for path in files:
            os.replace(str(path), str(run.checkpoints / path.name))
        flush_to_disk(run.checkpoints)  # its files before what makes them a checkpoint
        os.replace(str(work / "record"), str(_record_of(prefix)))
        flush_to_disk(run.checkpoints)
    finally:
        shutil.rmtree(str(work), ignore_errors=True)
    return Checkpoint(prefix, step, record)


def remove_old(run: RunDir, keep: int, spare: Collection[int] = ()) -> None:
    """Remove checkpoints before the last ``keep``; also what a killed save left of one.

    Those with the best scores stay, and those that had them when one of the others that stay was saved: a run that
    goes back to it has them again.

    Args:
        spare: steps that stay besides.
    """
    last = steps(run)[-keep:]
    marked, damaged = _marks(run)
    if damaged:  # whatever they name is not removed
        return
    returns = {*last, *spare}
    entries = [marked, *(_best_when_saved(run, step) for step in returns)]
    kept = returns.union(entry["step"] for best_ones in entries for entry in best_ones.values())
    there = (_FILE.match(path.name) for path in run.checkpoints.glob("model-*.*"))
    for step in {int(match.group(1)) for match in there if match}:
        if step < last[0] and step not in kept:
            for path in _files_of(run.checkpoint_prefix(step)):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


def mark_best(run: RunDir, metric: str, step: int, value: float, of: Mapping[str, Any]) -> None:
    """Keep the checkpoint of a step as the best by a metric of :data:`BEST`.

    Args:
        of: how the value was measured.
    """
    write_json(run.best(metric), dict(schema=SCHEMA, step=step, value=value, metric=metric, of=dict(of)))


def best(run: RunDir) -> Dict[str, Dict[str, Any]]:
    """Metric → what :func:`mark_best` said of the checkpoint that is the best by it, of those that are there.

    Raises:
        StepFailed: what was said is damaged.
    """
    marked, damaged = _marks(run)
    for metric in damaged:
        raise StepFailed(
            f"{run.best(metric)} is damaged: it names no step", fix="remove it: it only names a checkpoint"
        )
    return _there(run, marked)


def mend_marks(run: RunDir, checkpoint: Optional[Checkpoint]) -> List[str]:
    """Put marks of the best that are damaged into ``unsound/``, and those of the checkpoint in their place.

    Returns:
        A sentence for each.
    """
    told = []
    for metric in _marks(run)[1]:
        run.unsound.mkdir(exist_ok=True)
        os.replace(str(run.best(metric)), str(run.unsound / run.best(metric).name))
        before = checkpoint.record.get("best", {}).get(metric) if checkpoint else None
        if before:
            write_json(run.best(metric), before)
        told.append(f"{run.best(metric)} was damaged, and is kept aside in {run.unsound}")
    return told


def _marks(run: RunDir) -> Tuple[Dict[str, Dict[str, Any]], List[str]]:
    """Metric → what :func:`mark_best` said; and the metrics of which it is damaged."""
    found: Dict[str, Dict[str, Any]] = {}
    damaged = []
    for metric in BEST:
        if run.best(metric).exists():
            try:
                entry = read_json(run.best(metric))
            except StepFailed:
                entry = None
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                found[metric] = entry
            else:
                damaged.append(metric)
    return found, damaged


def _there(run: RunDir, marked: Mapping[str, Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    saved = steps(run)
    return {metric: entry for metric, entry in marked.items() if entry["step"] in saved}


def newest_sound(run: RunDir, not_after: Optional[int] = None) -> Tuple[Optional[Checkpoint], Dict[int, str]]:
    """The checkpoint to go on from, every byte of it compared, and step → fault of those that lie after it.

    Args:
        not_after: later steps do not count either.

    Returns:
        None and nothing, if the run has none.

    Raises:
        StepFailed: there are some, and none is sound.
    """
    faults: Dict[int, str] = {}
    for step in reversed(steps(run)):
        late = not_after is not None and step > not_after
        fault = f"it lies after step {not_after}" if late else _fault(run, step)
        if fault is None:
            return _opened(run, step), faults
        faults[step] = fault
    if faults:
        raise StepFailed(
            f"no checkpoint of {run} is sound; of the latest: {next(iter(faults.values()))}",
            fix="bring back a copy of one, or train a new run",
            hint=f"{len(faults)} were looked at, and stay where they are",
        )
    return None, faults


def go_back(run: RunDir, checkpoint: Checkpoint, folder: Optional[Path] = None) -> None:
    """Keep aside what lies after a checkpoint; the best scores are those of then.

    Args:
        folder: where the others go; None: ``unsound/``.
    """
    for step in reversed(steps(run)):
        if step > checkpoint.step:
            _set_aside(run.checkpoint_prefix(step), folder or run.unsound)
    there = steps(run)
    for metric, entry in _marks(run)[0].items():
        if entry["step"] > checkpoint.step:
            before = checkpoint.record.get("best", {}).get(metric)
            if before and before["step"] in there:
                write_json(run.best(metric), before)
            else:
                run.best(metric).unlink()


def steps(run: RunDir) -> List[int]:
    """The steps of the complete checkpoints of a run, in order."""
    names = (_RECORD.fullmatch(path.name) for path in run.checkpoints.glob("model-*.json"))
    return sorted(int(match.group(1)) for match in names if match)


def find(run: RunDir, which: Optional[str] = None) -> Checkpoint:
    """The latest checkpoint, or the one of step ``which``, with every file in place.

    Args:
        which: a step, ``latest``, ``best-fid``, ``best-is``, or ``best``: the first of these two that there is.

    Raises:
        UsageError: there is none, or none of that step, or none was scored.
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
    elif which.startswith("best"):
        step = _best_step(run, which)
    elif int(which) in found:
        step = int(which)
    else:
        known = ", ".join(str(step) for step in found)
        raise UsageError(
            f"--checkpoint {which} is not in {run}", fix=f"--checkpoint {found[-1]}", hint="it has the steps " + known
        )
    return _opened(run, step)


def write_arrays(arrays: Mapping[str, np.ndarray], prefix: Path) -> None:
    """Write name → array as the checkpoint ``prefix``, in TensorFlow's own format."""
    writing = _writing(tuple((name, array.dtype.str, array.shape) for name, array in arrays.items()))
    feeds: Dict[Any, Any] = dict(zip(writing.tensors, arrays.values()))
    feeds[writing.prefix] = str(prefix)
    writing.session.run(writing.operation, feeds)
    release_memory()


class _Writing(NamedTuple):
    session: Any
    prefix: Any
    tensors: List[Any]
    operation: Any


_Kinds = Tuple[Tuple[str, str, Tuple[int, ...]], ...]
_KEPT: Dict[_Kinds, _Writing] = {}


@contextlib.contextmanager
def session_for_writing() -> Iterator[None]:
    """All that is written within the block is written by one session, which is closed at its end."""
    try:
        yield
    finally:
        _close_kept()


def _close_kept() -> None:
    while _KEPT:
        _KEPT.popitem()[1].session.close()


def _writing(kinds: _Kinds) -> _Writing:
    """The graph that writes arrays of these names, types and shapes, kept: TensorFlow never frees all of a session."""
    if kinds in _KEPT:
        return _KEPT[kinds]
    _close_kept()
    with tf.Graph().as_default() as graph:
        prefix = tf.placeholder(tf.string, [])
        tensors = [tf.placeholder(np.dtype(kind), shape) for _, kind, shape in kinds]
        names = [name for name, _, _ in kinds]
        operation = tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors
        )
    _KEPT[kinds] = _Writing(open_session(graph, "cpu"), prefix, tensors, operation)
    return _KEPT[kinds]


def read(prefix: Path) -> Dict[str, np.ndarray]:
    """Name → array of everything in a checkpoint.

    Raises:
        StepFailed: a file is cut off or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:  # what it is differs by version
        raise StepFailed(f"checkpoint {prefix} is damaged: {_cause(error)}", hint=_other(prefix)) from error


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
        raise StepFailed(
            f"checkpoint {prefix.name} could not be written: {_cause(error)}",
            hint=f"{free_space(prefix.parent)}; the checkpoints before it are kept",
        ) from error


def _best_step(run: RunDir, which: str) -> int:
    entries = best(run)
    metrics = [metric for metric in BEST if metric in entries and which in ("best", "best-" + metric)]
    if not metrics:
        raise UsageError(
            f"--checkpoint {which}: no checkpoint of {run} was scored by that",
            looked_for=str(run.checkpoints / (f"{which}.json" if which != "best" else "best-*.json")),
            fix="biggan train --score-every, or --checkpoint latest",
        )
    return entries[metrics[0]]["step"]


def _opened(run: RunDir, step: int) -> Checkpoint:
    """The checkpoint of a step, with every file in place.

    Raises:
        StepFailed: its record is damaged, or one of its files is missing or has another size.
    """
    prefix = run.checkpoint_prefix(step)
    record = read_json(_record_of(prefix))
    if not _is_record(record):
        raise StepFailed(f"{_record_of(prefix)} is damaged: it is no record of a checkpoint", hint=_other(prefix))
    if record.get("sum", _sum_of(record)) != _sum_of(record):  # those of before have none
        raise StepFailed(f"{_record_of(prefix)} is damaged: it is not what was written", hint=_other(prefix))
    checkpoint = Checkpoint(prefix, step, record)
    _check_files(checkpoint)
    return checkpoint


def _fault(run: RunDir, step: int) -> Optional[str]:
    """What is wrong with a checkpoint, every byte of which is read; None: nothing."""
    try:
        checkpoint = _opened(run, step)
        for name, wanted in checkpoint.record["files"].items():
            found = sha256(checkpoint.prefix.with_name(name))
            if found != wanted["sha256"]:
                return f"{name} has changed: its sha256 is {found[:12]}, its record says {wanted['sha256'][:12]}"
    except StepFailed as error:
        return error.message
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    return None


def _sum_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of all that a record says but for this."""
    said = json.loads(json.dumps({key: value for key, value in record.items() if key != "sum"}))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


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
    """What can be done without a checkpoint that is damaged: take another one, if there is one."""
    names = (_RECORD.fullmatch(path.name) for path in prefix.parent.glob("model-*.json") if path != _record_of(prefix))
    others = sorted(int(match.group(1)) for match in names if match)
    if not others:
        return None
    return f"--checkpoint {others[-1]} takes another one; biggan train --resume keeps the damaged one aside"


def _record_of(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".json")


def _files_of(prefix: Path) -> List[Path]:
    """Everything that belongs to a checkpoint. The record first: what is half gone no longer counts."""
    record = _record_of(prefix)
    return [*([record] if record.exists() else []), *(p for p in prefix.parent.glob(prefix.name + ".*") if p != record)]


def _best_when_saved(run: RunDir, step: int) -> Mapping[str, Mapping[str, Any]]:
    """What :func:`best` was when a checkpoint was saved; nothing where its record is damaged or gone."""
    with contextlib.suppress(StepFailed):
        record = read_json(_record_of(run.checkpoint_prefix(step)))
        if _is_record(record):
            return record.get("best", {})
    return {}


def _set_aside(prefix: Path, folder: Path) -> None:
    """Move a checkpoint to a folder, under a free name if one of that step is there already.

    Its record goes last: what is moved by half counts as incomplete where it was, and its other half follows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = next(n for n in itertools.count(1) if not (folder / (_aside_name(prefix.name, n) + ".json")).exists())
    for path in reversed(_files_of(prefix)):
        name = _aside_name(prefix.name, number) + path.name[len(prefix.name) :]
        os.replace(str(path), str(folder / name))


def _aside_name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _cause(error: Exception) -> str:
    """The line of TensorFlow's message that says what happened; around it are places in its graph."""
    lines = [line.strip() for line in str(getattr(error, "message", error)).splitlines()]
    telling = [line for line in lines if line and not _PLACE.match(line)]
    return telling[0] if telling else type(error).__name__

"""The runs of a folder: what each is, how far, and how good."""

import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from biggan_cli.core import run_states
from biggan_cli.core.run_states import Best
from biggan_cli.errors import BigganError, UsageError
from biggan_cli.rundir import RunDir, number_of

DAMAGED = "damaged"


class RunRow(NamedTuple):
    """A run; of one that is ``damaged`` only what could be read, and ``why`` it could not.

    ``best`` has for each score its value, step and extractor. ``age_seconds`` is the time since its last sign of
    life, 0 where that lies in the future: a clock was set. ``checkpoint_bytes`` is what its checkpoints take.
    """

    number: Optional[int]
    name: str
    path: str
    state: str
    why: Optional[str] = None
    preset: Optional[str] = None
    resolution: Optional[int] = None
    data: Optional[str] = None
    step: Optional[int] = None
    steps: Optional[int] = None
    best: Optional[Dict[str, Dict[str, Any]]] = None
    started: Optional[float] = None
    updated: Optional[float] = None
    age_seconds: Optional[float] = None
    holder: Optional[str] = None
    checkpoint_bytes: Optional[int] = None


class RunsResult(NamedTuple):
    """The runs of ``outdir`` in the order of their numbers; those without one come first."""

    outdir: str
    runs: List[RunRow]


def runs(outdir: Path) -> RunsResult:
    """Look at every run of a folder. One that cannot be read is a row that says so.

    Raises:
        UsageError: it is no folder, or cannot be read. None at all is no error.
    """
    try:
        found = [path for path in outdir.iterdir() if _is_run(path)]
    except FileNotFoundError:
        found = []
    except OSError as error:
        raise UsageError(f"--outdir {outdir} cannot be read: {error.strerror.lower()}", fix="--outdir runs") from error
    now = time.time()
    rows = [_row(path, now) for path in found]
    return RunsResult(str(outdir), sorted(rows, key=lambda row: (-1 if row.number is None else row.number, row.name)))


def _is_run(path: Path) -> bool:
    """What has a run's configuration, or a run's name: it may have lost the other."""
    named = number_of(path.name) is not None or (path / "config.json").is_file()
    return named and path.is_dir() and not path.name.startswith(".")


def _row(path: Path, now: float) -> RunRow:
    run = RunDir(path)
    row = RunRow(number_of(path.name), path.name, str(path), DAMAGED)
    try:
        record = run_states.record_of_run(run)
        state = run_states.state_of(run)
        best = {name: entry._asdict() for name, entry in _in_order(run_states.best_of(run)).items()}
        size = sum(file.stat().st_size for file in run.checkpoints.glob("*") if file.is_file())
    except BigganError as error:
        return row._replace(why=error.message)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # whatever else was put there
        return row._replace(why=str(error) or type(error).__name__)
    config = record.config
    return row._replace(
        state=state.state,
        why=state.why,
        preset=config.preset,
        resolution=config.model.resolution,
        data=config.train.data,
        step=state.step,
        steps=state.steps,
        best=best,
        started=state.started,
        updated=state.updated,
        age_seconds=None if state.updated is None else max(0.0, now - state.updated),
        holder=state.holder,
        checkpoint_bytes=size,
    )


def _in_order(best: Dict[str, Best]) -> Dict[str, Best]:
    return {name: best[name] for name in run_states.SMALLER_IS_BETTER if name in best}

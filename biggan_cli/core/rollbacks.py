"""Going back: a run that a monitor found spoilt goes on from before the first sign, with other data and smaller rates.

What came after that checkpoint is not lost: its records and checkpoints are moved to ``rolled-back/N/``.
That the run went back is in its configuration, which is written last; killed before that, a run that is resumed
comes to the same end and goes back again.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.reporting import Report
from biggan_cli.errors import StepFailed
from biggan_cli.files import whole_file, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from biggan_cli.training.checkpoints import Checkpoint
from biggan_cli.training.monitors import Collapsed


class Rollback(NamedTuple):
    """Where a run goes on from, and what it is from there."""

    record: RunRecord
    checkpoint: Checkpoint


def back(run: RunDir, record: RunRecord, error: Collapsed, report: Report) -> Rollback:
    """Go back to the newest checkpoint from before the first sign.

    A run that comes no further than the last time goes back before the checkpoint that it went back to then, if there
    is one: that one may be spoilt, whatever the monitors saw.

    Raises:
        Collapsed: the same, saying what is there, where the run is not to go back or cannot any more.
    """
    train = record.config.train
    checkpoint, before = None, _last_rollback(run, train.rollbacks)
    if before and error.step <= before["from_step"]:
        checkpoint = _newest_sound(run, min(error.last_good, before["step"] - 1))
    checkpoint = checkpoint or _newest_sound(run, error.last_good)
    there = f"the last good checkpoint is {checkpoint.prefix}" if checkpoint else "no checkpoint is older than its sign"
    error.replace_detail("hint", f"{there}; {error.hint}")
    if train.on_collapse != "rollback" and checkpoint and error.monitor != "overflow":
        error.replace_detail("fix", f"biggan train --resume {run} --on-collapse rollback")
    spent = train.on_collapse == "rollback" and train.rollbacks >= train.max_rollbacks
    if spent:
        times = f"{train.rollbacks} time{'s' * (train.rollbacks != 1)}"
        error.message += f"; the run went back {times}, and --max-rollbacks is {train.max_rollbacks}"
        error.args = (error.message,)
        error.replace_detail("fix", f"biggan train --resume {run} --max-rollbacks {train.max_rollbacks + 1}")
    if train.on_collapse != "rollback" or spent or checkpoint is None:
        raise error
    eased, step = configs.replace(train, rollbacks=train.rollbacks + 1), checkpoint.step
    record = configs.replace(record, config=configs.replace(record.config, train=eased))
    report("warning", text=error.message)
    text = f"rollback {eased.rollbacks} of {eased.max_rollbacks}: from step {error.step} back to step {step}"
    report("line", text=f"{text}, with other data and {eased.eased:g} of the rates; what came after it is set aside")
    checkpoints.go_back(run, checkpoint, _folder(run, eased.rollbacks) / "checkpoints")
    _note(run, error, step, eased)
    write_json(run.config, configs.to_json(record))
    return Rollback(record, checkpoint)


def last_good(run: RunDir, limits: List[int]) -> List[int]:
    """For each limit the newest checkpoint that is not after it, if there is one."""
    saved = checkpoints.steps(run)
    newest = (max((step for step in saved if step <= limit), default=None) for limit in limits)
    return sorted({step for step in newest if step is not None})


def _last_rollback(run: RunDir, number: int) -> Optional[Dict[str, Any]]:
    """The record of the rollback of that number, if there is one; a later one was interrupted, and did not happen."""
    entries = [entry for entry in map(_record, _lines(run)) if entry.get("rollback") == number > 0]
    return entries[-1] if entries and "from_step" in entries[-1] else None


def _newest_sound(run: RunDir, limit: int) -> Optional[Checkpoint]:
    """The newest checkpoint that is not after step ``limit``, and not damaged; None: there is none."""
    try:
        return checkpoints.newest_sound(run, limit)[0]
    except StepFailed:
        return None


def _note(run: RunDir, error: Collapsed, step: int, train: configs.TrainConfig) -> None:
    """Records after the step go aside; one says that the run went back, and why."""
    entry = dict(
        step=step,
        rollback=train.rollbacks,
        from_step=error.step,
        monitor=error.monitor,
        why=error.message,
        g_lr=train.g_lr * train.eased,
        d_lr=train.d_lr * train.eased,
    )
    lines = _lines(run)
    _folder(run, train.rollbacks).mkdir(parents=True, exist_ok=True)
    kept = [line for line in lines if _counts(line, step, train.rollbacks)]
    with whole_file(_folder(run, train.rollbacks) / "stats.jsonl") as temporary:
        temporary.write_bytes(b"".join(line for line in lines if line not in kept))
    with whole_file(run.stats) as temporary:
        temporary.write_bytes(b"".join([*kept, json.dumps(entry).encode() + b"\n"]))


def _lines(run: RunDir) -> List[bytes]:
    return run.stats.read_bytes().splitlines(keepends=True) if run.stats.exists() else []


def _counts(line: bytes, step: int, number: int) -> bool:
    """Whether a record is of the steps up to ``step``, and not of this rollback, which was interrupted once."""
    record = _record(line)
    return bool(record) and record["step"] <= step and record.get("rollback", 0) < number


def _record(line: bytes) -> Dict[str, Any]:
    """A record of ``stats.jsonl``; empty where it is damaged."""
    with contextlib.suppress(ValueError, RecursionError):
        record = json.loads(line.decode("utf-8"))
        numbers = ("step", "rollback", "from_step")
        if isinstance(record, dict) and all(isinstance(record.get(name, 0), int) for name in numbers):
            return record if "step" in record else {}
    return {}


def _folder(run: RunDir, number: int) -> Path:
    return run.path / "rolled-back" / str(number)

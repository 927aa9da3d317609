"""What a training run says of itself: stats.jsonl, TensorBoard, and the status line."""

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from biggan_cli.data import images
from biggan_cli.files import Appended, whole_file
from biggan_cli.rundir import RunDir
from biggan_cli.runtime import memory
from biggan_cli.runtime.tf import tf
from biggan_cli.training import signs
from biggan_cli.training.durations import remaining_seconds, trained_seconds
from biggan_cli.training.events import Events
from biggan_cli.training.precision import COUNTS

_NOT_DRAWN = (
    *("step", "steps_in_record", "maintenance_seconds", "maintenance_seconds_per_step"),
    *("elapsed_seconds", "remaining_seconds", "epoch_seconds"),
)
_LONGEST = 640
"""Pixels of the longer side of a picture for TensorBoard."""


class Ticks:
    """Collects the metrics of single steps into one record a tick.

    A record holds the means over its steps, unrounded, of what is counted the last, and times in seconds:
    ``seconds_per_step`` counts the steps alone, ``maintenance_seconds`` what went into saving and sampling since the
    last record, and ``maintenance_seconds_per_step`` the same over all steps since the start; ``elapsed_seconds`` and
    ``remaining_seconds`` are those of :mod:`durations`, of all starts; ``epoch_seconds`` is the time of the machine's
    clock, which may jump. ``resident_bytes`` is the memory
    of the process; None: the system does not say. What is not finite in a step that a scaled loss left out does not
    count; None: nothing else is there.

    Args:
        names: of the metrics of a step.
        batch: pictures of a step.
        total: steps in all.
        begun: what :meth:`begun` gave when the run was saved: its next record is then the same as without a break.
        started: when this start began, by ``time.perf_counter``; None: now.
        trained: seconds of the starts before.
    """

    def __init__(
        self,
        names: Sequence[str],
        batch: int,
        total: int,
        begun: Optional[Mapping[str, Any]] = None,
        started: Optional[float] = None,
        trained: float = 0.0,
    ):
        self._names, self._batch, self._total = names, batch, total
        self._started = (time.perf_counter() if started is None else started) - trained
        self._all_steps, self._all_maintenance = 0, 0.0
        begun = begun or dict(steps=0, lost_steps=0, skipped=0.0, sums={})
        self._steps, self._skipped = begun["steps"], begun["skipped"]
        self.lost_steps: int = begun["lost_steps"]
        """Steps in a row, up to the last one, that were all left out."""
        parts = [begun["sums"].get(name, (0.0, 0)) for name in names]
        self._sums = np.array([total for total, _ in parts], np.float64)
        self._numbers = np.array([number for _, number in parts], np.int64)
        """How many steps each sum is of."""
        self._last = np.zeros(len(names))
        self._step_seconds: List[float] = []
        self._maintenance = 0.0

    def add_step(self, metrics: np.ndarray, seconds: float, count: int = 1) -> bool:
        """``count`` steps that took ``seconds`` each, with the metrics of the last one.

        Returns:
            Whether a scaled loss left one of them out.
        """
        metrics, overflowed = np.asarray(metrics, np.float64), False
        counts = np.ones(len(metrics), bool)
        if "skipped_steps" in self._names:
            skipped = float(metrics[self._names.index("skipped_steps")])
            overflowed = skipped > self._skipped
            if overflowed:
                counts = np.isfinite(metrics)
            self.lost_steps = self.lost_steps + count if skipped - self._skipped >= count else 0
            self._skipped = skipped
        self._sums += np.where(counts, metrics, 0.0)
        self._numbers += counts
        self._last = metrics
        self._step_seconds.append(seconds)
        self._steps += count
        self._all_steps += count
        return overflowed

    def add_maintenance(self, seconds: float) -> None:
        self._maintenance += seconds
        self._all_maintenance += seconds

    def begun(self) -> Dict[str, Any]:
        """All but the times of the record that is not complete yet, as plain values for a checkpoint."""
        sums = {name: list(part) for name, *part in zip(self._names, self._sums.tolist(), self._numbers.tolist())}
        return dict(steps=self._steps, lost_steps=self.lost_steps, skipped=self._skipped, sums=sums)

    def record(self, step: int) -> Dict[str, Any]:
        """The record of the steps since the last one, up to ``step``."""
        sums = zip(self._sums.tolist(), self._numbers.tolist())
        means = [total / number if number else None for total, number in sums]
        # The median, not the mean: the first step of a process also builds its kernels.
        seconds = float(np.median(self._step_seconds))
        record: Dict[str, Any] = dict(step=step, steps_in_record=self._steps)
        record.update(signs.class_variances(dict(zip(self._names, means))))
        record.update((name, float(self._last[self._names.index(name)])) for name in COUNTS if name in record)
        record.update(
            seconds_per_step=seconds,
            images_per_second=self._batch / seconds,
            maintenance_seconds=self._maintenance,
            maintenance_seconds_per_step=self._all_maintenance / self._all_steps,
            elapsed_seconds=time.perf_counter() - self._started,
            epoch_seconds=time.time(),
            resident_bytes=memory.resident().get("VmRSS"),
        )
        record["remaining_seconds"] = remaining_seconds(record, self._total)
        self._sums, self._numbers = np.zeros_like(self._sums), np.zeros_like(self._numbers)
        self._step_seconds, self._steps, self._maintenance = [], 0, 0.0
        return record


def status(record: Mapping[str, Any]) -> str:
    """The losses and the speed of a record in fixed fields."""
    losses = f"D {number(record['d_loss'], '6.3f')}  G {number(record['g_loss'], '6.3f')}"
    if "skipped_steps" in record:
        losses += f"  scale {record['loss_scale']:.0f} skipped {record['skipped_steps']:.0f}"
    logits = f"real {number(record['real_logit'], '6.2f')}  fake {number(record['fake_logit'], '6.2f')}"
    return f"{losses}  {logits}  {record['seconds_per_step']:.3f} s/step {record['images_per_second']:6.1f} img/s"


def number(value: Optional[float], form: str) -> str:
    """As ``form`` says; a dash where all of its steps were left out."""
    return "-" if value is None else format(value, form)


class Records:
    """Appends records to ``stats.jsonl`` and to TensorBoard's event file.

    A full disk ends nothing here: what cannot be written is kept in memory, and written with the next record.
    """

    def __init__(self, run: RunDir, resumed_at: int):
        """Drops what ``stats.jsonl`` holds beyond the step that the run resumes at.

        ``repaired`` says what was wrong with the file; None: nothing. ``trained_seconds`` are those of its records.
        """
        self.repaired = _cut(run.stats, resumed_at)
        self.trained_seconds: float = trained_seconds(run.stats) or 0.0
        self._stats = Appended(run.stats)
        self._events = Events(run.path, resumed_at)

    def write(self, record: Mapping[str, Any]) -> None:
        self.trained_seconds = record["elapsed_seconds"]
        self._stats.add(json.dumps(record).encode() + b"\n")
        names = [name for name in record if name not in _NOT_DRAWN and record[name] is not None]
        self.draw(record["step"], {name: record[name] for name in names})

    def draw(self, step: int, scalars: Mapping[str, float]) -> None:
        """Numbers of a step for TensorBoard alone."""
        values = [tf.Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._events.add_summary(tf.Summary(value=values), global_step=step)

    def add_picture(self, tag: str, path: Path, step: int) -> None:
        """Show a picture file in TensorBoard, small; without the file, or where it is damaged, nothing."""
        try:
            encoded, (height, width) = images.preview(path, _LONGEST)
        except (OSError, SyntaxError):  # how Pillow calls what it cannot read
            return
        picture = tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
        summary = tf.Summary(value=[tf.Summary.Value(tag=tag, image=picture)])
        self._events.add_summary(summary, global_step=step)

    def write_to_disk(self) -> None:
        """What a checkpoint rests on: every record of before is on the disk.

        Raises:
            OSError: it cannot be written.
        """
        self._stats.write_kept(to_disk=True)


def _cut(stats: Path, step: int) -> Optional[str]:
    """Keep the records up to ``step``; what is damaged besides goes too, and is what the sentence is about."""
    if not stats.exists():
        return None
    content, kept, damaged = stats.read_bytes(), [], 0
    for line in content.splitlines(keepends=True):
        reached = _step_of(line)
        damaged += reached is None
        if reached is not None and reached <= step:
            kept.append(line)
    whole = b"".join(kept)
    if content.startswith(whole):
        if len(whole) < len(content):  # in place: a full disk has room for that
            os.truncate(str(stats), len(whole))
    else:
        with whole_file(stats) as temporary:
            temporary.write_bytes(whole)
    if not damaged:
        return None
    return f"{stats} is repaired: {damaged} line{'s' * (damaged > 1)} cut off or damaged, left out; {len(kept)} kept"


def _step_of(line: bytes) -> Optional[int]:
    """None: it is no whole record."""
    try:
        step = json.loads(line.decode())["step"]
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        return None
    return step if line.endswith(b"\n") and isinstance(step, int) else None

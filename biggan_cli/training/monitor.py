"""What a training run says of itself: stats.jsonl, TensorBoard, and the status line."""

import json
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from biggan_cli.rundir import RunDir, whole_file
from biggan_cli.runtime.tf import tf
from biggan_cli.training import signs
from biggan_cli.training.precision import COUNTS

_NOT_DRAWN = ("step", "steps_in_record", "maintenance_seconds", "elapsed_seconds", "remaining_seconds")


class Ticks:
    """Collects the metrics of single steps into one record a tick.

    A record holds the means over its steps, unrounded, of what is counted the last, and times in seconds:
    ``seconds_per_step`` counts the steps alone, ``maintenance_seconds`` what went into saving and sampling since the
    last record. What is not finite in a step that a scaled loss left out does not count; None: nothing else is there.

    Args:
        names: of the metrics of a step.
        batch: pictures of a step.
        total: steps in all.
    """

    def __init__(self, names: Sequence[str], batch: int, total: int):
        self._names, self._batch, self._total = names, batch, total
        self._started = time.perf_counter()
        self._metrics: List[np.ndarray] = []
        self._counts: List[np.ndarray] = []
        """Which of them count."""
        self._skipped = 0.0
        self.lost_steps = 0
        """Steps in a row, up to the last one, that were all left out."""
        self._step_seconds: List[float] = []
        self._steps = 0
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
        self._metrics.append(metrics)
        self._counts.append(counts)
        self._step_seconds.append(seconds)
        self._steps += count
        return overflowed

    def add_maintenance(self, seconds: float) -> None:
        self._maintenance += seconds

    def __bool__(self) -> bool:
        return bool(self._metrics)

    def record(self, step: int) -> Dict[str, Any]:
        """The record of the steps since the last one, up to ``step``."""
        numbers = np.sum(self._counts, axis=0)
        sums = np.sum(np.where(self._counts, self._metrics, 0.0), axis=0)
        means = [total / number if number else None for total, number in zip(sums.tolist(), numbers.tolist())]
        # The median, not the mean: the first step of a process also builds its kernels.
        seconds = float(np.median(self._step_seconds))
        record: Dict[str, Any] = dict(step=step, steps_in_record=self._steps)
        record.update(signs.class_variances(dict(zip(self._names, means))))
        record.update((name, float(self._metrics[-1][self._names.index(name)])) for name in COUNTS if name in record)
        record.update(
            seconds_per_step=seconds,
            images_per_second=self._batch / seconds,
            maintenance_seconds=self._maintenance,
            elapsed_seconds=time.perf_counter() - self._started,
            remaining_seconds=(self._total - step) * seconds,
        )
        self._metrics, self._counts, self._step_seconds = [], [], []
        self._steps, self._maintenance = 0, 0.0
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
    """Appends records to ``stats.jsonl`` and to TensorBoard's event file. A context manager."""

    def __init__(self, run: RunDir, resumed_at: int):
        """Drops what ``stats.jsonl`` holds beyond the step that the run resumes at."""
        _truncate(run.stats, resumed_at)
        self._stats = open(str(run.stats), "a")  # noqa: SIM115, closed by __exit__
        self._events = tf.summary.FileWriter(str(run.path))
        if resumed_at:
            self._events.add_session_log(tf.SessionLog(status=tf.SessionLog.START), global_step=resumed_at + 1)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *exception) -> None:
        self._stats.close()
        self._events.close()

    def write(self, record: Mapping[str, Any]) -> None:
        self._stats.write(json.dumps(record) + "\n")
        self._stats.flush()
        names = [name for name in record if name not in _NOT_DRAWN and record[name] is not None]
        self.draw(record["step"], {name: record[name] for name in names})

    def draw(self, step: int, scalars: Mapping[str, float]) -> None:
        """Numbers of a step for TensorBoard alone."""
        values = [tf.Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._events.add_summary(tf.Summary(value=values), global_step=step)
        self._events.flush()


def _truncate(stats: Path, step: int) -> None:
    """Keep the whole lines up to ``step``; a line cut off by a crash goes too."""
    if not stats.exists():
        return
    kept = []
    for line in stats.read_text().splitlines(keepends=True):
        try:
            if line.endswith("\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError):
            pass
    with whole_file(stats) as temporary:
        temporary.write_text("".join(kept))

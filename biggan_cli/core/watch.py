"""Follow a run from outside: what it wrote since the last look. The run is never touched."""

import os
import re
import time
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional

from biggan_cli.core import run_states
from biggan_cli.core.run_states import RUNNING, Best, RunState, Score
from biggan_cli.rundir import RunDir
from biggan_cli.training.durations import TrainedSeconds, remaining_seconds

CURVES = ("d_loss", "g_loss", "real_logit", "fake_logit")
_SECONDS = 1.0
_LOG_BYTES, _REMEMBERED = 16384, 4096
_TICK = re.compile(r"\S+ \S+ step \d+/\d+  ")
"""A line of the log that says what a record says."""


class View(NamedTuple):
    """A run at one moment.

    Attributes:
        curves: metric → its values, one for each of ``record_steps``.
        last: the last record.
        trained_seconds: of training up to there, over all starts.
        new: the records since the view before.
        back_to: the step that the run went back to since then, where it did.
        scores, new_scores: those kept, and those since the view before.
        log: its last lines, without those that repeat a record.
        seen: seconds since 1970 by the clock of this machine.
    """

    run: RunDir
    state: RunState
    record_steps: List[int]
    curves: Dict[str, List[Optional[float]]]
    last: Optional[Mapping[str, Any]]
    trained_seconds: Optional[float]
    new: List[Mapping[str, Any]]
    back_to: Optional[int]
    scores: List[Score]
    new_scores: List[Score]
    best: Dict[str, Best]
    log: List[str]
    seen: float

    @property
    def ended(self) -> bool:
        """Also nobody holds the run any more, be it to end it or to carry on with it."""
        return self.state.ended and self.state.holder is None

    @property
    def step(self) -> int:
        """How far it is: while it runs, its last record may be further than its last sign of life."""
        return max([self.state.step, *self.record_steps[-1:]]) if self.state.state == RUNNING else self.state.step

    @property
    def age_seconds(self) -> Optional[float]:
        """Since the last record; None where it does not say, or the clocks do not agree."""
        made = (self.last or {}).get("epoch_seconds")
        return self.seen - made if isinstance(made, float) and self.seen >= made else None

    @property
    def remaining_seconds(self) -> Optional[float]:
        """What is left of it; None where the run does not go on, or nobody knows."""
        if self.state.state != RUNNING or self.last is None:
            return None
        return remaining_seconds(self.last, self.state.steps, self.seen)

    def as_record(self) -> Dict[str, Any]:
        """What a program wants to know: the state, times in seconds, the last record, scores."""
        state = self.state
        return dict(
            run=str(self.run),
            state=state.state,
            step=self.step,
            steps=state.steps,
            why=state.why,
            holder=state.holder,
            started=state.started,
            updated=state.updated,
            trained_seconds=self.trained_seconds,
            remaining_seconds=self.remaining_seconds,
            record_age_seconds=self.age_seconds,
            record=self.last,
            score=self.scores[-1]._asdict() if self.scores else None,
            best={name: best._asdict() for name, best in self.best.items()},
        )


def watch(run: RunDir, once: bool = False, pause: Callable[[float], None] = time.sleep) -> Iterator[View]:
    """A view a second, until the run has ended; with ``once`` a single one.

    Raises:
        StepFailed: the run is damaged, or was removed.
    """
    records, seen_scores = Follower(run), None
    while True:
        state = run_states.state_of(run)  # before the rest: what a run writes last is never missed
        new = records.look()
        scores = run_states.scores_of(run)
        view = View(
            run=run,
            state=state,
            record_steps=records.steps,
            curves=records.curves,
            last=records.last,
            trained_seconds=records.trained.seconds,
            new=new,
            back_to=records.back_to,
            scores=scores,
            new_scores=[] if seen_scores is None else scores[seen_scores:],
            best=run_states.best_of(run),
            log=_last_words(run),
            seen=time.time(),
        )
        seen_scores = len(scores)
        yield view
        if once or view.ended:
            return
        pause(_SECONDS)


class Follower:
    """The records of a run, as ``stats.jsonl`` grows, is replaced or is cut.

    Attributes:
        steps, curves, last: as in a :class:`View`.
        trained: adds up how long it took.
        back_to: the step that the run went back to, if the last look found that; 0: the start.
    """

    def __init__(self, run: RunDir):
        self._path = run.stats
        self._inode: Optional[int] = None
        self._offset, self._end = 0, b""
        self._forget()
        self.back_to: Optional[int] = None

    def look(self) -> List[Mapping[str, Any]]:
        """The whole records that came since the last look; a line that is cut off may become one."""
        self.back_to = None
        before = None
        try:
            with open(str(self._path), "rb") as stats:
                inode = os.fstat(stats.fileno()).st_ino
                if inode != self._inode or not self._goes_on(stats):
                    before = self.steps, self.curves[CURVES[0]]
                    self._inode, self._offset, self._end = inode, 0, b""
                    self._forget()
                stats.seek(self._offset)
                data = stats.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._end = (self._end + whole)[-_REMEMBERED:]
        new = [record for record in map(run_states.parsed_record, whole.splitlines()) if record]
        for record in new:
            self._add(record)
        if before is None:
            return new
        return new[self._same(*before) :]

    def _forget(self) -> None:
        self.steps: List[int] = []
        self.curves: Dict[str, List[Optional[float]]] = {name: [] for name in CURVES}
        self.last: Optional[Mapping[str, Any]] = None
        self.trained = TrainedSeconds()

    def _add(self, record: Mapping[str, Any]) -> None:
        self.steps.append(record["step"])
        for name, values in self.curves.items():
            value = record.get(name)
            values.append(value if isinstance(value, (int, float)) else None)
        self.last = record
        self.trained.add(record)

    def _goes_on(self, stats: BinaryIO) -> bool:
        """Whether the file still has before the offset what was read there."""
        stats.seek(self._offset - len(self._end))
        return stats.read(len(self._end)) == self._end

    def _same(self, steps: List[int], losses: List[Optional[float]]) -> int:
        """How many of the records of before are in the file that took its place, which says where the run is now."""
        count = 0
        now = self.curves[CURVES[0]]
        for number, step in enumerate(steps[: len(self.steps)]):
            if (self.steps[number], now[number]) != (step, losses[number]):
                break
            count += 1
        if count < len(steps):
            self.back_to = steps[count - 1] if count else 0
        return count


def _last_words(run: RunDir) -> List[str]:
    try:
        with open(str(run.log), "rb") as log:
            start = max(0, log.seek(0, 2) - _LOG_BYTES)
            log.seek(start)
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line for line in lines[1 if start else 0 :] if not _TICK.match(line)]

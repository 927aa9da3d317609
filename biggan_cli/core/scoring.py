"""Scores of a run while it trains: the numbers that ``biggan score --checkpoint STEP`` gives of the same checkpoint."""

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from biggan_cli import config as configs
from biggan_cli.config import RunConfig, TrainConfig
from biggan_cli.core import extractors, references, score, sources
from biggan_cli.core.reporting import Report
from biggan_cli.core.score_caveats import Job
from biggan_cli.core.score_words import numbers
from biggan_cli.errors import NotReady, StepFailed
from biggan_cli.rundir import RunDir
from biggan_cli.settings import DRAW_BATCH, DrawConfig, ExtractorConfig, PicturesConfig, ReferenceConfig, ScoreConfig
from biggan_cli.training import checkpoints
from biggan_cli.training.checkpoints import Checkpoint
from biggan_cli.training.monitor import Records
from biggan_cli.training.monitors import Monitors

_METRICS = {"fid": ("fid", "value"), "is": ("inception_score", "mean")}
"""What is watched → where a record has it."""


def extractor_of(train: TrainConfig, report: Report) -> Optional[extractors.Extractor]:
    """The network that is to look at the pictures of a run; None: the run is not scored.

    Raises:
        NotReady: there is no Inception graph.
        UsageError: the network does not know these pictures.
    """
    if not train.score_every:
        return None
    asked = ExtractorConfig(train.score_extractor, device=_device(train))
    try:
        return extractors.choose(asked, extractors.usual(train.data), report)
    except NotReady as error:
        message = f"--score-every {train.score_every} needs an Inception graph, and {error.message}"
        looked_for = next((text for label, text in error.details if label == "looked for"), None)
        fix = "BIGGAN_INCEPTION with its file, or biggan score --fetch-inception once; or --score-extractor digits"
        raise NotReady(message, looked_for=looked_for, fix=fix) from error


def job_of(config: RunConfig, extractor: Optional[extractors.Extractor], report: Report) -> Optional[Job]:
    """What all scores of a run are measured with; the statistics of its data are computed, or as they were kept.

    Raises:
        UsageError, StepFailed: there is nothing to compare with.
    """
    if extractor is None:
        return None
    train, size = config.train, (config.model.resolution,) * 2
    pictures = PicturesConfig(draw=DrawConfig(device=_device(train)), num=train.score_num)
    settings = ScoreConfig(pictures=pictures, extractor=ExtractorConfig(extractor.name, device=_device(train)))
    place = sources.Place(data=train.data)
    reference = references.open_reference(ReferenceConfig(), place, extractor, size, False, DRAW_BATCH, report)
    if reference.size and extractor.resolution is None and reference.size != size:
        report("warning", text=f"{reference.name} has pictures of another size than the run")
    return Job(settings, None, extractor, reference)


class Scoring:
    """Scores checkpoints of a run, keeps what is best, and tells the monitors.

    Args:
        rollbacks: of the run so far: a step may be reached again, and scored again.
    """

    def __init__(self, run: RunDir, job: Job, rollbacks: int, records: Records, report: Report):
        self._run, self._job, self._rollbacks = run, job, rollbacks
        self._records, self._report = records, report

    def score(self, checkpoint: Checkpoint, monitors: Monitors) -> None:
        """Score it, if no call that was interrupted did; the best by FID and by IS are marked.

        Raises:
            Collapsed: the FID is much worse than the best, and the run is to end for it.
        """
        try:
            record = self._kept(checkpoint) or self._measured(checkpoint)
        except StepFailed as error:  # that nothing can be measured must not end what can still get better
            self._report("warning", text=f"no score at step {checkpoint.step}: {error.message}")
            return
        values = {name: float(record[place][part]) for name, (place, part) in _METRICS.items()}
        of = {name: record[name] for name in ("extractor", "reference")}
        of = dict(of, count=record["samples"]["count"])
        for name in monitors.scored(checkpoint.step, values, of):
            try:
                checkpoints.mark_best(self._run, name, checkpoint.step, values[name], of)
            except OSError as error:  # a full disk: training goes on
                text = f"{self._run.best(name)} is not kept: {error.strerror or error}"
                self._report("warning", text=text)
        self._report("line", text=_line(record, monitors))
        monitors.judge(checkpoint.step, values["fid"])

    def _measured(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        pictures = self._job.settings.pictures
        draw = configs.replace(pictures.draw, checkpoint=str(checkpoint.step))
        asked = configs.replace(pictures, draw=draw)

        def quiet(event: str, **fields) -> None:  # it is told in one line
            if event in ("advance", "warning"):
                self._report(event, **fields)

        (source,) = sources.of_run(self._run, asked, ("checkpoint",), None, pictures.num, quiet)
        record = dict(score.scored(source, self._job, quiet), training=dict(rollbacks=self._rollbacks))
        score.keep(self._run, record, self._report)
        scalars = {f"score_{name}": record[place][part] for name, (place, part) in _METRICS.items()}
        self._records.draw(checkpoint.step, scalars)
        return record

    def _kept(self, checkpoint: Checkpoint) -> Optional[Dict[str, Any]]:
        """The line of ``score.jsonl`` of these very files, measured in this way."""
        wanted = dict(extractor=self._job.extractor.about(), reference=self._job.reference.about())
        for record in _lines(self._run):
            samples = record.get("samples", {})
            same = samples.get("count") == self._job.settings.pictures.num
            same = same and samples.get("files") == checkpoint.inputs()
            if same and "training" in record and all(record.get(name) == about for name, about in wanted.items()):
                return record
        return None


def _lines(run: RunDir) -> Iterator[Mapping[str, Any]]:
    """The whole lines of ``score.jsonl``."""
    if run.score.is_file():
        for line in run.score.read_bytes().splitlines():
            try:
                record = json.loads(line.decode("utf-8"))
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _line(record: Mapping[str, Any], monitors: Monitors) -> str:
    """``score at step 400: digit IS 8.1 ± 0.1, digit FID 15.4 (best 15.4 at 400)``"""
    best = monitors.best["fid"]
    words: List[Tuple[str, str]] = [(name, value) for name, value, _ in numbers(record)]
    shown = ", ".join(
        f"{name} {value}" + (f" (best {best['value']:.3f} at {best['step']})" if name.endswith("FID") else "")
        for name, value in words
    )
    return f"score at step {record['samples']['step']}: {shown}"


def _device(train: TrainConfig) -> str:
    return "cpu" if train.device == "npu" else train.device

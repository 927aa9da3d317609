"""Whether every step on the way to the device keeps the picture: checkpoint, frozen graph, offline models."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.atc import atc, plan
from biggan_cli.core.deployed import check_outputs, device_runs, label_of, latents_of
from biggan_cli.core.generators import as_frozen, open_generator, require_frozen_checkpoint
from biggan_cli.core.latents import choose_latents
from biggan_cli.core.msame_run import msame_run
from biggan_cli.core.reporting import Report
from biggan_cli.core.to_bin import to_bin
from biggan_cli.data import images
from biggan_cli.deploy.bins import read_index, read_outputs
from biggan_cli.deploy.spec import GraphSpec, read_spec
from biggan_cli.errors import StepFailed
from biggan_cli.files import write_json
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.rundir import Finished, RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import AtcConfig, DrawConfig, LatentsConfig, MsameRunConfig, ToBinConfig, VerifyConfig

SHOWN = 10
ENLARGED = 50
_ROUNDING = 1e-4
"""What the frozen graph may be off: the checkpoint is drawn with fused resampling, the graph may be plain."""
_CHEAP = 8
"""Input files that hold so many times more latents than are compared are still used."""
_WRONG_DB = 20.0
"""Below this two pictures are not the same picture made coarser, but different ones."""


class Difference(NamedTuple):
    """How far pictures [N, R, R, 3] in [-1, 1] are from those of the step before.

    ``max_abs`` and ``mean_abs`` are in [0, 2]. ``psnr_db`` is 10 log10(2² / mean square), None where they are equal.
    ``changed`` is the share of pixels of which a channel differs by more than one of the 256 grey levels.
    """

    step: str
    before: str
    images: int
    max_abs: float
    mean_abs: float
    psnr_db: Optional[float]
    changed: float
    ok: bool


class VerifyResult(NamedTuple):
    """What ``verify`` found and left."""

    folder: str
    picture: str
    differences: List[Dict[str, Any]]


def difference(step: str, before: str, found: np.ndarray, wanted: np.ndarray) -> Difference:
    """The measures of a :class:`Difference`.

    Raises:
        StepFailed: a value is not finite: there is no distance to it.
    """
    error = found.astype(np.float64) - wanted.astype(np.float64)
    if not np.isfinite(error).all():
        raise StepFailed(f"the {step} has values that are not finite", hint="usually float16 that overflows")
    mean_square = float(np.mean(np.square(error)))
    levels = np.abs(images.to_uint8(found).astype(np.int16) - images.to_uint8(wanted).astype(np.int16))
    return Difference(
        step,
        before,
        len(found),
        float(np.abs(error).max()),
        float(np.abs(error).mean()),
        10.0 * float(np.log10(4.0 / mean_square)) if mean_square else None,
        float(np.mean(levels.max(axis=-1) > 1)),
        True,
    )


def verify(run: RunDir, settings: VerifyConfig, report: Report) -> VerifyResult:
    """Compare the steps on the same latents, and leave a table and a picture in ``verify/<name>/``.

    The offline models are those that ``msame-run`` ran on the latest input files it used; ``precision_modes`` are
    converted and run first.

    Raises:
        UsageError: nothing is frozen.
        StepFailed: a step is further from the one before than it may be; what was measured is kept.
    """
    spec = read_spec(run)
    for mode in settings.precision_modes:
        plan(run, _atc_config(settings, mode))  # what would be refused is, before anything is made
    for mode in settings.precision_modes:
        _make(run, spec, mode, settings, report)
    ran = _on_the_latest_inputs(run, spec)
    z, y = _latents(run, spec, ran, settings.num)
    checkpoint = _of_checkpoint(run, spec, z, y, report)
    with FrozenGenerator(read_graph(run.frozen_graph), spec) as generator:
        frozen = np.concatenate(list(generator.images(z, y)))
    rows = [("checkpoint", checkpoint), ("frozen graph", frozen)]
    measured = [difference("frozen graph", "checkpoint", frozen, checkpoint)]
    measured[0] = measured[0]._replace(ok=measured[0].max_abs <= _ROUNDING)
    for entry in ran:
        found = read_outputs(entry.folder, read_index(entry.folder), spec, len(z))
        compared = difference(label_of(entry), "frozen graph", found, frozen)
        ok = compared.psnr_db is None or compared.psnr_db >= settings.min_psnr
        measured.append(compared._replace(ok=ok))
        rows.append((label_of(entry), found))
    described = dict(configs.asdict(settings), latents=len(z))
    inputs = {"freeze/" + spec.graph: spec.sha256}
    with run.step("verify", settings.name, described, inputs, packages()) as step:
        listed = [entry._asdict() for entry in measured]
        write_json(step.path / "verify.json", dict(differences=listed, step=spec.step, class_names=spec.class_names))
        images.write_png(step.path / "side_by_side.png", _side_by_side(rows))
    if not ran:
        report("line", text=f"no offline model of this graph ran yet: biggan atc {run}, then biggan msame-run {run}")
    return VerifyResult(str(step.path), str(step.path / "side_by_side.png"), listed)


def _side_by_side(rows: List[Tuple[str, np.ndarray]]) -> np.ndarray:
    """A row for each step, and below each but the first how far it is from the one it is compared with."""
    pictures, labels = [], []
    before = rows[0][1]
    for number, (label, row) in enumerate(rows):
        pictures.append(images.to_uint8(row[:SHOWN]))
        labels.append(label)
        if number:
            pictures.append(images.to_uint8(np.abs(row - before)[:SHOWN] * ENLARGED - 1.0))
            labels.append(f"its difference x {ENLARGED}")
        before = rows[min(number, 1)][1]
    return images.labelled_grid(pictures, labels)


def judge(result: VerifyResult, settings: VerifyConfig) -> None:
    """Raise for the first step that is too far from the one before.

    Raises:
        StepFailed: says which, how far, and what usually causes it.
    """
    for entry in (Difference(**values) for values in result.differences):
        if entry.ok:
            continue
        if entry.step == "frozen graph":
            raise StepFailed(
                f"the frozen graph differs from the checkpoint by up to {entry.max_abs:.2g}",
                hint="usually the statistics beside the checkpoint, or biggan itself, changed since it was frozen",
                fix="biggan freeze",
            )
        far = entry.psnr_db is None or entry.psnr_db < _WRONG_DB
        raise StepFailed(
            f"the {entry.step} is {_db(entry.psnr_db)} from the {entry.before}, less than the "
            f"{settings.min_psnr:g} dB of --min-psnr",
            hint="usually the inputs (their order, or a y that is not int32), or outputs of another run"
            if far
            else "usually float16: it is too coarse for an operator, or overflows",
            fix="biggan to-bin, biggan atc and biggan msame-run anew"
            if far
            else "biggan atc --precision-mode allow_fp32_to_fp16, or --keep-dtype with the operators concerned",
        )


def table(result: VerifyResult) -> Tuple[List[str], List[List[str]]]:
    """The differences as words, narrow enough for 80 columns: headings, and a row for each step."""
    rows = []
    for entry in (Difference(**values) for values in result.differences):
        psnr = "equal" if entry.psnr_db is None else f"{entry.psnr_db:.1f}"
        measures = [f"{entry.max_abs:.1g}", f"{entry.mean_abs:.1g}", psnr, f"{100 * entry.changed:.2f} %"]
        rows.append([entry.step, *measures, "" if entry.ok else "too far"])
    return ["step", "max", "mean", "PSNR", "changed", ""], rows


def legend(result: VerifyResult) -> str:
    """What the columns of the table are."""
    if len(result.differences) == 1:
        what = "No offline model of this graph ran yet: only\nthe frozen graph is compared, with the checkpoint."
    else:
        what = "The frozen graph\nis compared with the checkpoint, offline models with the frozen graph."
    return (
        f"max, mean: absolute difference of {result.differences[0]['images']} pictures in [-1, 1]; PSNR in dB;\n"
        f"changed: pixels that differ by more than one of 256 levels. {what}"
    )


def _db(psnr: Optional[float]) -> str:
    return "equal" if psnr is None else f"{psnr:.1f} dB"


def _atc_config(settings: VerifyConfig, mode: str) -> AtcConfig:
    return AtcConfig(tool=settings.tool, soc=settings.soc, options=(("precision_mode", mode),))


def _make(run: RunDir, spec: GraphSpec, mode: str, settings: VerifyConfig, report: Report) -> None:
    """Convert with a precision mode and run, on the latest input files that fit."""
    made = atc(run, _atc_config(settings, mode), report)
    wanted = [
        entry.name
        for entry in run.finished("to-bin")
        if entry.manifest["config"]["batch"] == made.batch
        and entry.manifest["inputs"].get("freeze/" + spec.graph) == spec.sha256
        and read_index(entry.folder).num <= _CHEAP * settings.num
    ]
    if not wanted:
        asked = ToBinConfig(LatentsConfig(num=settings.num), batch=made.batch)
        wanted = [Path(to_bin(run, asked, report).folder).name]
    msame_run(run, MsameRunConfig(tool=settings.tool, om=Path(made.om).stem, bins=wanted[-1]), report)


def _on_the_latest_inputs(run: RunDir, spec: GraphSpec) -> List[Finished]:
    """The finished runs on the input files of the latest of them, which is the last."""
    ran = device_runs(run, spec)
    digests = [entry.manifest["details"]["bins_sha256"] for entry in ran]
    wanted = [entry for entry, digest in zip(ran, digests) if digest == digests[-1]]
    for entry in wanted:
        check_outputs(run, spec, entry)
    return wanted


def _latents(run: RunDir, spec: GraphSpec, ran: List[Finished], num: int) -> Tuple[np.ndarray, np.ndarray]:
    """z [N, z_dim] and y [N]: what the offline models were run on, else those of the first seeds."""
    if ran:
        return latents_of(run, spec, ran[-1], num)
    latents = choose_latents(LatentsConfig(num=num), spec.z_dim, spec.class_names, spec.truncation)
    return latents.z, latents.y


def _of_checkpoint(run: RunDir, spec: GraphSpec, z: np.ndarray, y: np.ndarray, report: Report):
    """The checkpoint's own pictures, as it was frozen."""
    require_frozen_checkpoint(run, spec)
    with open_generator(run, as_frozen(spec, DrawConfig()), [("comparing", f"{len(z)} latents")], report) as opened:
        return np.concatenate(list(opened.sampler.images(z, y)))

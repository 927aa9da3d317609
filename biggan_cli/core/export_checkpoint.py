"""Write a checkpoint that the reference restores."""

from typing import NamedTuple

from biggan_cli import config as configs
from biggan_cli.core.generators import record_of
from biggan_cli.core.reporting import Report
from biggan_cli.files import whole_file
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import ExportConfig
from biggan_cli.training import checkpoints, reference
from biggan_cli.training.state import adam_start

FILES = (("model.ckpt", "raw"), ("ema.ckpt", "ema"))


class ExportResult(NamedTuple):
    """What ``export-checkpoint`` left: two prefixes, as the reference has them."""

    folder: str
    step: int
    raw: str
    ema: str


def export_checkpoint(run: RunDir, settings: ExportConfig, report: Report) -> ExportResult:
    """Write ``export/<name>/model.ckpt`` (raw weights) and ``ema.ckpt`` (averages in their place).

    Raises:
        UsageError: no such checkpoint.
        StepFailed: it is damaged or incomplete.
    """
    checkpoint = checkpoints.find(run, settings.checkpoint)
    record = record_of(checkpoint)
    model = record.config.model
    report("line", text=f"exporting step {checkpoint.step} of {run}")
    if not model.relu_on_image:
        report(
            "warning",
            text="the reference's discriminator applies ReLU to the image, this one was trained without: "
            "there its logits differ; the generator is the same",
        )
    values = dict(adam_start(record.config), **checkpoints.read(checkpoint.prefix))
    described = dict(configs.asdict(settings), checkpoint=str(checkpoint.step))
    with run.step("export-checkpoint", settings.name, described, checkpoint.inputs(), packages()) as step:
        for name, weights in FILES:
            checkpoints.write_arrays(reference.to_reference(values, model, weights), step.path / name)
        with whole_file(step.path / "checkpoint") as state:
            state.write_text(f'model_checkpoint_path: "{FILES[0][0]}"\n')
    raw, ema = (str(step.path / name) for name, _ in FILES)
    return ExportResult(str(step.path), checkpoint.step, raw, ema)

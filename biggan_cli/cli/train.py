"""``biggan train``."""

import contextlib
import os
import re
import signal
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import typer
from typing_extensions import Annotated

from biggan_cli import config as configs
from biggan_cli.cli import console, job, options, parsing
from biggan_cli.errors import UsageError
from biggan_cli.presets import PRESETS
from biggan_cli.settings import EXTRACTORS, DryRun, NpuConfig

_RECIPE = "Recipe"
_RECORDS = "Records"
_WATCHING = "Watching"
_NPU = "Ascend NPU"


def _field(field: str, text: str, panel: Optional[str] = None, metavar: Optional[str] = None, choices=()):
    """The option of a configuration field; the help names its default, which a preset may change."""
    default = configs.defaults()[field]
    text += f" ({default})" if default is not None else ""
    return _option_of(field)(
        configs.flag_of(field),
        help=text,
        rich_help_panel=panel,
        metavar=metavar or "|".join(map(str, choices)) or None,
        show_default=False,
        autocompletion=options.among(*map(str, choices)) if choices else None,
    )


def _option_of(field: str) -> Callable:
    kind = dict(configs.ModelConfig.__annotations__, **configs.TrainConfig.__annotations__)[field]
    kinds = getattr(kind, "__args__", (kind,))  # of an Optional its own
    if field == "truncation":  # or none
        return typer.Option
    return parsing.whole if int in kinds else parsing.real if float in kinds else typer.Option


def train(
    context: typer.Context,
    data: Annotated[
        Optional[str],
        _field(
            "data",
            "digits; or class folders, CIFAR-10 (cifar10:DIR, whose DIR may be obs://…), ImageNet, an .npz, "
            "what prepare left: see biggan data; also from BIGGAN_DATA.",
            metavar="SPEC",
        ),
    ] = None,
    res: Annotated[
        Optional[int], _field("resolution", "Width and height of the pictures.", choices=configs.RESOLUTIONS)
    ] = None,
    device: Annotated[Optional[str], _field("device", "Where to compute.", choices=configs.TRAIN_DEVICES)] = None,
    preset: Annotated[
        Optional[str],
        typer.Option(
            "--preset",
            metavar="NAME",
            help=f"Named settings: {', '.join(PRESETS)}. --dry-run shows one, with its source and what it gives.",
            show_default="seed",
            autocompletion=options.among(*PRESETS),
        ),
    ] = None,
    steps: Annotated[Optional[int], _field("steps", "Generator updates in all.")] = None,
    resume: Annotated[
        Optional[str],
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Carry on with this run: directory (or obs://…), number, or latest, also one without a checkpoint.",
            show_default=False,
            autocompletion=options.runs,
        ),
    ] = None,
    seed: Annotated[Optional[int], _field("seed", "Of the start values, the data order and the latents.")] = None,
    outdir: Annotated[
        Optional[str],
        typer.Option(
            "--outdir", metavar="DIR", help="Where the runs are; obs://… is copied to as it goes.", show_default="runs"
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the plan, with what a few steps take here, leave nothing, and stop."),
    ] = False,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="With --dry-run: take no step, and show the plan at once.")
    ] = False,
    as_json: options.JsonOption = False,
    init_from: Annotated[
        Optional[str],
        typer.Option(
            "--init-from",
            metavar="RUN",
            help="Start with the networks of this run; the classes may be others.",
            show_default=False,
            autocompletion=options.runs,
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    freeze_classes: Annotated[
        Optional[bool],
        typer.Option(
            "--freeze-classes", help="With --init-from: the class tables stay as they are.", rich_help_panel=_RECIPE
        ),
    ] = None,
    batch: Annotated[Optional[int], _field("batch", "Pictures in each update.", _RECIPE)] = None,
    batch_device: Annotated[
        Optional[int],
        _field(
            "batch_device", "Pictures at a time, if the device cannot hold all: gradients are averaged.", _RECIPE, "N"
        ),
    ] = None,
    d_steps: Annotated[Optional[int], _field("d_steps", "Discriminator updates in each step.", _RECIPE)] = None,
    g_lr: Annotated[Optional[float], _field("g_lr", "Learning rate of the generator.", _RECIPE)] = None,
    d_lr: Annotated[Optional[float], _field("d_lr", "Learning rate of the discriminator.", _RECIPE)] = None,
    beta1: Annotated[Optional[float], _field("beta1", "Adam's decay of the gradient.", _RECIPE)] = None,
    beta2: Annotated[Optional[float], _field("beta2", "Adam's decay of its square.", _RECIPE)] = None,
    lr_decay: Annotated[
        Optional[str],
        _field(
            "lr_decay", "Both rates fall in a straight line to 0 between these steps; none: off.", _RECIPE, "START:STOP"
        ),
    ] = None,
    flip: Annotated[
        Optional[bool],
        typer.Option(
            "--flip/--no-flip",
            help="Mirror half of the real pictures. (off)",
            rich_help_panel=_RECIPE,
            show_default=False,
        ),
    ] = None,
    augment: Annotated[
        Optional[str],
        _field("augment", "DiffAugment: some of color,translation,cutout by commas, or none.", _RECIPE, "A,B"),
    ] = None,
    lecam: Annotated[Optional[float], _field("lecam", "Strength of LeCam regularisation.", _RECIPE)] = None,
    lecam_start: Annotated[
        Optional[int], _field("lecam_start", "Step from which LeCam averages the logits.", _RECIPE)
    ] = None,
    consistency: Annotated[
        Optional[float],
        _field("consistency", "Strength of consistency regularisation: the same logit flipped and shifted.", _RECIPE),
    ] = None,
    orthogonal: Annotated[
        Optional[float], _field("orthogonal", "Strength of the orthogonal regularisation.", _RECIPE)
    ] = None,
    truncation: Annotated[
        Optional[str], _field("truncation", "Redraw z beyond T standard deviations; none: off.", _RECIPE, "T")
    ] = None,
    ema_decay: Annotated[Optional[float], _field("ema_decay", "Decay of the averaged generator.", _RECIPE)] = None,
    ema_start: Annotated[
        Optional[int], _field("ema_start", "Step from which the generator is averaged.", _RECIPE)
    ] = None,
    base_channels: Annotated[Optional[int], _field("base_channels", "Width of both networks.", _RECIPE)] = None,
    d_base_channels: Annotated[
        Optional[int], _field("d_base_channels", "Width of the discriminator, if another.", _RECIPE)
    ] = None,
    z_dim: Annotated[Optional[int], _field("z_dim", "Size of the latent.", _RECIPE)] = None,
    shared_dim: Annotated[Optional[int], _field("shared_dim", "Size of the class embedding.", _RECIPE)] = None,
    resample: Annotated[
        Optional[str],
        _field(
            "resample",
            "Resampling inside the convolutions, or apart: the same numbers.",
            _RECIPE,
            choices=configs.RESAMPLE,
        ),
    ] = None,
    save_every: Annotated[Optional[int], _field("save_every", "Steps between checkpoints.", _RECORDS)] = None,
    keep_checkpoints: Annotated[
        Optional[int], _field("keep_checkpoints", "How many of the last ones stay.", _RECORDS)
    ] = None,
    sample_every: Annotated[Optional[int], _field("sample_every", "Steps between grids of samples.", _RECORDS)] = None,
    log_every: Annotated[Optional[int], _field("log_every", "Steps in each record.", _RECORDS)] = None,
    score_every: Annotated[
        Optional[int],
        _field("score_every", "Steps between scores, IS and FID of the averaged generator; 0: none.", _WATCHING, "N"),
    ] = None,
    score_num: Annotated[Optional[int], _field("score_num", "Pictures of each score.", _WATCHING, "N")] = None,
    score_extractor: Annotated[
        Optional[str],
        _field(
            "score_extractor",
            "Which network looks at them. (digits for the built-in digits, else inception)",
            _WATCHING,
            choices=EXTRACTORS,
        ),
    ] = None,
    patience: Annotated[
        Optional[int],
        _field("patience", "Scores without a better FID after which the run is finished; 0: never.", _WATCHING, "K"),
    ] = None,
    on_collapse: Annotated[
        Optional[str],
        _field(
            "on_collapse",
            "When a monitor finds the run spoilt: say so, end it, or go back to before the first sign, then on with "
            "other data and half the rates. What is not finite ends it unless it may go back.",
            _WATCHING,
            choices=configs.ON_COLLAPSE,
        ),
    ] = None,
    max_rollbacks: Annotated[
        Optional[int], _field("max_rollbacks", "How often a run may go back.", _WATCHING, "K")
    ] = None,
    precision: Annotated[
        Optional[str],
        _field(
            "precision",
            "mixed: convolutions in 16 bits, bfloat16 or float16 with a scaled loss, whichever the device has. "
            "fp32 on the first Ascend 910 is its own default, whose convolutions take float16; full: float32 alone.",
            _RECIPE,
            choices=configs.PRECISIONS,
        ),
    ] = None,
    device_id: Annotated[
        Optional[int],
        parsing.whole(
            "--device-id",
            help="Which NPU; also from ASCEND_DEVICE_ID.",
            show_default="0",
            rich_help_panel=_NPU,
        ),
    ] = None,
    steps_per_loop: Annotated[
        int,
        parsing.whole("--steps-per-loop", help="Steps that the device does by itself.", rich_help_panel=_NPU),
    ] = 1,
    npu_option: Annotated[
        Optional[List[str]],
        typer.Option(
            "--npu-option",
            metavar="KEY=VALUE",
            help="An option of CANN's session configuration; again for more.",
            show_default=False,
            rich_help_panel=_NPU,
        ),
    ] = None,
    profile: Annotated[
        Optional[str],
        typer.Option(
            "--profile",
            metavar="START:STOP",
            help="Profile the steps after START up to STOP, for biggan profile.",
            show_default=False,
            rich_help_panel=_NPU,
        ),
    ] = None,
    require_npu: Annotated[
        bool,
        typer.Option("--require-npu", help="Fail unless the adapter says that the NPU is used.", rich_help_panel=_NPU),
    ] = False,
    data_url: Annotated[
        Optional[str],
        typer.Option(
            job.DATA_URL, metavar="URL", help="The data, without --data.", rich_help_panel=job.PANEL, show_default=False
        ),
    ] = None,
    train_url: Annotated[
        Optional[str],
        typer.Option(
            job.TRAIN_URL,
            metavar="URL",
            help="Where the runs are, without --outdir. With either of the two, arguments that biggan does not know "
            "are the platform's, and only reported.",
            rich_help_panel=job.PANEL,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a BigGAN, or carry on with a run.

    Example: biggan train --preset digits
    """
    if no_measure and not dry_run:
        raise UsageError("--no-measure is for --dry-run: training takes its steps", fix="leave --no-measure out")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there are steps, there is nothing to save
    places = job.places(context.args, data, outdir, data_url, train_url)
    values = options.given(
        data=places.data,
        resolution=res,
        device=device,
        steps=steps,
        seed=seed,
        batch=batch,
        batch_device=batch_device,
        flip=flip,
        augment=augment,
        lecam=lecam,
        lecam_start=lecam_start,
        consistency=consistency,
        ema_start=ema_start,
        d_base_channels=d_base_channels,
        freeze_classes=freeze_classes,
        d_steps=d_steps,
        g_lr=g_lr,
        d_lr=d_lr,
        beta1=beta1,
        beta2=beta2,
        orthogonal=orthogonal,
        ema_decay=ema_decay,
        base_channels=base_channels,
        z_dim=z_dim,
        shared_dim=shared_dim,
        resample=resample,
        save_every=save_every,
        keep_checkpoints=keep_checkpoints,
        sample_every=sample_every,
        log_every=log_every,
        score_every=score_every,
        score_num=score_num,
        score_extractor=score_extractor,
        patience=patience,
        on_collapse=on_collapse,
        max_rollbacks=max_rollbacks,
        precision=precision,
    )
    npu = NpuConfig(device_id, _npu_options(npu_option or [], precision), steps_per_loop, _steps(profile), require_npu)
    if any(key.startswith("precision_mode") for key, _ in npu.options):
        values["precision"] = "fp32"  # no scaled loss, also where a run had one
    if lr_decay is not None:
        values["lr_decay"] = None if lr_decay == "none" else lr_decay
    if truncation is not None:
        values["truncation"] = options.parse_truncation(truncation)
    other_data = os.environ.get(options.DATA_VARIABLE)
    if resume and init_from:
        raise UsageError("--resume goes on with a run, --init-from starts a new one", fix="leave one of them out")
    dry = DryRun(not no_measure) if dry_run else None
    config, other_word = None, None if "data" in values else other_data
    if not resume:
        with _from_environment(other_word):
            values = _with_data(preset, values, other_data, init_from is not None)
        config = configs.resolve(preset or "seed", dict(values, init_from=init_from))
    with _from_environment(other_word), console.reporting(to_stdout=dry_run and not as_json) as report:
        from biggan_cli.core import modelarts as core
        from biggan_cli.core.first_values import config_from

        for note in places.notes:
            report("warning", text=note)
        if init_from:
            config = config_from(init_from, values, preset or "seed", places.outdir)
        if config:
            result = core.start(config, npu, places.outdir, dry, report)
        else:
            result = core.resume(resume, values, npu, preset, other_data, places.outdir, dry, report)
    if as_json or not dry_run:
        console.result(result._asdict(), as_json)


@contextlib.contextmanager
def _from_environment(other_data: Optional[str]) -> Iterator[None]:
    """Errors of data that no flag named say where they come from."""
    try:
        yield
    except UsageError as error:
        if other_data and error.message.startswith("--data"):
            error.details.append(("hint", f"--data is from {options.DATA_VARIABLE}"))
        raise


def _with_data(preset: Optional[str], values, other_data: Optional[str], sized: bool):
    """The values of a new run; where the network is another run's (``sized``), the resolution is not the data's."""
    from biggan_cli.data import datasets

    usual = dict(PRESETS.get(preset or "seed", PRESETS["seed"]).values)
    return datasets.with_data(dict(usual, resolution=None) if sized else usual, values, other_data)


def _npu_options(given: Sequence[str], precision: Optional[str]) -> Tuple[Tuple[str, str], ...]:
    """``key=value`` → (key, value)."""
    options = []
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--npu-option {text} is not KEY=VALUE", fix="--npu-option op_compiler_cache_mode=enable")
        if precision is not None and key.startswith("precision_mode"):
            raise UsageError(f"--precision {precision} and --npu-option {key} both say it", fix="leave one of them out")
        options.append((key.strip(), value.strip()))
    return tuple(options)


def _steps(text: Optional[str]) -> Optional[Tuple[int, int]]:
    """``100:110`` → (100, 110)."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", text)
    if not match:
        raise UsageError(f"--profile {text} is not START:STOP", fix="--profile 100:110")
    return int(match.group(1)), int(match.group(2))

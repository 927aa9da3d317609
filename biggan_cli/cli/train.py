"""``biggan train``."""

import os
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli import config as configs
from biggan_cli.cli import console, job, options
from biggan_cli.config import PRESETS
from biggan_cli.errors import UsageError

_RECIPE = "Recipe"
_RECORDS = "Records"


def _field(field: str, text: str, panel: Optional[str] = None, metavar: Optional[str] = None, choices=()):
    """The option of a configuration field; the help names its default and where a preset differs."""
    default = configs.defaults()[field]
    shown = [str(default)] if default is not None else []
    shown += [f"preset {name}: {preset.values[field]}" for name, preset in PRESETS.items() if field in preset.values]
    text += f" ({'; '.join(shown)})"
    return typer.Option(
        configs.flag_of(field),
        help=text,
        rich_help_panel=panel,
        metavar=metavar or "|".join(map(str, choices)) or None,
        show_default=False,
        autocompletion=options.among(*map(str, choices)) if choices else None,
    )


def _presets() -> str:
    told = (f"{name}: {preset.source} ({preset.reaches})" for name, preset in PRESETS.items())
    return f"Named settings. {'; '.join(told)}."


def train(
    context: typer.Context,
    data: Annotated[
        Optional[str],
        _field("data", "digits, or cifar10:DIR, whose DIR may be obs://…; also from BIGGAN_DATA.", metavar="SPEC"),
    ] = None,
    res: Annotated[
        Optional[int], _field("resolution", "Width and height of the pictures.", choices=configs.RESOLUTIONS)
    ] = None,
    device: Annotated[Optional[str], _field("device", "Where to compute.", choices=configs.DEVICES)] = None,
    preset: Annotated[
        Optional[str],
        typer.Option(
            "--preset", metavar="NAME", help=_presets(), show_default="seed", autocompletion=options.among(*PRESETS)
        ),
    ] = None,
    steps: Annotated[Optional[int], _field("steps", "Generator updates in all.")] = None,
    resume: Annotated[
        Optional[str],
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Carry on with this run: directory (or obs://…), number, or latest.",
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    as_json: options.JsonOption = False,
    batch: Annotated[Optional[int], _field("batch", "Pictures in each update.", _RECIPE)] = None,
    d_steps: Annotated[Optional[int], _field("d_steps", "Discriminator updates in each step.", _RECIPE)] = None,
    g_lr: Annotated[Optional[float], _field("g_lr", "Learning rate of the generator.", _RECIPE)] = None,
    d_lr: Annotated[Optional[float], _field("d_lr", "Learning rate of the discriminator.", _RECIPE)] = None,
    beta1: Annotated[Optional[float], _field("beta1", "Adam's decay of the gradient.", _RECIPE)] = None,
    beta2: Annotated[Optional[float], _field("beta2", "Adam's decay of its square.", _RECIPE)] = None,
    orthogonal: Annotated[
        Optional[float], _field("orthogonal", "Strength of the orthogonal regularisation.", _RECIPE)
    ] = None,
    truncation: Annotated[
        Optional[str], _field("truncation", "Redraw z beyond T standard deviations; none: off.", _RECIPE, "T")
    ] = None,
    ema_decay: Annotated[Optional[float], _field("ema_decay", "Decay of the averaged generator.", _RECIPE)] = None,
    base_channels: Annotated[Optional[int], _field("base_channels", "Width of both networks.", _RECIPE)] = None,
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
    places = job.places(context.args, data, outdir, data_url, train_url)
    values = options.given(
        data=places.data,
        resolution=res,
        device=device,
        steps=steps,
        seed=seed,
        batch=batch,
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
    )
    if truncation is not None:
        values["truncation"] = options.parse_truncation(truncation)
    other_data = os.environ.get(options.DATA_VARIABLE)
    config = None if resume else _new_config(preset or "seed", values, other_data)
    with console.reporting(to_stdout=dry_run and not as_json) as report:
        from biggan_cli.core import modelarts as core

        for note in places.notes:
            report("warning", text=note)
        try:
            if config:
                result = core.start(config, places.outdir, dry_run, report)
            else:
                result = core.resume(resume, values, preset, other_data, places.outdir, dry_run, report)
        except UsageError as error:
            if "data" not in values and other_data and error.message.startswith("--data"):
                error.details.append(("hint", f"--data is from {options.DATA_VARIABLE}"))
            raise
    if as_json or not dry_run:
        console.result(result._asdict(), as_json)


def _new_config(preset: str, values, other_data: Optional[str]) -> configs.RunConfig:
    """The configuration of a new run; without any other word, the data are ``other_data``."""
    if "data" not in values and "data" not in PRESETS.get(preset, PRESETS["seed"]).values:
        values = dict(values, **options.given(data=other_data))
    return configs.resolve(preset, values)

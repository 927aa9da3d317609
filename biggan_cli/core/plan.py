"""What a training is going to do, in words."""

from typing import List, Tuple

from biggan_cli import config as configs
from biggan_cli.config import RunRecord, TrainConfig
from biggan_cli.core import npu as npus
from biggan_cli.core.reporting import NPU_OPTIONS, Report
from biggan_cli.data import classes, datasets
from biggan_cli.data.datasets import Dataset
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.presets import DATA_NAMES, PRESETS, Preset
from biggan_cli.runtime.device import chosen_npu, cpu_cores, half_type
from biggan_cli.runtime.npu_options import MIXED_FLOAT16, PRECISION_MODES
from biggan_cli.runtime.process import quoted
from biggan_cli.runtime.versions import tensorflow_version
from biggan_cli.settings import NpuConfig


def announce(record: RunRecord, npu: NpuConfig, dataset: Dataset, where: str, report: Report) -> None:
    """Say what is going to happen: the data class by class, and the resolved configuration."""
    counts = zip(dataset.class_names, dataset.class_counts)
    report(
        "table", title=f"classes of {dataset.name}", rows=[(classes.quoted(name), f"{count}") for name, count in counts]
    )
    empty = [name for name, count in zip(dataset.class_names, dataset.class_counts) if not count]
    if empty:
        report("warning", text=f"no picture of {classes.listed(empty)}: such classes are not learnt")
    for note in dataset.notes:
        report("warning", text=note)
    report("table", title="training", rows=_plan(record, npu, dataset, where))
    if _npu_precision(record.config.train, npu) in MIXED_FLOAT16 and record.config.train.precision != "mixed":
        report("warning", text="float16 without a scaled loss: small gradients become 0; --precision mixed has one")


def _plan(record: RunRecord, npu: NpuConfig, dataset: Dataset, where: str) -> List[Tuple[str, str]]:
    config, model, train = record.config, record.config.model, record.config.train
    preset = PRESETS[config.preset]
    trained, held_out = len(dataset.labels), len(dataset.held_out_labels)
    rates = f"rates G {train.g_lr:g} D {train.d_lr:g}, beta1 {train.beta1:g}, beta2 {train.beta2:g}"
    if train.lr_decay:
        first, last = train.lr_decay.split(":")
        rates += f", falling from step {first} to 0 at step {last}"
    narrower = f" (discriminator {model.d_channels})" if model.d_channels != model.base_channels else ""
    parts = f" in parts of {train.batch_device}" if train.batch_device not in (None, train.batch) else ""
    averaged = f" from step {train.ema_start}" if train.ema_start else ""
    saved = f"checkpoints every {train.save_every} steps (the last {train.keep_checkpoints} kept)"
    return [
        ("run", where),
        ("preset", f"{config.preset}: {preset.source}"),
        *_known(preset, train.data),
        ("data", f"{train.data}: {trained} to train, {held_out} held out, {model.num_classes} classes"),
        ("generator", f"{parameter_count(generator_weights(model)):,} parameters"),
        ("discriminator", f"{parameter_count(discriminator_weights(model)):,} parameters"),
        (
            "network",
            f"{model.resolution} px, base channels {model.base_channels}{narrower}, z {model.z_dim}, "
            f"shared {model.shared_dim}, {train.resample} resampling",
        ),
        (
            "schedule",
            f"{train.steps} steps of {train.d_steps} discriminator updates and 1 generator update, "
            f"batch {train.batch}{parts}",
        ),
        ("optimizer", f"Adam, {rates}"),
        ("regularisation", _regularisation(train)),
        *(
            [("starts with", train.init_from + ", class tables frozen" * train.freeze_classes)]
            if train.init_from
            else []
        ),
        (
            "latents",
            f"truncation {configs.truncation_text(train.truncation)}, EMA decay {train.ema_decay:g}{averaged}, "
            f"seed {train.seed}",
        ),
        ("device", _device_words(train, npu)),
        *npu_options(npu),
        ("watching", _watching(train)),
        ("records", f"{saved}, grids every {train.sample_every}, records every {train.log_every}"),
    ]


def _known(preset: Preset, data: str) -> List[Tuple[str, str]]:
    """What the preset gave where it was tried, for whoever trains on the same; of other data that would say nothing."""
    if datasets.origin(data) == preset.data:
        return [("known to give", f"{preset.reaches} (the preset as it is)"), ("known to cost", preset.cost)]
    return [("known to give", f"nothing is known of it on these data: its scores are of {DATA_NAMES[preset.data]}")]


def _regularisation(train: TrainConfig) -> str:
    """What keeps the networks from learning the data by heart, or from running away."""
    words = [
        f"{name.replace('_', ' ')} {getattr(train, name):g}"
        for name in ("orthogonal", "lecam", "consistency")
        if getattr(train, name)
    ]
    words += ["flips"] * train.flip + [f"DiffAugment {train.augment}"] * (train.augment != "none")
    return ", ".join(words) or "none"


def _watching(train: TrainConfig) -> str:
    """When the run is scored, what ends it, and what the monitors may do."""
    words = ["no scores"]
    if train.score_every:
        words = [f"{train.score_num:,} pictures scored every {train.score_every} steps, the best by FID and IS kept"]
    if train.patience:
        words.append(f"ends after {train.patience} scores without a better FID")
    does = dict(warn="warn", stop="end the run", rollback=f"send the run back, up to {train.max_rollbacks} times")
    words.append(f"monitors {does[train.on_collapse]}")
    return ", ".join(words)


def _device_words(train: TrainConfig, npu: NpuConfig) -> str:
    host = f"{cpu_cores()} cores, TensorFlow {tensorflow_version()}"
    if train.device != "npu":
        mixed = half_type(train.device).name if train.precision == "mixed" else ""
        return f"{train.device}, {f'mixed with {mixed}' if mixed else 'float32'}, {host}"
    mode = _npu_precision(train, npu)
    usual = " (the first 910's own default: convolutions take float16)" if mode == PRECISION_MODES["fp32"] else ""
    loops = f", loops of {npu.steps_per_loop} steps" if npu.steps_per_loop > 1 else ""
    graphs = f"{npus.GRAPHS}; {npus.LOOP_GRAPHS}" if loops else npus.GRAPHS
    graphs += "; those of the profiled steps again in a session of their own" if npu.profile else ""
    return f"npu {chosen_npu()}, {mode}{usual}{loops}; {graphs}; host: {host}"


def npu_options(npu: NpuConfig) -> List[Tuple[str, str]]:
    """What was asked of the NPU, as options again: nothing else of a run keeps them."""
    words = [word for key, value in npu.options for word in ("--npu-option", f"{key}={value}")]
    words += ["--steps-per-loop", str(npu.steps_per_loop)] if npu.steps_per_loop != 1 else []
    words += ["--device-id", str(npu.device_id)] if npu.device_id is not None else []
    words += ["--profile", "{}:{}".format(*npu.profile)] if npu.profile else []
    words += ["--require-npu"] if npu.require else []
    return [(NPU_OPTIONS, quoted(words))] if words else []


def _npu_precision(train: TrainConfig, npu: NpuConfig) -> str:
    """The adapter's word for it."""
    own = dict(npu.options)
    return own.get("precision_mode") or own.get("precision_mode_v2") or PRECISION_MODES[train.precision]

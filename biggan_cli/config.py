"""What a run is: frozen dataclasses, validation, what is stored. No I/O and no heavy imports.

A value comes from its flag, else from the preset, else from the defaults below, which are the documented
defaults of the reference model. The resolved configuration is stored with the run and with every checkpoint.
"""

import math
import re
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, Dict, Mapping, Optional, Tuple

from biggan_cli import __version__
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.presets import PRESETS
from biggan_cli.settings import EXTRACTORS

SCHEMA = 1
RESOLUTIONS = (32, 64, 128)
DEVICES = ("cpu", "gpu")
TRAIN_DEVICES = (*DEVICES, "npu")
"""An NPU only trains: its pictures are drawn and scored on the host, where the numbers are those of others."""
PRECISIONS = ("fp32", "mixed", "full")
RESAMPLE = ("fused", "plain")
AUGMENT = ("color", "translation", "cutout")
WEIGHTS = ("ema", "raw")
BN = ("standing", "moving")
ON_COLLAPSE = ("warn", "stop", "rollback")
FEWEST_SCORED = 100
"""Pictures of a score in training: of fewer not even a trend can be seen."""
MAX_SEED = 2**32 - 1
MAX_PICTURES = 1000000
MAX_COUNT = 2**31 - 1


@dataclass(frozen=True)
class ModelConfig:
    """Everything that the shapes and the function of the two networks depend on."""

    resolution: int = 32
    base_channels: int = 96
    z_dim: int = 120
    shared_dim: int = 128
    num_classes: int = 10
    relu_on_image: bool = False
    """The discriminator's first block applies ReLU to the image: only in networks of the reference."""
    d_base_channels: Optional[int] = None
    """Width of the discriminator; None: that of the generator."""

    @property
    def d_channels(self) -> int:
        return self.d_base_channels or self.base_channels


@dataclass(frozen=True)
class TrainConfig:
    """Everything else that a training run depends on."""

    data: Optional[str] = None
    steps: int = 100000
    batch: int = 64
    batch_device: Optional[int] = None
    """Pictures that the device takes at a time; gradients of all parts of a batch are averaged. None: all."""
    d_steps: int = 2
    g_lr: float = 1e-4
    d_lr: float = 4e-4
    beta1: float = 0.0
    beta2: float = 0.9
    lr_decay: Optional[str] = None
    """START:STOP: both rates fall from step START on, in a straight line, to 0 at step STOP."""
    orthogonal: float = 1e-4
    flip: bool = False
    """Half of the real pictures are mirrored."""
    augment: str = "none"
    """What DiffAugment does to each picture that the discriminator sees: parts of AUGMENT by commas, or none."""
    lecam: float = 0.0
    lecam_start: int = 1000
    """Until then the averages of LeCam are the last logits."""
    consistency: float = 0.0
    truncation: Optional[float] = 2.0
    ema_decay: float = 0.9999
    ema_start: int = 0
    """Until then the averages are the weights themselves."""
    init_from: Optional[str] = None
    """The checkpoint of another run whose weights this one starts with."""
    freeze_classes: bool = False
    """The class tables of both networks stay as they start."""
    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    resample: str = "fused"
    gain_start: float = 1.0
    """What the gains of the conditional batch norms start at: 0 in the reference. No flag sets it."""
    save_every: int = 1000
    sample_every: int = 1000
    log_every: int = 50
    keep_checkpoints: int = 5
    score_every: int = 0
    """Steps between scores of the averaged generator; 0: none."""
    score_num: int = 5000
    """Pictures of each score."""
    score_extractor: Optional[str] = None
    """None: the digit classifier for the built-in digits, else Inception."""
    patience: int = 0
    """Scores without a better FID that end the run; 0: none do."""
    on_collapse: str = "warn"
    max_rollbacks: int = 3
    rollbacks: int = 0
    """How often the run went back to a checkpoint before a collapse. No flag sets it."""

    @property
    def eased(self) -> float:
        """What both rates are multiplied by: half as much after each rollback."""
        return 0.5**self.rollbacks

    def scores_at(self, step: int) -> bool:
        """Whether the run is scored at a step."""
        return self.score_every > 0 and step > 0 and step % self.score_every == 0


FREE_ON_RESUME = (
    "steps",
    "lr_decay",
    "data",
    "device",
    "precision",
    "save_every",
    "sample_every",
    "log_every",
    "keep_checkpoints",
    "score_every",
    "score_num",
    "score_extractor",
    "patience",
    "on_collapse",
    "max_rollbacks",
)
"""What a resumed run may change: how far it goes, with the rates up to there, where, how its numbers are rounded, and
how it is watched.

The data may have moved; that they are the same is checked by their digest.
"""


@dataclass(frozen=True)
class RunConfig:
    """A run: its preset's name, the model and the training."""

    preset: str
    model: ModelConfig
    train: TrainConfig


@dataclass(frozen=True)
class RunRecord:
    """What is stored with a run and with each of its checkpoints, so that nothing is asked twice.

    ``data_digest`` is None while nothing was trained here: an imported run that was not resumed yet. ``bn`` are
    the statistics that its batch norms use unless a command is told otherwise.
    """

    config: RunConfig
    class_names: Tuple[str, ...]
    data_digest: Optional[str]
    biggan: str
    bn: str = "standing"


_LATER = (
    *("precision", "d_base_channels", "batch_device", "lr_decay", "flip", "augment", "lecam", "lecam_start"),
    *("consistency", "ema_start", "init_from", "freeze_classes"),
    *("score_every", "score_num", "score_extractor", "patience", "on_collapse", "max_rollbacks", "rollbacks"),
)
"""Fields that came after the first runs; their defaults are what was done before."""

_POSITIVE_INTEGERS = [
    "base_channels",
    "z_dim",
    "shared_dim",
    "num_classes",
    "steps",
    "batch",
    "d_steps",
    "save_every",
    "sample_every",
    "log_every",
    "keep_checkpoints",
]


def flag_of(field: str) -> str:
    """The flag that sets a field: ``d_steps`` → ``--d-steps``."""
    return "--res" if field == "resolution" else "--" + field.replace("_", "-")


def defaults() -> Dict[str, Any]:
    """Field → default value of the model and of training."""
    return dict(asdict(ModelConfig()), **asdict(TrainConfig()))


def resolve(preset: str, values: Mapping[str, Any]) -> RunConfig:
    """The configuration of a new run: the given ``values`` over the preset over the defaults.

    Raises:
        UsageError: an unknown preset or field, or a value that cannot be.
    """
    if preset not in PRESETS:
        raise UsageError(f"--preset {preset} is unknown", hint=_known_presets())
    usual = PRESETS[preset].values
    merged = dict(dict(usual, **_fitting(usual, values)), **values)
    model_fields = {field.name for field in fields(ModelConfig)}
    model = _build(ModelConfig, {k: v for k, v in merged.items() if k in model_fields}, "preset " + preset)
    train = _build(TrainConfig, {k: v for k, v in merged.items() if k not in model_fields}, "preset " + preset)
    config = RunConfig(preset, model, train)
    validate(config)
    return config


def _fitting(usual: Mapping[str, Any], values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a preset says of parts and of the discriminator's width, for another batch and another width."""
    fitting = {}
    if "batch_device" in usual and values.get("batch", 0) > 0:
        fitting["batch_device"] = part_of(values["batch"], usual["batch_device"])
    if "d_base_channels" in usual and "base_channels" in values:
        full = usual.get("base_channels", ModelConfig.base_channels)
        fitting["d_base_channels"] = max(1, values["base_channels"] * usual["d_base_channels"] // full)
    return fitting


def to_json(record: RunRecord) -> Dict[str, Any]:
    """The record as plain values for ``config.json`` and for checkpoints."""
    return dict(asdict(record), schema=SCHEMA)


def from_json(stored: Any, origin: str) -> RunRecord:
    """The record that :func:`to_json` stored; ``origin`` names the file in errors.

    Raises:
        StepFailed: a newer version of biggan, another schema, an unknown or missing key, a value that cannot be.
    """
    schema, theirs = (stored.get(key) if isinstance(stored, dict) else None for key in ("schema", "biggan"))
    if isinstance(theirs, str) and _version(theirs) > _version(__version__):
        raise StepFailed(
            f"{origin} was written by biggan {theirs}, and this is biggan {__version__}, which is older",
            fix=f"biggan {theirs} or later",
        )
    if schema != SCHEMA:
        raise StepFailed(
            f"{origin} has schema {schema}, this biggan reads schema {SCHEMA}",
            fix="use the version of biggan that wrote it",
        )
    try:
        values = _checked(RunRecord, {key: value for key, value in stored.items() if key != "schema"})
        config = _checked(RunConfig, values["config"])
        config = RunConfig(
            config["preset"],
            ModelConfig(**_checked(ModelConfig, _with_later(ModelConfig, config["model"]))),
            TrainConfig(**_checked(TrainConfig, _with_later(TrainConfig, config["train"]))),
        )
        names = tuple(values["class_names"])
        if not all(isinstance(name, str) for name in names) or len(names) != config.model.num_classes:
            raise ValueError(f"class_names are not {config.model.num_classes} names")
        if values["bn"] not in BN:
            raise ValueError(f"bn cannot be {values['bn']!r}")
        validate(config)
    except (ValueError, UsageError) as error:
        raise StepFailed(f"{origin} is damaged: {error}", hint="it is written by biggan, not by hand") from error
    return RunRecord(**dict(values, config=config, class_names=names))


def _version(text: str) -> Tuple[int, ...]:
    """``1.10.2`` → (1, 10, 2), so that versions can be compared."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _with_later(cls, stored: Any) -> Any:
    """What a run of before has no word for is as it was then."""
    if not isinstance(stored, dict):
        return stored
    return dict({field.name: field.default for field in fields(cls) if field.name in _LATER}, **stored)


def resume_with(record: RunRecord, values: Mapping[str, Any], preset: Optional[str], run: str) -> RunConfig:
    """The configuration of a resumed run: its own, with those of the given ``values`` that may change.

    Where nothing was trained here yet, the recipe is still open, and only the model is given.

    Raises:
        UsageError: a given value differs from the run's own and may not change.
    """
    config = record.config
    if record.data_digest is None:
        model_fields = {field.name for field in fields(ModelConfig)}
        recipe = resolve(preset or config.preset, {k: v for k, v in values.items() if k not in model_fields})
        config, free = replace(recipe, model=config.model), tuple(asdict(recipe.train))
    elif preset is not None and preset != config.preset:
        raise UsageError(
            f"--preset {preset} conflicts with the run's own preset {config.preset}",
            needed_by="biggan train --resume " + run,
            fix="leave --preset out",
        )
    else:
        free = FREE_ON_RESUME
    own = dict(asdict(config.model), **asdict(config.train))
    for field, value in values.items():
        if value != own[field] and field not in free:
            shown, owned = (truncation_text(v) if field == "truncation" else v for v in (value, own[field]))
            raise UsageError(
                f"{flag_of(field)} {shown} conflicts with the run's own {owned}",
                needed_by="biggan train --resume " + run,
                fix=f"leave {flag_of(field)} out, or start a new run without --resume",
            )
    config = replace(config, train=replace(config.train, **{k: v for k, v in values.items() if k in free}))
    validate(config)
    return config


def validate(config: RunConfig) -> None:
    """Every rule that needs no file; the first broken one is raised as a UsageError that names its flag."""
    values = dict(asdict(config.model), **asdict(config.train))
    if config.preset not in PRESETS:
        raise UsageError(f"--preset {config.preset} is unknown", hint=_known_presets())
    _choice(values, "resolution", RESOLUTIONS)
    _choice(values, "device", TRAIN_DEVICES)
    _choice(values, "precision", PRECISIONS)
    if values["precision"] == "full" and values["device"] != "npu":
        raise UsageError(
            f"--precision full is for --device npu, and the device is {values['device']}, which has float32 with fp32",
            fix="--precision fp32",
        )
    _choice(values, "resample", RESAMPLE)
    for field in _POSITIVE_INTEGERS:
        validate_count(flag_of(field), values[field])
    for field in ("d_base_channels", "batch_device"):
        if values[field] is not None:
            validate_count(flag_of(field), values[field])
    for field in ("lecam_start", "ema_start"):
        if not 0 <= values[field] <= MAX_COUNT:
            raise UsageError(f"{flag_of(field)} {values[field]} is not a step", fix=f"{flag_of(field)} 1000")
    _validate_recipe(config.train)
    _validate_watching(config.train)
    for field in ("g_lr", "d_lr"):
        if not 0.0 < values[field] < math.inf:
            raise UsageError(
                f"{flag_of(field)} {values[field]} is not a positive number",
                fix=f"{flag_of(field)} {defaults()[field]}",
            )
    for field in ("beta1", "beta2", "ema_decay"):
        if not 0.0 <= values[field] < 1.0:
            raise UsageError(
                f"{flag_of(field)} {values[field]} is outside [0, 1)", fix=f"{flag_of(field)} {defaults()[field]}"
            )
    for field in ("orthogonal", "lecam", "consistency"):
        if not 0.0 <= values[field] < math.inf:
            flag = flag_of(field)
            raise UsageError(f"{flag} {values[field]} is negative or not a number", fix=f"{flag} 0 switches it off")
    if not math.isfinite(values["gain_start"]):
        raise UsageError(f"--gain-start {values['gain_start']} is not a number")
    if not 0 <= values["seed"] <= MAX_SEED:
        raise UsageError(f"--seed {values['seed']} is outside 0…{MAX_SEED}", fix="--seed 0")
    validate_truncation(values["truncation"])
    _validate_widths(config.model)


def validate_count(flag: str, value: int, most: int = MAX_COUNT) -> None:
    """A whole number from 1 to ``most``."""
    if not 1 <= value <= most:
        raise UsageError(f"{flag} {value} is not a whole number from 1 to {most}", fix=f"{flag} with one of these")


def validate_truncation(truncation: Optional[float]) -> None:
    """``None`` is no truncation; otherwise a threshold in standard deviations, above 0."""
    if truncation is not None and not 0.0 < truncation < math.inf:
        raise UsageError(
            f"--truncation {truncation_text(truncation)} is not a positive number of standard deviations",
            fix="--truncation none switches it off",
        )


def truncation_text(truncation: Optional[float]) -> str:
    """How a truncation is written: ``2``, ``0.5`` or ``none``."""
    return "none" if truncation is None else f"{truncation:.15g}"


def decay_span(train: TrainConfig) -> Optional[Tuple[int, int]]:
    """The first and the last step of ``--lr-decay START:STOP``.

    Raises:
        UsageError: it is not two steps in order.
    """
    if train.lr_decay is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", train.lr_decay)
    if not match or int(match.group(1)) >= int(match.group(2)):
        raise UsageError(
            f"--lr-decay {train.lr_decay} is not START:STOP, two steps of which the second is the later",
            fix=f"--lr-decay {train.steps // 2}:{train.steps}",
        )
    return int(match.group(1)), int(match.group(2))


def part_of(batch: int, most: int) -> int:
    """The largest part, of up to ``most`` pictures, that divides a batch."""
    return next(size for size in range(min(batch, most), 0, -1) if batch % size == 0)


def augmentations(train: TrainConfig) -> Tuple[str, ...]:
    """The parts of ``--augment``.

    Raises:
        UsageError: an unknown part, or one twice.
    """
    parts = () if train.augment == "none" else tuple(part.strip() for part in train.augment.split(","))
    if set(parts) - set(AUGMENT) or len(set(parts)) < len(parts):
        raise UsageError(
            f"--augment {train.augment} is not none or some of {', '.join(AUGMENT)}",
            fix=f"--augment {','.join(AUGMENT)}",
        )
    return parts


def _validate_recipe(train: TrainConfig) -> None:
    span = decay_span(train)
    if span and span[1] < train.steps:
        raise UsageError(
            f"--lr-decay {train.lr_decay} ends before --steps {train.steps}: with a rate of 0 nothing more is learnt",
            fix=f"--lr-decay {span[0]}:{train.steps}, or none",
        )
    augmentations(train)
    if train.batch_device is not None and train.batch % train.batch_device:
        raise UsageError(
            f"--batch-device {train.batch_device} does not divide --batch {train.batch}",
            fix=f"--batch-device {part_of(train.batch, train.batch_device)}",
        )
    if train.freeze_classes and train.init_from is None:
        raise UsageError(
            "--freeze-classes without --init-from: the class tables would stay random", fix="--init-from RUN with it"
        )


def _validate_watching(train: TrainConfig) -> None:
    for field in ("score_every", "patience", "max_rollbacks", "rollbacks"):
        if not 0 <= getattr(train, field) <= MAX_COUNT:
            raise UsageError(
                f"{flag_of(field)} {getattr(train, field)} is not a whole number from 0 to {MAX_COUNT}",
                fix=f"{flag_of(field)} 0 switches it off",
            )
    if not FEWEST_SCORED <= train.score_num <= MAX_PICTURES:
        raise UsageError(
            f"--score-num {train.score_num} is not a whole number from {FEWEST_SCORED} to {MAX_PICTURES}",
            fix=f"--score-num {TrainConfig.score_num}",
        )
    if train.score_extractor is not None:
        _choice(asdict(train), "score_extractor", EXTRACTORS)
    _choice(asdict(train), "on_collapse", ON_COLLAPSE)
    for field in ("patience", "score_extractor"):
        if getattr(train, field) and not train.score_every:
            raise UsageError(
                f"{flag_of(field)} {getattr(train, field)} is about the scores of training, and there are none",
                fix=f"--score-every {train.save_every}",
            )
    if train.patience and train.score_every > train.steps:
        raise UsageError(
            f"--patience {train.patience}: no score falls within --steps {train.steps} at --score-every "
            f"{train.score_every}",
            fix="a smaller --score-every",
        )


def _validate_widths(model: ModelConfig) -> None:
    narrowest = 4 if model.resolution == 32 else 1
    for field, width in (("base_channels", model.base_channels), ("d_base_channels", model.d_channels)):
        if narrowest * width < 8:
            raise UsageError(
                f"{flag_of(field)} {width} is too narrow at {model.resolution} px: "
                "the attention uses an eighth of the channels",
                fix=f"{flag_of(field)} {8 // narrowest} or more",
            )
    parts = {32: 4, 64: 5, 128: 6}[model.resolution]
    if model.z_dim < parts:
        raise UsageError(
            f"--z-dim {model.z_dim} cannot be split into the {parts} parts of a generator of {model.resolution} px",
            fix=f"--z-dim {parts} or more",
        )


def _known_presets() -> str:
    return f"the presets are: {', '.join(sorted(PRESETS))}"


def _choice(values, field, choices) -> None:
    if values[field] not in choices:
        shown = ", ".join(str(choice) for choice in choices)
        flag = flag_of(field)
        raise UsageError(f"{flag} {values[field]} is not one of {shown}", fix=f"{flag} {choices[0]}")


def _build(cls, values: Mapping[str, Any], origin: str):
    """An instance of ``cls`` with these values over its defaults."""
    try:
        return cls(**_checked(cls, dict({field.name: field.default for field in fields(cls)}, **values)))
    except ValueError as error:
        raise UsageError(f"{origin}: {error}") from error


def _checked(cls, values: Any) -> Dict[str, Any]:
    """The values of the fields of ``cls``: all of them, no others, each of its type. Nested ones stay plain.

    Raises:
        ValueError: says what is wrong.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{cls.__name__} cannot be {values!r}")
    names = {field.name for field in fields(cls)}
    for problem, keys in (("unknown", set(values) - names), ("missing", names - set(values))):
        if keys:
            raise ValueError(f"the key {', '.join(sorted(keys))} is {problem}")
    for field in fields(cls):
        if not _has_type(values[field.name], field.type):
            raise ValueError(f"{field.name} cannot be {values[field.name]!r}")
    return values


def _has_type(value, wanted) -> bool:
    """Whether plain JSON ``value`` can be a field of type ``wanted``."""
    if is_dataclass(wanted):
        return isinstance(value, dict)
    if getattr(wanted, "__origin__", None) in (tuple, Tuple):
        return isinstance(value, (list, tuple))
    allowed = getattr(wanted, "__args__", None) or (wanted,)
    if isinstance(value, bool) or value is None:
        return type(value) in allowed
    return isinstance(value, allowed) or (isinstance(value, int) and float in allowed)

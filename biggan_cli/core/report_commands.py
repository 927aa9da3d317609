"""The commands that made a run, from its configuration and the manifests of its results: to paste in this order."""

import json
import time
from calendar import timegm
from dataclasses import asdict
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from biggan_cli import config as configs
from biggan_cli.config import ModelConfig, RunConfig, RunRecord
from biggan_cli.data import classes
from biggan_cli.protocols import CIFAR10_TEST, CIFAR10_TRAIN
from biggan_cli.rundir import Finished
from biggan_cli.runtime.process import quoted
from biggan_cli.settings import (
    METRICS,
    AtcConfig,
    FreezeConfig,
    InterpolateConfig,
    LatentsConfig,
    MsameRunConfig,
    SampleConfig,
    ScoreConfig,
    ToBinConfig,
    ToolConfig,
    VerifyConfig,
)

USUAL = {
    "sample": SampleConfig(),
    "interpolate": InterpolateConfig(),
    "freeze": FreezeConfig(),
    "to-bin": ToBinConfig(),
    "atc": AtcConfig(),
    "msame-run": MsameRunConfig(),
    "verify": VerifyConfig(),
}
"""The commands whose manifests say what they were asked for, with what they do unasked."""
_FLAGS = {"program": "--runner-path", "file": "--latents"}
_OF_TRUNCATION = ("sample", "interpolate", "freeze", "to-bin")


class Command(NamedTuple):
    """A line for a shell, or none; ``note`` is what must be said of it, a comment there."""

    line: str
    note: Optional[str] = None


class _Made(NamedTuple):
    """When something was finished, seconds of the epoch, and by which words."""

    finished: float
    words: List[str]


def commands(
    record: RunRecord,
    origin: Optional[Mapping[str, Any]],
    latest: Optional[int],
    results: Mapping[str, Sequence[Finished]],
    scores: Sequence[Mapping[str, Any]],
    npu_words: str = "",
) -> List[Command]:
    """How the run and all of its results are made again, in the order in which they were.

    Args:
        origin: what an imported checkpoint came from, as its record says.
        latest: step of the latest checkpoint, which needs no name.
        npu_words: the options of the NPU, as the run's log has them; its configuration has none of them.
    """
    made, untold = [], []
    for command in USUAL:
        for entry in results.get(command, ()):
            try:
                words = _asked(command, entry.manifest, record, latest)
                made.append(_Made(entry.manifest["finished"], ["biggan", command, *words]))
            except (LookupError, TypeError, ValueError, AttributeError):  # of another version, or damaged
                untold.append(Command("", f"how {command} made {entry.name} cannot be told from its manifest"))
    made += _scored([score for score in scores if not _of_a_sweep(score, results)], record, latest)
    lines = _origin(record, origin)
    if npu_words:
        lines[-1] = lines[-1]._replace(line=f"{lines[-1].line} {npu_words}")
    seen = {command.line for command in lines}
    for entry in sorted(made, key=lambda entry: entry.finished):
        line = quoted(entry.words)
        if line not in seen:
            lines.append(Command(line))
        seen.add(line)
    return lines + untold


def train_words(config: RunConfig) -> List[str]:
    """The words that give this configuration to ``biggan train``.

    Raises:
        UsageError: the configuration cannot be.
    """
    wanted = dict(asdict(config.model), **asdict(config.train))
    given: Dict[str, Any] = {}
    for _ in range(3):  # a preset fits some values to the given ones
        usual = configs.resolve(config.preset, given)
        found = dict(asdict(usual.model), **asdict(usual.train))
        differing = {field: value for field, value in wanted.items() if value != found[field]}
        differing.pop("num_classes", None)  # the data's
        if not differing:
            break
        given.update(differing)
    words = ["biggan", "train", "--preset", config.preset]
    for field, value in given.items():
        words += _flag(configs.flag_of(field), value)
    return words


def _origin(record: RunRecord, origin: Optional[Mapping[str, Any]]) -> List[Command]:
    """Training, or where the weights came from."""
    config = record.config
    if not config.model.relu_on_image:
        note = None
        if config.train.gain_start != configs.defaults()["gain_start"]:
            note = f"gain_start {config.train.gain_start:g} was set from Python: no flag has it"
        return [Command(quoted(train_words(config)), note)]
    words = ["biggan", "import-checkpoint", str((origin or {}).get("prefix", "PREFIX"))]
    if classes.are_named(record.class_names):
        named = tuple(record.class_names) == classes.CIFAR10
        words += ["--class-names", "cifar10" if named else classes.joined(record.class_names)]
    if (origin or {}).get("weights") == "raw":
        words += ["--weights", "raw"]
    note = None if origin else "PREFIX: the reference's checkpoint, which the run no longer names"
    lines = [Command(quoted(words), note)]
    if record.data_digest is not None:
        recipe = configs.replace(config, model=ModelConfig(num_classes=config.model.num_classes))
        words = train_words(recipe)
        lines.append(Command(quoted([*words[:2], "--resume", "latest", *words[2:]])))
    return lines


def _asked(command: str, manifest: Mapping[str, Any], record: RunRecord, latest: Optional[int]) -> List[str]:
    """The options that a result was made with, without what would happen unasked."""
    config, usual, details = dict(manifest["config"]), asdict(USUAL[command]), manifest["details"]
    parts = (config.pop(part, None) for part in ("tool", "draw", "latents", "neighbours", "extractor"))
    tool, draw, latents, near, extractor = (dict(part) if isinstance(part, dict) else {} for part in parts)
    extra = [str(word) for word in config.pop("extra", None) or ()]
    words = _stops(config) if command == "interpolate" else []
    if config.get("from_graph"):
        draw = {}  # a graph is as it was frozen
    elif "truncations" in config:  # a sweep
        values = ",".join(configs.truncation_text(value) for value in config.pop("truncations"))
        words += ["--truncation", values, *_renamed(config, "num", "score_num")]
    else:
        truncation = config.pop("truncation", draw.pop("truncation", "run"))
        if command in _OF_TRUNCATION and truncation not in ("run", record.config.train.truncation):
            words += ["--truncation", configs.truncation_text(truncation)]
    if near:
        words += ["--neighbours", str(near["count"]), *(["--data", near["data"]] if near.get("data") else [])]
        extractor = near.get("extractor") or {}
    words += ["--extractor", extractor["name"]] if extractor.get("name") else []
    config.pop("weights", None)  # those of draw
    if command == "atc":
        config = {key: value for key, value in config.items() if key in usual}
        for key, value in config.pop("options", None) or ():
            words += [configs.flag_of(key), str(value)]
        if str(config.get("name")).startswith(f"{config.get('soc')}_b".lower()):
            config.pop("name")  # made of the settings
    if config.get("batch") == 1:  # what is done unasked, unless the graph has another, and then it cannot be 1
        config.pop("batch")
    if command in ("atc", "msame-run") and details.get("emulated"):
        tool["toolchain"] = "emulator"
    words += _draw(draw, record, latest) + _differing(latents, asdict(LatentsConfig())) + _differing(config, usual)
    if command != "verify" or config.get("precision_modes"):
        words += _differing(tool, asdict(ToolConfig()))
    return words + (["--", *extra] if extra else [])


def _stops(config: Dict[str, Any]) -> List[str]:
    """Takes what says between which classes from the settings of an interpolation."""
    if "start" in config:  # before there were paths
        return ["--from", config.pop("start"), "--to", config.pop("end")]
    if config.get("loop") and config.get("format") in ("gif", "webp"):
        config.pop("loop")  # so are these played
    seeds = config.get("seeds") or []
    if seeds and isinstance(seeds[0], list):  # those of each stop, which are the same where only the class moves
        config["seeds"] = seeds[0] if config.get("mode") == "class" else [seed for stop in seeds for seed in stop]
    path, flags = config.pop("path"), config.pop("flags")
    grid = config.pop("grid", None)
    words = [word for pair in zip(flags, path) for word in pair] if len(flags) == len(path) else []
    return (words or [flags[0], classes.joined(path)]) + (["--grid", "x".join(map(str, grid))] if grid else [])


def _renamed(config: Dict[str, Any], key: str, name: str) -> List[str]:
    """Takes a value whose flag is called otherwise."""
    value = config.pop(key, None)
    return _flag(configs.flag_of(name), value) if value is not None else []


def _differing(config: Mapping[str, Any], usual: Mapping[str, Any]) -> List[str]:
    """Flags of what is not usual. JSON has no tuples."""
    plain = json.loads(json.dumps(usual))
    words: List[str] = []
    for key, value in config.items():
        if value != plain.get(key, False if value is False else None):
            words += _flag(_FLAGS.get(key, configs.flag_of(key)), value, key)
    return words


def _flag(flag: str, value: Any, key: str = "") -> List[str]:
    if value is True or value is False:
        return [flag if value else flag.replace("--", "--no-", 1)]
    if key == "classes":
        value = ",".join(classes.quoted(name) + (f":{count}" if count else "") for name, count in value)
    elif key == "seeds":
        value = seeds_words(value)
    elif isinstance(value, (list, tuple)):
        value = ",".join(str(part) for part in value)
    elif isinstance(value, float):
        value = f"{value:.15g}"
    return [flag, "none" if value is None else str(value)]


def seeds_words(seeds: Sequence[int]) -> str:
    """What ``--seeds`` takes: ``0-15,42``."""
    spans: List[List[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _draw(draw: Mapping[str, Any], record: RunRecord, latest: Optional[int]) -> List[str]:
    """Which generator: of another checkpoint than the latest, raw weights, other statistics, another device."""
    words: List[str] = []
    if draw.get("checkpoint") not in (None, "latest", str(latest)):
        words += ["--checkpoint", str(draw["checkpoint"])]
    for key, usual in (("weights", "ema"), ("bn", record.bn), ("device", "cpu")):
        if draw.get(key) not in (None, usual):
            words += ["--" + key, str(draw[key])]
    return words


def _scored(scores: Sequence[Mapping[str, Any]], record: RunRecord, latest: Optional[int]) -> List[_Made]:
    """One command for the sources that were scored together."""
    made: List[_Made] = []
    before: Tuple[Optional[List[str]], List[str]] = (None, [])
    for score in scores:
        words = _score_words(score, record, latest)
        sources = [*before[1], score["source"]] if words == before[0] and score["source"] not in before[1] else []
        if sources:
            made.pop()
        sources = sources or [score["source"]]
        before = (words, sources)
        own = [] if sources == ["checkpoint"] else ["--source", ",".join(sources)]
        num = [] if score.get("protocol") or "om" in sources else ["--num", str(score["samples"]["count"])]
        made.append(_Made(_epoch(score), ["biggan", "score", *own, *words, *num]))
    return made


def _of_a_sweep(score: Mapping[str, Any], results: Mapping[str, Sequence[Finished]]) -> bool:
    """Whether it was measured while ``sample`` scored several truncations."""
    for entry in results.get("sample", ()):
        if entry.manifest["config"].get("score"):
            ended, seconds = entry.manifest["finished"], entry.manifest.get("seconds", 0.0)
            if ended - seconds - 1 <= _epoch(score) <= ended:
                return True
    return False


def _epoch(score: Mapping[str, Any]) -> int:
    return timegm(time.strptime(score["time"], "%Y-%m-%dT%H:%M:%SZ"))


def _score_words(score: Mapping[str, Any], record: RunRecord, latest: Optional[int]) -> List[str]:
    """Everything that a score was asked for but its source and how many pictures."""
    samples, usual = score["samples"], ScoreConfig()
    names = dict(zip(METRICS, ("inception_score", "fid", "kid", "precision")))
    words = [f"--{flag}" for flag, name in names.items() if name in score]
    digits = samples.get("trained_on") == "digits"
    if score["extractor"]["name"] != ("digits" if digits else "inception"):
        words += ["--extractor", score["extractor"]["name"]]
    if score.get("protocol"):
        words += ["--protocol", score["protocol"]]
    elif samples.get("truncation") not in ("unknown", record.config.train.truncation):
        words += ["--truncation", configs.truncation_text(samples["truncation"])]
    reference, wanted = (score.get("reference") or {}).get("name"), score.get("asked")
    if isinstance(wanted, dict):
        for flag in ("ref", "data", "inception"):
            words += [f"--{flag}", str(wanted[flag])] if wanted.get(flag) else []
    elif not score.get("protocol") and reference in (CIFAR10_TRAIN, CIFAR10_TEST):
        words += ["--ref", reference] * (reference != CIFAR10_TRAIN)
    elif not score.get("protocol") and reference and reference.endswith("test"):
        words += ["--ref", "test"]
    asked = dict(weights=samples.get("weights"), bn=samples.get("batch_norm"), checkpoint=str(samples.get("step")))
    if score["source"] == "checkpoint":
        words += _draw(asked, record, latest)
    found, kid = score.get("inception_score", {}), score.get("kid", {})
    for flag, value, own in (
        ("--splits", found.get("splits"), usual.splits),
        ("--metric-seed", found.get("seed", kid.get("seed")), usual.metric_seed),
        ("--kid-subsets", kid.get("subsets"), usual.kid_subsets),
        ("--kid-subset-size", kid.get("subset_size"), usual.kid_subset_size),
        ("--neighbours", score.get("neighbours"), usual.neighbours),
    ):
        if value not in (None, own):
            words += [flag, str(value)]
    if found.get("shuffled") is False and not score.get("protocol"):
        words.append("--no-shuffle")
    seeds = str(samples.get("latents", "")).partition(" ")[2]
    if score["source"] != "om" and seeds and not seeds.startswith("0-"):
        words += ["--seeds", seeds]
    return words

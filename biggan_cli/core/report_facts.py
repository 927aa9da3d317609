"""What was trained and how, in rows of words: from the log, whose tables say it all, else from the configuration."""

import json
from typing import Any, Dict, List, Mapping, Optional, Tuple

from biggan_cli.config import RunRecord
from biggan_cli.core.report_data import RunData
from biggan_cli.core.report_log import TRAINING, row, tables, unstamped
from biggan_cli.core.reporting import duration
from biggan_cli.data.classes import quoted
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.presets import PRESETS

Rows = List[Tuple[str, str]]
_CLASSES, _IMPORT = "classes of ", "importing into "
_MOST_WARNINGS = 12
_MOST_CLASSES = 100


def facts(data: RunData) -> Rows:
    """How the run was trained, or what it was imported from; the log's words where there is one."""
    found = tables(data.log)
    rows = [pair for pair in map(row, found.get(TRAINING, [])) if pair[0] not in ("run", "")]
    for title, lines in found.items():
        if title.startswith(_IMPORT):
            rows = [*map(row, lines), *rows]
    return rows or (_from_config(data.record) if data.record else [])


def class_counts(data: RunData) -> Tuple[List[Tuple[str, Optional[int]]], int]:
    """(class, how many pictures of it were trained on, None: nobody says) of the first classes; how many in all."""
    names = data.record.class_names if data.record else ()
    counts: Dict[str, int] = {}
    for title, lines in tables(data.log).items():
        if title.startswith(_CLASSES):
            words = (line.rsplit(None, 1) for line in lines)
            counts = {pair[0].strip(): int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}
    return [(quoted(name), counts.get(quoted(name), counts.get(name.strip()))) for name in names[:_MOST_CLASSES]], len(
        names
    )


def warnings(data: RunData) -> List[str]:
    """The last different warnings and errors of the log; that a run was interrupted, and went on, is none."""
    found: List[str] = []
    for line in data.log.splitlines():
        text = unstamped(line)
        interrupted = text.startswith("error: interrupted")
        if text.startswith(("warning: ", "error: ")) and text not in found and not interrupted:
            found.append(text)
    return found[-_MOST_WARNINGS:]


def environment(data: RunData) -> Rows:
    """Which programs and packages made the run and each of its results; those that are the same share a row."""
    rows: Rows = []
    if data.record:
        device = dict(map(row, tables(data.log).get(TRAINING, []))).get("device")
        rows.append(("training", f"biggan {data.record.biggan}" + (f", {device}" if device else "")))
    made: Dict[str, List[str]] = {}
    for command, entries in data.results.items():
        for entry in entries:
            made.setdefault(_made_with(entry.manifest), []).append(command)
    for score in data.scores:
        made.setdefault(f"biggan {score.get('biggan')}, {score.get('lane')}", []).append("score")
    rows += [(", ".join(dict.fromkeys(commands)), words) for words, commands in made.items()]
    details = (entry.manifest["details"] for name in ("atc", "msame-run") for entry in data.results.get(name, ()))
    tools = dict.fromkeys(str(found["toolkit"]) for found in details if found.get("toolkit"))
    return rows + [("toolkit", tool) for tool in tools]


def configuration(record: RunRecord) -> Rows:
    """Every field as it is stored."""
    config = record.config
    rows = [("preset", config.preset), ("biggan", record.biggan), ("bn", record.bn)]
    rows += [("data digest", record.data_digest or "none: nothing was trained here")]
    for part in (config.model, config.train):
        rows += [(field, json.dumps(getattr(part, field), ensure_ascii=False)) for field in part.__dataclass_fields__]
    return rows


def parameters(record: RunRecord) -> Tuple[int, int]:
    """Of the generator and of the discriminator."""
    model = record.config.model
    return parameter_count(generator_weights(model)), parameter_count(discriminator_weights(model))


def duration_words(seconds: float) -> str:
    """``1:41 min``, ``2:03:10 h``."""
    return duration(seconds) + (" h" if round(seconds) >= 3600 else " min")


def plain(value: Any) -> str:
    """A value of a manifest in words: numbers without a needless 0, lists with commas."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _from_config(record: RunRecord) -> Rows:
    """The main rows, for a run whose log is gone."""
    config, model, train = record.config, record.config.model, record.config.train
    generator, discriminator = parameters(record)
    return [
        ("preset", f"{config.preset}: {PRESETS[config.preset].source}"),
        ("data", f"{train.data or 'none'}, {model.num_classes} classes"),
        ("generator", f"{generator:,} parameters"),
        ("discriminator", f"{discriminator:,} parameters"),
        ("network", f"{model.resolution} px, base channels {model.base_channels}, z {model.z_dim}"),
        ("schedule", f"{train.steps} steps, batch {train.batch}, {train.d_steps} discriminator updates a step"),
        ("optimizer", f"Adam, rates G {train.g_lr:g} D {train.d_lr:g}, beta1 {train.beta1:g}, beta2 {train.beta2:g}"),
        ("device", f"{train.device}, {train.precision}"),
    ]


def _made_with(manifest: Mapping[str, Any]) -> str:
    packages = manifest.get("packages")
    words = [str(manifest.get("tool")), f"Python {manifest.get('python')}"]
    if isinstance(packages, dict):
        words += [f"{name} {version}" for name, version in packages.items()]
    return ", ".join(words)

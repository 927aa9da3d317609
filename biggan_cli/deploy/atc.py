"""``atc``: its arguments from the specification of a graph, and whether it did what it says.

Source: the options and rules of CANN 5.0 to 8.2, the versions that build for an Ascend310.
"""

import difflib
import re
from pathlib import Path
from typing import List, Optional, Sequence

from biggan_cli.deploy.codes import Message, advice, messages
from biggan_cli.deploy.spec import GraphSpec
from biggan_cli.errors import ToolError, UsageError
from biggan_cli.runtime.process import Ended
from biggan_cli.settings import AtcConfig

SUCCESS = "ATC run success"
DEFAULT_PRECISION = "force_fp16"
PRECISION = ("precision_mode", "precision_mode_v2")
PRECISION_MODES = {
    "precision_mode": (
        *("force_fp16", "allow_fp32_to_fp16", "force_fp32", "cube_fp16in_fp32out", "must_keep_origin_dtype"),
        *("allow_mix_precision", "allow_mix_precision_fp16", "allow_mix_precision_bf16", "allow_fp32_to_bf16"),
    ),
    "precision_mode_v2": (
        *("fp16", "origin", "cube_fp16in_fp32out", "mixed_float16", "mixed_bfloat16", "cube_hif8", "mixed_hif8"),
    ),
}
FILES = ("keep_dtype", "modify_mixlist", "fusion_switch_file")

_SET_HERE = {
    "framework": "",
    "model": "",
    "out_nodes": "",
    "mode": "",
    "om": "",
    "json": "",
    "external_weight": "",
    "output": "--name",
    "soc_version": "--soc",
    "input_shape": "--batch or --dynamic-batch",
    "dynamic_batch_size": "--dynamic-batch",
    "precision_mode": "--precision-mode",
    "precision_mode_v2": "--precision-mode-v2",
    "keep_dtype": "--keep-dtype",
    "modify_mixlist": "--modify-mixlist",
    "fusion_switch_file": "--fusion-switch-file",
}
"""What must not stand after --, and what says it instead: biggan sets it, or could not carry on with what it makes."""

_PATH = re.compile("[A-Za-z0-9./_\u4e00-\u9fa5-]+")
_INNER = "9999"


def build_argv(spec: GraphSpec, settings: AtcConfig, graph: Path, output: Path) -> List[str]:
    """What follows ``atc``. The order of the inputs here becomes that of the model's inputs.

    Args:
        output: without ``.om``, which atc appends.
    """
    batch = -1 if settings.dynamic_batch else batch_of(spec, settings)
    shapes = ";".join(
        f"{tensor.name}:{','.join(str(size) for size in (batch, *tensor.shape[1:]))}" for tensor in spec.inputs
    )
    argv = [
        "--framework=3",
        f"--model={graph}",
        f"--output={output}",
        f"--soc_version={settings.soc}",
        f"--input_shape={shapes}",
        f"--out_nodes={spec.output.name}:0",
    ]
    if settings.dynamic_batch:
        argv.append("--dynamic_batch_size=" + ",".join(str(size) for size in settings.dynamic_batch))
    return [*argv, *(f"--{name}={value}" for name, value in settings.options), *settings.extra]


def batch_of(spec: GraphSpec, settings: AtcConfig) -> int:
    """The fixed batch: the asked one, or that of the graph, or 1."""
    return settings.batch or spec.batch or 1


def precision_of(settings: AtcConfig) -> str:
    """The precision mode, whichever of the two flags says it."""
    return next((value for name, value in settings.options if name in PRECISION), DEFAULT_PRECISION)


def check(spec: GraphSpec, settings: AtcConfig, soc_versions: Sequence[str], paths: Sequence[Path]) -> None:
    """Everything that can be known before atc starts, which takes minutes.

    Raises:
        UsageError: names the flag, the value and what to do.
    """
    if settings.soc not in soc_versions:
        known = {name.lower(): name for name in soc_versions}
        near = [known[name] for name in difflib.get_close_matches(settings.soc.lower(), known, 3, 0.0)]
        raise UsageError(
            f"--soc {settings.soc} is none of the {len(soc_versions)} chips that this toolkit builds for",
            fix=f"--soc {near[0]}",
            hint=f"the nearest are {', '.join(near)}; npu-smi info shows a chip's name, Ascend goes before it",
        )
    if spec.batch is not None and (settings.dynamic_batch or settings.batch not in (None, spec.batch)):
        flag = "--dynamic-batch" if settings.dynamic_batch else f"--batch {settings.batch}"
        raise UsageError(
            f"{flag} does not fit the frozen graph, whose batch is {spec.batch}",
            fix="biggan freeze without --batch leaves it free",
        )
    if settings.dynamic_batch and settings.batch:
        raise UsageError(f"--batch {settings.batch} and --dynamic-batch exclude each other", fix="leave one out")
    for name in map(_name_of, settings.extra):
        if name in _SET_HERE:
            instead = f"{_SET_HERE[name]} before it" if _SET_HERE[name] else "leave it out"
            raise UsageError(f"--{name} after -- is not for you to set: biggan does", fix=instead)
    for name, value in settings.options:
        if name in PRECISION and value not in PRECISION_MODES[name]:
            other = next((flag for flag in PRECISION if value in PRECISION_MODES[flag]), None)
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} {value} is not one of {', '.join(PRECISION_MODES[name])}",
                fix=f"--{other.replace('_', '-')} {value}" if other else f"{flag} {PRECISION_MODES[name][0]}",
            )
    names = [name for name, _ in settings.options]
    if set(PRECISION) <= set(names):
        raise UsageError("--precision-mode and --precision-mode-v2 exclude each other", fix="leave one out")
    for path in paths:
        check_path(path)


def check_path(path: Path) -> None:
    """atc takes few characters in a path.

    Raises:
        UsageError: says which others this one has.
    """
    if not _PATH.fullmatch(str(path)):
        wrong = sorted(set(character for character in str(path) if not _PATH.fullmatch(character)))
        raise UsageError(
            f"atc does not take the path {path}: it has {' '.join(repr(character) for character in wrong)} in it",
            fix="rename the folder, or train and freeze with an --outdir of letters, digits and . _ - /",
        )


def judge(ended: Ended, output: Path, log: Path) -> Path:
    """The offline model, if atc ended well, said so and wrote it.

    Raises:
        ToolError: one of the three is missing; with what atc said, and what helps.
    """
    found = [message for message in messages(ended.lines) if message.code.startswith("E")]
    said = any(SUCCESS in line for line in ended.lines)
    models = [path for path in written(output) if path.stat().st_size]
    if ended.code == 0 and said and models:
        return models[0]
    told = _telling(found)
    if told:
        raise ToolError(f"atc failed with {told.code}: {told.text}", log=str(log), fix=advice(told.code))
    if ended.code:
        told_plainly = [line for line in ended.lines if line.startswith("ERROR: ")]
        if ended.code in _NOT_STARTED:
            told_plainly += ended.lines[-1:]
        reason = " although it reports success" if said else "".join(f": {line}" for line in told_plainly[:1])
        raise ToolError(f"atc {ended.how()}{reason}", log=str(log), fix=_LOOK)
    if not said:
        raise ToolError("atc ended without its words of success", log=str(log), fix=_LOOK)
    raise ToolError(
        "atc reports success but left no model",
        looked_for=f"{output}.om",
        log=str(log),
        fix="see whether the disk is full",
    )


def warnings(ended: Ended) -> List[Message]:
    """What atc warns of."""
    return [message for message in messages(ended.lines) if message.code.startswith("W")]


def written(output: Path) -> List[Path]:
    """What atc may have called the model: newer ones add system and architecture where the shapes are dynamic."""
    plain = output.with_name(output.name + ".om")
    return [path for path in (plain, *output.parent.glob(output.name + "_linux_*.om")) if path.is_file()]


_NOT_STARTED = (126, 127)
"""Exit codes of the shell and of the loader: a program or a shared library is missing, the last line says which."""

_LOOK = "read the log; more is in $HOME/ascend/log, or on the screen with ASCEND_SLOG_PRINT_TO_STDOUT=1"


def _name_of(argument: str) -> str:
    """``--soc-version=x`` and ``-soc_version`` → soc_version."""
    return argument.lstrip("-").partition("=")[0].replace("-", "_") if argument.startswith("-") else ""


def _telling(found: Sequence[Message]) -> Optional[Message]:
    """The error that says most: not the one that only wraps others."""
    return next((message for message in found if not message.code.endswith(_INNER)), found[0] if found else None)

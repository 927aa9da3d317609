"""The options of a session on an NPU: what the adapter knows, and what it would pass over or trip over.

The adapter ignores keys that it does not know, and reads a value of another type as nothing: both are errors here.
``npu_parameter_map.json`` has its keys with their types, ``b``, ``i`` or ``s``, from the sources of its versions.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from biggan_cli.errors import UsageError

Value = Union[bool, int, str]
PRECISION_MODES = dict(fp32="allow_fp32_to_fp16", mixed="allow_mix_precision", full="must_keep_origin_dtype")
"""``--precision`` → ``precision_mode``. The first is the default of the first 910: its cubes take float16."""

_MAP = Path(__file__).parent / "npu_parameter_map.json"
_OWN = {
    "use_off_line": "--device cpu trains on the host",
    "iterations_per_loop": "--steps-per-loop",
    "enable_data_pre_proc": "--steps-per-loop",
    "session_device_id": "--device-id",
    "profiling_mode": "--profile",
    "profiling_options": "--profile",
    "graph_run_mode": "training is the only mode that trains",
}
"""Keys that other options set."""
_CHOICES = {
    "precision_mode": (
        "force_fp32 allow_fp32_to_fp16 force_fp16 must_keep_origin_dtype allow_mix_precision cube_fp16in_fp32out "
        "allow_mix_precision_fp16 allow_mix_precision_bf16 allow_fp32_to_bf16"
    ),
    "precision_mode_v2": "fp16 origin cube_fp16in_fp32out mixed_float16 mixed_bfloat16 mixed_hif8 cube_hif8",
    "op_compiler_cache_mode": "enable disable force",
    "jit_compile": "true false auto",
    "dump_mode": "input output all",
    "dump_data": "tensor stats",
    "dump_debug_mode": "aicore_overflow atomic_overflow all",
    "op_select_implmode": "high_precision high_performance high_precision_for_all high_performance_for_all",
    "variable_placement": "Device Host",
    "dynamic_graph_execute_mode": "dynamic_execute lazy_recompile",
    "aoe_mode": "1 2 4 mdat",
    "deterministic": "0 1",
    "enable_exception_dump": "0 1 2",
    "enable_small_channel": "0 1",
}
_FILES = (
    *("modify_mixlist", "op_precision_mode", "customize_dtypes", "fusion_switch_file", "op_debug_config"),
    *("aoe_config_file", "insert_op_file", "compress_weight_conf"),
)
_RANGES = {"op_debug_level": (0, 4), "hccl_timeout": (1, 17340), "input_fusion_size": (0, 33554432)}
MIXED_FLOAT16 = ("allow_mix_precision", "allow_mix_precision_fp16", "mixed_float16")
"""Values of both precision modes that need a scaled loss, which only ``--precision mixed`` has."""
_INFERENCE = ("force_fp16", "fp16")
_MIXED = (*MIXED_FLOAT16, "allow_mix_precision_bf16", "mixed_bfloat16", "mixed_hif8")
_MOST_DUMP_RANGES = 100


class Parameter(NamedTuple):
    """A key of the map."""

    key: str
    type: str
    values: str
    first_branch: str
    last_branch: str


def parameters() -> Dict[str, Parameter]:
    """All keys of all versions. ``jit_compile`` was a bool in two of them and is text since."""
    found = {}
    for entry in json.loads(_MAP.read_text(encoding="utf-8")):
        kind = entry["type"] if isinstance(entry["type"], str) else "s"
        found[entry["key"]] = Parameter(
            entry["key"], kind, entry["values"], entry["first_branch"], entry["last_branch"]
        )
    return found


def checked(given: Iterable[Tuple[str, str]], precision: Optional[str], steps_per_loop: int) -> Dict[str, Value]:
    """The options as given, each in its type; what does not go together is found before anything starts.

    Args:
        given: key and value of each ``--npu-option``.
        precision: what ``--precision`` says, None: nothing.
        steps_per_loop: of ``--steps-per-loop``.

    Raises:
        UsageError: an unknown key, a value of another type, options that exclude each other.
    """
    known, found = parameters(), {}
    for key, text in given:
        if key not in known:
            raise UsageError(f"--npu-option {key}: the adapter has no such option", fix=_nearest(key, known))
        if key in _OWN:
            raise UsageError(f"--npu-option {key} is not for this: biggan sets it", fix=_OWN[key])
        if key in found:
            raise UsageError(f"--npu-option {key} is given twice", fix="once")
        found[key] = _typed(known[key], text)
    _check_together(found, precision, steps_per_loop)
    return found


def _typed(parameter: Parameter, text: str) -> Value:
    key, kind = parameter.key, parameter.type
    label = f"--npu-option {key}={text}"
    if kind == "b":
        if text.lower() not in ("true", "false", "1", "0"):
            raise UsageError(f"{label} is neither true nor false", fix=f"--npu-option {key}=true")
        return text.lower() in ("true", "1")
    choices = _CHOICES.get(key, "").split()
    if choices and text not in choices:
        raise UsageError(f"{label} is not one of {', '.join(choices)}", fix=f"--npu-option {key}={choices[0]}")
    if kind == "s":
        if not text:
            raise UsageError(f"--npu-option {key}= has no value", fix=f"--npu-option {key}=VALUE{_hint(parameter)}")
        if key in _FILES and not Path(text).is_file():
            raise UsageError(f"{label}: there is no such file", fix=f"--npu-option {key}=FILE{_hint(parameter)}")
        return text
    if not re.fullmatch(r"-?[0-9]{1,10}", text):
        raise UsageError(f"{label} is not a whole number", fix=f"--npu-option {key}=NUMBER{_hint(parameter)}")
    low, high = _RANGES.get(key, (-1, 2**31 - 1))
    if not low <= int(text) <= high:
        raise UsageError(f"{label} is not from {low} to {high}", fix=f"--npu-option {key}={low}")
    return int(text)


def _hint(parameter: Parameter) -> str:
    """What the map says of its values."""
    words = re.sub(r"^\.[bis] ", "", parameter.values)
    return f" ({words})" if words else ""


def _check_together(found: Mapping[str, Value], precision: Optional[str], steps_per_loop: int) -> None:
    """The rules across keys. Source: npu_attrs.cc and om_partition_subgraphs_pass.cc of the adapter."""
    modes = [key for key in ("precision_mode", "precision_mode_v2") if key in found]
    if precision is not None and modes:
        raise UsageError(
            f"--precision {precision} and --npu-option {modes[0]} both say it", fix="leave one of them out"
        )
    mixed = precision == "mixed" or any(found[key] in _MIXED for key in modes)
    rules: List[Tuple[bool, str, str]] = [
        (len(modes) == 2, "precision_mode and precision_mode_v2 exclude each other", "one of them"),
        (
            any(found[key] in _INFERENCE for key in modes),
            f"{' '.join(str(found[key]) for key in modes)} is for inference only",
            "--precision mixed",
        ),
        (
            ("local_rank_id" in found) != ("local_device_list" in found),
            "local_rank_id and local_device_list come together",
            "none of them: a run has one device",
        ),
        ("modify_mixlist" in found and not mixed, "modify_mixlist needs mixed precision", "--precision mixed"),
        (
            bool(found.get("enable_dump")) and bool(found.get("enable_dump_debug")),
            "enable_dump and enable_dump_debug exclude each other",
            "one of them",
        ),
        (
            bool(found.get("enable_dump") or found.get("enable_dump_debug")) and "dump_path" not in found,
            "a dump needs dump_path",
            "--npu-option dump_path=DIR, of a folder that exists",
        ),
        (
            "dump_path" in found and not Path(str(found["dump_path"])).is_dir(),
            f"dump_path {found.get('dump_path')} is no folder",
            f"mkdir -p {found.get('dump_path')}",
        ),
        (
            str(found.get("dump_step", "")).count("|") >= _MOST_DUMP_RANGES,
            f"dump_step has more than {_MOST_DUMP_RANGES} ranges",
            "fewer of them",
        ),
        (
            steps_per_loop > 1 and bool(found.get("mix_compile_mode")),
            "mix_compile_mode does not go with --steps-per-loop",
            "--steps-per-loop 1",
        ),
        (
            steps_per_loop > 1 and found.get("dynamic_graph_execute_mode") == "lazy_recompile",
            "dynamic_graph_execute_mode lazy_recompile does not go with --steps-per-loop",
            "--steps-per-loop 1",
        ),
        (
            found.get("variable_placement") == "Host" and not found.get("mix_compile_mode"),
            "variable_placement Host needs mix_compile_mode",
            "--npu-option mix_compile_mode=true",
        ),
        (
            "optypelist_for_implmode" in found and "op_select_implmode" not in found,
            "optypelist_for_implmode needs op_select_implmode",
            "--npu-option op_select_implmode=high_precision",
        ),
        (
            bool(found.get("enable_compress_weight")) and "compress_weight_conf" in found,
            "enable_compress_weight and compress_weight_conf exclude each other",
            "one of them",
        ),
        (
            len({"input_shape", "dynamic_dims", "dynamic_node_type"}.intersection(found)) not in (0, 3),
            "input_shape, dynamic_dims and dynamic_node_type come together",
            "none of them: the shapes of training are fixed",
        ),
        (
            "input_shape" in found and bool(found.get("mix_compile_mode")),
            "input_shape does not go with mix_compile_mode",
            "one of them",
        ),
    ]
    for broken, what, fix in rules:
        if broken:
            raise UsageError(f"--npu-option: {what}", fix=fix)


def _nearest(key: str, known: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"--npu-option {close[0]}=…" if close else "the keys of CANN's session configuration, such as precision_mode"

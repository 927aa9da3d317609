"""What the device accepts in a ConfigProto; anything else is an error that names the key."""

import json
import os
from typing import Dict, Optional

from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from npu_bridge import _era

OPTIMIZER = "NpuOptimizer"
MEMBERS = {"b": "bool (.b)", "i": "int (.i)", "s": "bytes (.s)"}
MIXED_MODES = ("allow_mix_precision", "allow_mix_precision_fp16", "mixed_float16")

with open(os.path.join(os.path.dirname(__file__), "npu_parameter_map.json"), encoding="utf-8") as _file:
    KEYS = {entry["key"]: entry for entry in json.load(_file)}

# The chip is an Ascend 910 of the first generation: no bfloat16, no HiFloat8. force_fp16 is for inference.
CHOICES = {
    "ac_parallel_enable": ("0", "1"),
    "aoe_mode": ("1", "2", "4", "mdat"),
    "atomic_clean_policy": (0, 1),
    "buffer_optimize": ("l2_optimize", "off_optimize"),
    "deterministic": (0, 1),
    "dump_data": ("tensor", "stats"),
    "dump_debug_mode": ("aicore_overflow", "atomic_overflow", "all"),
    "dump_mode": ("input", "output", "all"),
    "dynamic_graph_execute_mode": ("dynamic_execute", "lazy_recompile"),
    "dynamic_node_type": (0, 1),
    "enable_exception_dump": (0, 1, 2),
    "enable_small_channel": (0, 1),
    "export_compile_stat": (0, 1, 2),
    "graph_run_mode": (0, 1),
    "graph_slice": ("auto", "manual"),
    "mstune_mode": ("1", "2", "3", "4"),
    "op_compiler_cache_mode": ("enable", "disable", "force"),
    "op_debug_level": (0, 1, 2, 3, 4),
    "op_select_implmode": ("high_precision", "high_performance", "high_precision_for_all", "high_performance_for_all"),
    "precision_mode": (
        *("force_fp32", "allow_fp32_to_fp16", "force_fp16", "must_keep_origin_dtype", "allow_mix_precision"),
        *("cube_fp16in_fp32out", "allow_mix_precision_fp16"),
    ),
    "precision_mode_v2": ("fp16", "origin", "cube_fp16in_fp32out", "mixed_float16"),
    "quant_dumpable": ("0", "1"),
    "shape_generalization_mode": ("STRICT", "FULL", "ADAPTIVE"),
    "static_memory_policy": (0, 1, 2, 3, 4),
    "variable_placement": ("Device", "Host"),
}
if _era.reached("r1.13.0"):
    CHOICES["jit_compile"] = ("true", "false", "auto")
RANGES = {
    "hccl_timeout": (1, 17340),
    "input_fusion_size": (0, 33554432),
    "iterations_per_loop": (1, None),
    "local_rank_id": (0, 7),
    "session_device_id": (0, None),
}
FILES = ("aoe_config_file", "customize_dtypes", "fusion_switch_file", "insert_op_file", "modify_mixlist")
FILES += ("op_debug_config", "op_precision_mode", "compress_weight_conf", "distribute_config")
PROFILING_KEYS = {
    *("output", "storage_limit", "training_trace", "task_trace", "task_time", "hccl", "aicpu", "fp_point", "bp_point"),
    *("aic_metrics", "l2", "msproftx"),
}


class OptionError(ValueError):
    """An option that the adapter refuses, or that it would silently ignore."""


def npu_optimizer(config) -> Optional[object]:
    """The NpuOptimizer entry of a ConfigProto, None if it has none."""
    entries = [o for o in config.graph_options.rewrite_options.custom_optimizers if o.name == OPTIMIZER]
    if len(entries) > 1:
        raise OptionError(f"{len(entries)} custom optimizers are named {OPTIMIZER}; one is the rule")
    return entries[0] if entries else None


def values_of(optimizer) -> Dict[str, object]:
    """key → Python value of a parameter map, each checked for existence in this era and for its proto member."""
    values = {}
    for key, value in sorted(optimizer.parameter_map.items()):
        member, wanted = value.WhichOneof("value"), _member_of(key)
        if member != wanted:
            raise OptionError(f"{key}: {MEMBERS[wanted]} is wanted, but .{member} was set; it would read as unset")
        values[key] = value.s.decode() if member == "s" else getattr(value, member)
    return values


def check(config, values: Dict[str, object]) -> None:
    """All rules for one session that runs on the device."""
    _check_config(config)
    for key, value in values.items():
        _check_value(key, value)
    _check_together(values)


def device_of(values) -> int:
    """The logical device: session_device_id before ASCEND_DEVICE_ID before DEVICE_ID before 0."""
    if values.get("session_device_id", -1) >= 0:
        return values["session_device_id"]
    for name in ("ASCEND_DEVICE_ID", "DEVICE_ID"):
        if os.environ.get(name):
            if not os.environ[name].isdigit():
                raise OptionError(f"{name}={os.environ[name]} is no device id")
            return int(os.environ[name])
    return 0


def _member_of(key: str) -> str:
    entry = KEYS.get(key)
    if entry is None:
        raise OptionError(f"{key}: the adapter knows no such key and would ignore it")
    if not _era.reached(entry["first_branch"]) or _era.passed(entry["last_branch"]):
        raise OptionError(
            f"{key}: this adapter ({_era.BRANCH}) has no such key; "
            f"it is there from {entry['first_branch']} to {entry['last_branch']}"
        )
    if isinstance(entry["type"], str):
        return entry["type"]
    return [member for branch, member in entry["type"].items() if _era.reached(branch)][-1]


def _check_config(config) -> None:
    off, options = rewriter_config_pb2.RewriterConfig.OFF, config.graph_options
    for name in ("remapping", "memory_optimization"):
        if getattr(options.rewrite_options, name) != off:
            raise OptionError(f"{name}: must be OFF in rewrite_options")
    if options.optimizer_options.global_jit_level != config_pb2.OptimizerOptions.OFF:
        raise OptionError("global_jit_level: must be OFF in optimizer_options")
    if not config.allow_soft_placement:
        raise OptionError("allow_soft_placement: must be True")


def _check_value(key: str, value) -> None:
    if key in CHOICES and value not in CHOICES[key]:
        raise OptionError(f"{key}: {value!r} is none of {', '.join(map(str, CHOICES[key]))}")
    if key in RANGES:
        low, high = RANGES[key]
        if value < low or (high is not None and value > high):
            raise OptionError(f"{key}: {value} is not between {low} and {'any' if high is None else high}")
    if key in FILES and not os.path.isfile(value):
        raise OptionError(f"{key}: there is no file {value}")
    if key in ("fusion_switch_file", "modify_mixlist"):
        _check_json_file(key, value)


def _check_json_file(key: str, path: str) -> None:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if key == "fusion_switch_file":
            (switch,) = [content.pop("Switch")]
            good = not content and set(switch) <= {"GraphFusion", "UBFusion"}
            good = good and all(state in ("on", "off") for group in switch.values() for state in group.values())
        else:
            good = set(content) <= {"black-list", "white-list", "gray-list"}
            good = good and all(set(change) <= {"to-add", "to-remove"} for change in content.values())
    except (ValueError, KeyError, AttributeError, TypeError):
        good = False
    if not good:
        raise OptionError(f"{key}: {path} has not the layout that the adapter reads")


def _check_together(values: Dict[str, object]) -> None:
    has = values.get
    if "precision_mode" in values and "precision_mode_v2" in values:
        raise OptionError("precision_mode and precision_mode_v2 exclude each other")
    if has("graph_run_mode", 1) == 1 and (has("precision_mode") == "force_fp16" or has("precision_mode_v2") == "fp16"):
        raise OptionError("precision_mode: force_fp16 (fp16) is for inference, and graph_run_mode is 1")
    if "modify_mixlist" in values and not {has("precision_mode"), has("precision_mode_v2")} & set(MIXED_MODES):
        raise OptionError("modify_mixlist needs a mixed mode in precision_mode or precision_mode_v2")
    _check_dump(values)
    loops = has("iterations_per_loop", 1)
    if loops > 1 and has("mix_compile_mode"):
        raise OptionError("iterations_per_loop must be 1 with mix_compile_mode")
    if loops > 1 and has("dynamic_graph_execute_mode") == "lazy_recompile":
        raise OptionError("iterations_per_loop must be 1 with dynamic_graph_execute_mode lazy_recompile")
    if loops > 1 and not has("enable_data_pre_proc"):
        raise OptionError("iterations_per_loop above 1 needs enable_data_pre_proc True")
    shapes = {"input_shape", "dynamic_dims", "dynamic_node_type"} & set(values)
    if shapes and (len(shapes) < 3 or has("mix_compile_mode")):
        raise OptionError("input_shape, dynamic_dims, dynamic_node_type come together and without mix_compile_mode")
    if has("enable_compress_weight") and "compress_weight_conf" in values:
        raise OptionError("enable_compress_weight and compress_weight_conf exclude each other")
    if has("variable_placement") == "Host" and not has("mix_compile_mode"):
        raise OptionError("variable_placement Host needs mix_compile_mode True")
    if "optypelist_for_implmode" in values and "op_select_implmode" not in values:
        raise OptionError("optypelist_for_implmode needs op_select_implmode")
    if ("local_device_list" in values) != ("local_rank_id" in values):
        raise OptionError("local_device_list and local_rank_id come together")
    _check_profiling(values)


def _check_dump(values) -> None:
    if values.get("enable_dump") and values.get("enable_dump_debug"):
        raise OptionError("enable_dump and enable_dump_debug exclude each other")
    if (values.get("enable_dump") or values.get("enable_dump_debug")) and not os.path.isdir(
        values.get("dump_path", "")
    ):
        raise OptionError("dump_path: a dump needs a directory that exists")
    if len(values.get("dump_step", "").split("|")) > 100:
        raise OptionError("dump_step: 100 ranges at most")


def _check_profiling(values) -> None:
    if "profiling_options" not in values:
        return
    try:
        options = json.loads(values["profiling_options"])
    except ValueError as error:
        raise OptionError(f"profiling_options: no JSON: {error}") from None
    if not isinstance(options, dict) or set(options) - PROFILING_KEYS:
        raise OptionError(f"profiling_options: an object of {', '.join(sorted(PROFILING_KEYS))} is wanted")
    if values.get("profiling_mode") and not os.path.isdir(options.get("output", "")):
        raise OptionError(f"profiling_options: output {options.get('output')!r} is no directory; make it first")
    if options.get("training_trace") == "on" and not {"fp_point", "bp_point"} <= set(options):
        raise OptionError('profiling_options: training_trace needs fp_point and bp_point, which may be ""')

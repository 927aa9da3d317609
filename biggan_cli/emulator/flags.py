"""The flags of ``atc``: how they are written, which values they take, and all checks that need no graph.

Everything in the public table is accepted. What would change the numbers and is not emulated is refused (E10055)
rather than ignored; what only tunes speed, memory or the choice of an implementation has no effect here.
"""

import json
import os
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from biggan_cli.deploy.soc import SOC_VERSIONS
from biggan_cli.emulator.messages import AtcError
from biggan_cli.emulator.shapes import Shapes, parse_gears, parse_input_shape

_ZERO_OR_ONE = (
    *("disable_reuse_memory", "enable_small_channel", "deterministic", "virtual_type", "sparsity", "is_weight_clip"),
    *("atomic_clean_policy", "dump_mode", "status_check", "display_model_info"),
)
_TRUE_OR_FALSE = ("enable_single_stream",)
_CHOICES = dict(
    input_format=("NCHW", "NHWC", "ND", "NCDHW", "NDHWC"),
    op_select_implmode=(*("high_precision", "high_performance", "high_precision_for_all", "high_performance_for_all"),),
    buffer_optimize=("l1_optimize", "l2_optimize", "off_optimize"),
    op_compiler_cache_mode=("disable", "enable", "force"),
    op_debug_level=("0", "1", "2", "3", "4"),
    export_compile_stat=("0", "1", "2"),
    external_weight=("0", "1", "2"),
    core_type=("AiCore", "VectorCore"),
    host_env_os=("linux", "minios"),
    host_env_cpu=("x86_64", "aarch64", "arm64", "arm"),
    oo_level=("O1", "O3"),
    jit_compile=("0", "1", "2"),
)
_LOG = ("debug", "info", "warning", "error", "null")
_INPUT_FILES = (
    *("keep_dtype", "modify_mixlist", "fusion_switch_file", "customize_dtypes", "insert_op_conf"),
    *("op_precision_mode", "singleop"),
)
_OUTPUT_PATHS = ("check_report", "op_compiler_cache_dir", "json", "mdl_bank_path", "op_bank_path")
_NOT_EMULATED = (
    *("customize_dtypes", "insert_op_conf", "dynamic_image_size", "dynamic_dims", "input_shape_range", "singleop"),
    *("is_input_adjust_hw_layout", "is_output_adjust_hw_layout"),
)
_OTHERS = (
    *("mode", "model", "weight", "framework", "output", "soc_version", "input_shape", "out_nodes", "output_type"),
    *("input_fp16_nodes", "log", "debug_dir", "dynamic_batch_size", "precision_mode", "precision_mode_v2"),
    *("optypelist_for_implmode", "aicore_num", "auto_tune_mode", "save_original_model", "om", "help"),
    *("enable_scope_fusion_passes", "raw_ge_options"),
)
KNOWN = frozenset((*_ZERO_OR_ONE, *_TRUE_OR_FALSE, *_CHOICES, *_INPUT_FILES, *_OUTPUT_PATHS, *_NOT_EMULATED, *_OTHERS))

PRECISION_MODES = dict(
    force_fp16="force_fp16",
    force_fp32="force_fp32",
    cube_fp16in_fp32out="force_fp32",
    allow_fp32_to_fp16="allow_fp32_to_fp16",
    must_keep_origin_dtype="must_keep_origin_dtype",
    allow_mix_precision="allow_mix_precision",
    allow_mix_precision_fp16="allow_mix_precision",
)
"""Value of ``--precision_mode`` → the one that it stands for."""
PRECISION_MODES_V2 = dict(
    fp16="force_fp16",
    origin="must_keep_origin_dtype",
    cube_fp16in_fp32out="force_fp32",
    mixed_float16="allow_mix_precision",
)
_NEWER_CHIPS_ONLY = dict(
    precision_mode=("allow_mix_precision_bf16", "allow_fp32_to_bf16"),
    precision_mode_v2=("mixed_bfloat16", "cube_hif8", "mixed_hif8"),
)
OUTPUT_TYPES = dict(FP32="float32", FP16="float16", UINT8="uint8")

_PATH = re.compile("[-A-Za-z0-9./_\u4e00-\u9fa5]+")
_PATH_MAX = 4096
_PATH_REASON = "The path can only contain 'a-z' 'A-Z' '0-9' '-' '.' '_' and Chinese characters."
_RANGE_REASON = "The value is not within the range [{}]"


class UnknownFlags(Exception):
    """The command line itself is wrong; the message goes to stderr."""


class Plan(NamedTuple):
    """A command line whose cheap checks are done."""

    options: Dict[str, str]
    precision_mode: str
    shapes: Shapes
    out_nodes: List[Tuple[str, int]]
    keep_dtype: List[str]
    mixlist: Dict[str, str]


def parse(arguments: List[str]) -> Dict[str, str]:
    """``--p=v``, ``--p v``, ``-p v``; dashes are underscores; the last of two wins.

    Raises:
        UnknownFlags: a flag that does not exist, a missing value, or a stray word.
    """
    options, rest = {}, list(arguments)
    while rest:
        word = rest.pop(0)
        if not re.match("--?[A-Za-z]", word):
            raise UnknownFlags(f"ERROR: Non-option parameter: {word}")
        name, equals, value = word.lstrip("-").partition("=")
        key = dict(h="help").get(name, name.replace("-", "_"))
        if key not in KNOWN:
            raise UnknownFlags(f"ERROR: unknown command line flag '{name}'")
        if key == "help":
            value = "1"
        elif not equals:
            if not rest:
                raise UnknownFlags(f"ERROR: flag '--{name}' is missing its argument")
            value = rest.pop(0)
        options[key] = value
    return options


def check(options: Dict[str, str]) -> Plan:
    """The checks without a graph, in ``atc``'s order: the first wrong value is the one that is told.

    Raises:
        AtcError: a value is missing or wrong.
    """
    if options.get("framework") != "3":
        if options.get("framework") in ("0", "1", "5"):
            raise AtcError("E10055", "the emulator takes graphs of TensorFlow only ([--framework] 3)")
        raise AtcError("E10007", "framework", "0(Caffe) or 1(MindSpore) or 3(TensorFlow) or 5(Onnx)")
    _check_soc(options)
    _check_output(options)
    _check_model(options)
    _check_values(options)
    gears_asked = [
        name
        for name in ("dynamic_batch_size", "dynamic_image_size", "input_shape_range", "dynamic_dims")
        if options.get(name)
    ]
    if len(gears_asked) > 1:
        raise AtcError("E10009")
    mode = _precision_mode(options)
    keep_dtype, mixlist = _precision_files(options, mode)
    for name in _NOT_EMULATED:
        if options.get(name):
            raise AtcError("E10055", f"[--{name}] is not emulated")
    gears = parse_gears(options["dynamic_batch_size"]) if options.get("dynamic_batch_size") else []
    shapes = parse_input_shape(options.get("input_shape", ""), gears)
    return Plan(options, mode, shapes, _out_nodes(options.get("out_nodes", "")), keep_dtype, mixlist)


def _check_soc(options) -> None:
    soc = options.get("soc_version", "")
    if not soc:
        raise AtcError("E10054", "soc_version")
    if soc not in SOC_VERSIONS:
        raise AtcError("E20101", soc, "soc_version", f"the platform configuration file {soc}.ini cannot be found")


def _check_output(options) -> None:
    output = options.get("output", "")
    if not output:
        raise AtcError("E10054", "output")
    _check_path("output", output)
    if output.endswith("/"):
        raise AtcError("E10022", output, "output")
    try:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AtcError("E10001", output, "output", error.strerror) from None
    if not os.access(str(Path(output).parent), os.W_OK) or Path(output + ".om").is_dir():
        raise AtcError("E10001", output, "output", "the path cannot be written")


def _check_model(options) -> None:
    if not options.get("model"):
        raise AtcError("E10054", "model")
    _check_path("model", options["model"])
    try:
        with open(options["model"], "rb"):
            pass
    except OSError as error:
        raise AtcError("E10001", options["model"], "model", error.strerror) from None


def _check_path(name: str, path: str) -> None:
    if len(path) >= _PATH_MAX:
        raise AtcError("E10021", name, _PATH_MAX)
    if not _PATH.fullmatch(path):
        raise AtcError("E10001", path, name, _PATH_REASON)


def _check_values(options) -> None:
    """Files that must exist and flags with a list of values."""
    for name in _OUTPUT_PATHS:
        if options.get(name):
            _check_path(name, options[name])
    for name in _INPUT_FILES:
        if options.get(name):
            _check_path(name, options[name])
            if not os.path.isfile(options[name]):
                raise AtcError("E10410", options[name])
    if options.get("debug_dir"):
        _check_path("debug_dir", options["debug_dir"])
        if not os.path.isdir(options["debug_dir"]):
            raise AtcError("E10001", options["debug_dir"], "debug_dir", "No such file or directory")
    if options.get("log", "null") not in _LOG:
        raise AtcError("E10010", options["log"])
    for name in sorted(options):
        value = options[name]
        if name in _ZERO_OR_ONE and value not in ("0", "1"):
            raise AtcError("E10006", value, name)
        if name in _TRUE_OR_FALSE and value not in ("true", "false"):
            raise AtcError("E10005", value, name)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise AtcError("E10001", value, name, _RANGE_REASON.format(", ".join(_CHOICES[name])))
    if options.get("auto_tune_mode"):
        raise AtcError("E10001", options["auto_tune_mode"], "auto_tune_mode", "The option is deprecated, use AOE")


def _precision_mode(options) -> str:
    given = [name for name in ("precision_mode", "precision_mode_v2") if options.get(name)]
    if len(given) == 2:
        raise AtcError("E10056", *given)
    if not given:
        return "force_fp16"
    (name,) = given
    value = options[name]
    known = PRECISION_MODES if name == "precision_mode" else PRECISION_MODES_V2
    if value in known:
        return known[value]
    if value not in _NEWER_CHIPS_ONLY[name]:
        raise AtcError("E10001", value, name, _RANGE_REASON.format(", ".join(known)))
    if options["soc_version"].startswith(("Ascend310", "Ascend910A", "Ascend910Pr")):
        raise AtcError("E10001", value, name, f"{options['soc_version']} does not support it")
    raise AtcError("E10055", f"[--{name}] {value} is not emulated")


def _precision_files(options, mode: str) -> Tuple[List[str], Dict[str, str]]:
    """The lines of ``--keep_dtype``, and IR operator → list (white, black, gray) of ``--modify_mixlist``."""
    keep: List[str] = []
    if options.get("keep_dtype"):
        lines = Path(options["keep_dtype"]).read_text(encoding="utf-8").splitlines()
        keep = [line.strip() for line in lines if line.strip()]
    mixlist: Dict[str, str] = {}
    path = options.get("modify_mixlist")
    if path:
        if mode != "allow_mix_precision":
            raise AtcError("E10001", path, "modify_mixlist", "it needs a mixed precision mode")
        try:
            lists = json.loads(Path(path).read_text(encoding="utf-8"))
            moves = [(color, lists.get(f"{color}-list", {})) for color in ("black", "white")]
            mixlist.update({ir: "gray" for _, move in moves for ir in move.get("to-remove", [])})
            mixlist.update({ir: color for color, move in moves for ir in move.get("to-add", [])})
        except (ValueError, AttributeError, TypeError):
            raise AtcError("E10003", path, "modify_mixlist", "it is no JSON of black-list and white-list") from None
    return keep, mixlist


def _out_nodes(value: str) -> List[Tuple[str, int]]:
    outputs = []
    for item in filter(None, value.split(";")):
        name, _, index = item.rpartition(":")
        if not name or not re.fullmatch("[0-9]+", index):
            raise AtcError("E10001", item, "out_nodes", "The value must be formatted as [node_name1:0;node_name2:0]")
        outputs.append((name, int(index)))
    return outputs

"""The emulated ``atc``: a frozen graph of TensorFlow becomes the emulator's offline model.

Run as a process, ``bin/atc`` or ``python -m biggan_cli.emulator.atc``. As the real one it reports on stdout, exits
with 0 or 255, writes ``<output>.om``, and leaves ``fusion_result.json`` and ``kernel_meta`` in the working folder.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Dict, List, Tuple

from biggan_cli.emulator import VERSION, as_process, failures, flags, messages, offline_model
from biggan_cli.emulator.messages import AtcError
from biggan_cli.errors import StepFailed

FAILED = 255
_INFO = "============ Display Model Info {} ============"


def main(arguments: List[str]) -> int:
    """Run ``atc`` with these arguments; the exit code."""
    asked = failures.asked_of("atc")
    try:
        options = flags.parse(arguments)
    except flags.UnknownFlags as error:
        print(error, file=sys.stderr)
        print(messages.FAILURE)
        return FAILED
    if "help" in options:
        print("usage: atc --mode=0 --framework=3 --model=x.pb --output=x --soc_version=Ascend310 …")
        print("\n".join(f"  --{name}" for name in sorted(flags.KNOWN)))
        return 0
    print(messages.START)
    if "hang" in asked:
        failures.hang()
    if "crash" in asked:
        failures.die()
    try:
        if "inner" in asked:
            raise AtcError("E19999", "the failure that the test asked for")
        warnings = _run(options, arguments, asked)
    except AtcError as error:
        print(messages.FAILURE)
        print("\n".join(error.lines))
        return FAILED
    if "silent" not in asked:
        print(messages.SUCCESS)
    for name in warnings:
        print(messages.line_of("W11001", name))
    return 1 if "exit1" in asked else 0


def _run(options: Dict[str, str], arguments: List[str], asked) -> List[str]:
    """Names of the nodes that fell back to the AI CPU."""
    mode = options.get("mode", "0")
    if mode == "6":
        _display_file(options)
        return []
    if mode != "0":
        raise AtcError("E10055", f"[--mode] {mode} is not emulated; 0 and 6 are")
    plan = flags.check(options)
    model, warnings = build(plan, "atc " + " ".join(arguments))
    path = Path(options["output"] + (".om" if "suffix" not in asked else "_linux_x86_64.om"))
    if "no-file" not in asked:
        _write(path, model)
    if "truncate" in asked:
        os.truncate(str(path), path.stat().st_size // 2)
    _leave_side_files(options)
    if options.get("display_model_info") == "1":
        _display(model)
    return warnings


def build(plan: flags.Plan, command_line: str) -> Tuple[offline_model.OfflineModel, List[str]]:
    """The offline model, and the names of the nodes that no AI Core kernel computes.

    Raises:
        AtcError: the graph and the options do not fit.
    """
    from biggan_cli.emulator import arithmetic, graph  # with TensorFlow and NumPy: seconds

    checked = graph.check(graph.load(plan.options["model"]), plan)
    precision = arithmetic.precision_of(checked, plan)
    graph_def, sources = arithmetic.with_roundings(checked, precision)
    graph_def = graph.with_shapes(graph_def, plan.shapes.shapes)
    half = plan.options.get("input_fp16_nodes", "").split(";")
    inputs = []
    for name in checked.inputs:
        tensor = checked.graph.get_tensor_by_name(name + ":0")
        shape = plan.shapes.shapes.get(name, tensor.shape.as_list())
        inputs.append(offline_model.Tensor(name, "float16" if name in half else tensor.dtype.name, shape, name + ":0"))
    types = _output_types(plan.options.get("output_type", ""), checked.outputs)
    outputs = []
    for (name, index), source in sources.items():
        tensor = checked.graph.get_operation_by_name(name).outputs[index]
        dtype = types.get((name, index), tensor.dtype.name)
        source = source if ":" in source else source + ":0"
        outputs.append(offline_model.Tensor(f"{name}:{index}", dtype, _static(tensor), source))
    model = offline_model.OfflineModel(
        soc_version=plan.options["soc_version"],
        inputs=inputs,
        outputs=outputs,
        gears=plan.shapes.gears,
        precision=dict(mode=plan.precision_mode, nodes={name: list(how[:2]) for name, how in precision.items()}),
        options=plan.options,
        command_line=command_line,
        graph=graph_def.SerializeToString(),
    )
    return model, [name for name, how in precision.items() if how.on_ai_cpu]


def _static(tensor) -> List[int]:
    """The shape of an output at the largest gear."""
    if not tensor.shape.is_fully_defined():
        raise AtcError("E19999", f"the shape of [{tensor.name}] is not static: {tensor.shape}")
    return tensor.shape.as_list()


def _output_types(value: str, outputs: List[Tuple[str, int]]) -> Dict[Tuple[str, int], str]:
    """``FP16`` for all outputs, or ``node:0:FP16;…``; none keeps the dtype of the graph."""
    if value in flags.OUTPUT_TYPES:
        return dict.fromkeys(outputs, flags.OUTPUT_TYPES[value])
    types = {}
    for item in filter(None, value.split(";")):
        name, _, dtype = item.rpartition(":")
        known = {f"{node}:{index}": (node, index) for node, index in outputs}
        if dtype not in flags.OUTPUT_TYPES or name not in known:
            raise AtcError("E10001", item, "output_type", f"it is none of {', '.join(flags.OUTPUT_TYPES)} of an output")
        types[known[name]] = flags.OUTPUT_TYPES[dtype]
    return types


def _write(path: Path, model: offline_model.OfflineModel) -> None:
    try:
        offline_model.write(path, model)
    except OSError as error:
        raise AtcError("E10001", path, "output", error.strerror) from None


def _leave_side_files(options: Dict[str, str]) -> None:
    """What ``atc`` drops where it runs; a folder that cannot be written is no reason to fail."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.join(options.get("debug_dir", "."), "kernel_meta"), exist_ok=True)
        if options.get("export_compile_stat") != "0":
            passes = [dict(graph_fusion={}, session_and_graph_id="0_0", ub_fusion={})]
            Path("fusion_result.json").write_text(json.dumps(passes), encoding="utf-8")


def _display_file(options: Dict[str, str]) -> None:
    if not options.get("om"):
        raise AtcError("E10054", "om")
    try:
        model = offline_model.read(Path(options["om"]))
    except StepFailed as error:
        raise AtcError("E10003", options["om"], "om", error.message) from None
    _display(model)


def _display(model: offline_model.OfflineModel) -> None:
    size = len(model.graph)
    print(_INFO.format("start"))
    print(f"Original Atc command line: {model.command_line}")
    print(f"system info: atc_version[{VERSION}], soc_version[{model.soc_version}], framework_type[3]")
    print(f"resource info: memory_size[0 B], weight_size[{size} B], stream_num[1], event_num[0]")
    print(f"om info: modeldef_size[{size} B], weight_data_size[0 B], tbe_kernels_size[0 B]")
    print(_INFO.format("end"))


if __name__ == "__main__":
    as_process(main)

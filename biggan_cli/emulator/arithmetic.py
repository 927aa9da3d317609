"""The roundings of an Ascend310: which nodes compute in float16, and a graph that shows what comes of it on a CPU.

Emulated: a value that the chip holds as float16 is rounded to the nearest one (saturating at ±65504) where it is
made or where it is read; the cube unit gets its operands as float16 in every mode; weights are rounded once, when the
model is built; every mode of ``--precision_mode``, ``--keep_dtype`` and ``--modify_mixlist``; operators whose AI Core
kernel is float16 only; nodes that depend on no input are computed in float32 when the model is built. For ``+ - * /``
and square roots of float16 values, rounding the float32 result is exactly what a float16 unit gives.

Not emulated: the order in which the cube unit adds up (float32 here, as there), sums inside reductions and pooling
(float32 here), the chip's approximations of exp, 1/x and 1/sqrt (hence ``--op_select_implmode``), fusion of
operators, a Softmax in steps (one operator here, its result rounded), the layout NC1HWC0, overflow to infinity, and
speed. All chips are taken for an Ascend310. Gray operators of the mixed modes take float16 when all their inputs that
are no constants have it: CANN says only that they follow their predecessor.
"""

from typing import Dict, List, NamedTuple, Optional, Set

import numpy as np

from biggan_cli.deploy.operators import ASCEND310, GRAPH_ONLY, MATRIX, Kernels
from biggan_cli.emulator.flags import Plan
from biggan_cli.emulator.graph import SHAPES_OF_INPUTS, Checked, node_of
from biggan_cli.emulator.messages import AtcError
from biggan_cli.runtime.tf import tf

LARGEST = 65504.0
"""The largest finite float16."""

PASSES_VALUES_ON = GRAPH_ONLY | SHAPES_OF_INPUTS | {"Switch", "Merge", "NoOp", "PreventGradient", "CheckNumerics"}
_FLOATS = ("float32", "float16")
_BY_TYPE = "OpType::"
_NO_KERNEL_KNOWN = Kernels("", frozenset(), frozenset(_FLOATS))
"""An operator outside the tables: an AI CPU has kernels for most of TensorFlow's operators."""


class Precision(NamedTuple):
    """The dtypes of a node's float operands and results, and whether it runs on the AI CPU."""

    operands: str
    result: str
    on_ai_cpu: bool = False


def precision_of(checked: Checked, plan: Plan) -> Dict[str, Precision]:
    """Node → how it computes, for every node that has a kernel.

    Raises:
        AtcError: EZ3003, a node has no kernel for its dtypes; E10003, ``--keep_dtype`` names what is not there.
    """
    kept = _kept(checked.graph, plan)
    strict = plan.precision_mode == "must_keep_origin_dtype"
    carried: Dict[str, Optional[str]] = {}  # the dtype of a node's floats; None: it has none, or is constant
    found: Dict[str, Precision] = {}
    for operation in checked.graph.get_operations():
        before = [carried[tensor.op.name] for tensor in operation.inputs if carried[tensor.op.name]]
        floats = any(tensor.dtype == tf.float32 for tensor in operation.outputs)
        dtype = before[0] if before else "float32"
        if operation.name not in checked.folded and operation.type not in PASSES_VALUES_ON:
            keep = operation.name in kept
            wish = "float32" if keep else _wish(operation.type, plan, before)
            found[operation.name] = _kernel(operation, plan, wish, strict or keep)
            dtype = found[operation.name].result
        carried[operation.name] = dtype if floats and operation.name not in checked.folded else None
    return found


def _kept(graph, plan: Plan) -> Set[str]:
    """Names of the nodes that ``--keep_dtype`` names, itself or by ``OpType::<IR operator>``."""
    by_name: Dict[str, List[str]] = {}
    by_type: Dict[str, List[str]] = {}
    for operation in graph.get_operations():
        by_name[operation.name] = [operation.name]
        by_type.setdefault(ASCEND310.get(operation.type, _NO_KERNEL_KNOWN).ir, []).append(operation.name)
    kept: Set[str] = set()
    for line in plan.keep_dtype:
        found, key = (by_type, line[len(_BY_TYPE) :]) if line.startswith(_BY_TYPE) else (by_name, line)
        if key not in found:
            raise AtcError("E10003", plan.options["keep_dtype"], "keep_dtype", f"{line} is not in the model")
        kept.update(found[key])
    return kept


def _wish(operator: str, plan: Plan, before: List[str]) -> str:
    """The dtype that the mode wants for an operator's result."""
    if plan.precision_mode == "force_fp16":
        return "float16"
    if plan.precision_mode == "allow_fp32_to_fp16":
        return "float16" if operator in MATRIX else "float32"
    if plan.precision_mode == "allow_mix_precision":
        kernels = ASCEND310.get(operator, _NO_KERNEL_KNOWN)
        color = plan.mixlist.get(kernels.ir, kernels.color)
        if color == "gray":
            return "float16" if before and set(before) == {"float16"} else "float32"
        return dict(white="float16", black="float32")[color]
    return "float32"


def _kernel(operation, plan: Plan, wish: str, strict: bool) -> Precision:
    """The kernel that comes nearest to ``wish``; ``strict`` takes no other float dtype."""
    node = node_of(operation)
    on_chip = plan.options["soc_version"] == "Ascend310"
    kernels = ASCEND310.get(node.operator, _NO_KERNEL_KNOWN)
    others = set(node.dtypes) - set(_FLOATS)
    ints_off_core = not others <= kernels.core and node.operator in ASCEND310
    if on_chip and ints_off_core and not others <= kernels.cpu:
        raise AtcError("EZ3003", node.name, kernels.ir or node.operator)
    if not set(node.dtypes) & set(_FLOATS):
        return Precision("float32", "float32", on_chip and (ints_off_core or not kernels.core))
    if node.operator in MATRIX:
        return Precision("float16", wish)
    other = "float16" if wish == "float32" else "float32"
    order = [(wish, False), (other, False), (wish, True), (other, True)]
    for dtype, on_ai_cpu in order[::2] if strict else order:
        if dtype in (kernels.cpu if on_ai_cpu else kernels.core):
            return Precision(dtype, dtype, on_chip and (on_ai_cpu or ints_off_core))
    if on_chip:
        raise AtcError("EZ3003", node.name, kernels.ir or node.operator)
    return Precision(wish, wish)


def with_roundings(checked: Checked, precision: Dict[str, Precision]):
    """A GraphDef with the roundings, and output → the name of the tensor that holds its value.

    The placeholders and outputs keep their names and dtypes; shapes are those of ``checked.graph``.
    """
    writer = _Writer()
    for operation in checked.graph.get_operations():
        writer.copy(operation, precision.get(operation.name))
    tensors = {}
    for name, index in checked.outputs:
        tensor = checked.graph.get_operation_by_name(name).outputs[index]
        tensors[(name, index)] = writer.source(tensor, rounded=False)
    keep = [name.partition(":")[0] for name in tensors.values()] + checked.inputs
    return tf.graph_util.extract_sub_graph(writer.graph_def, keep), tensors


class _Writer:
    """Copies operations, inputs before what reads them, and adds the roundings between them.

    ``_values``: tensor → the one that holds its value, where that is rounded; ``_halves``: tensor → its value rounded.
    """

    def __init__(self):
        self.graph_def = tf.GraphDef()
        self._values: Dict[str, str] = {}
        self._halves: Dict[str, str] = {}
        self._largest = self._constant("emulated_float16/largest", np.float32(LARGEST))
        self._lowest = self._constant("emulated_float16/lowest", np.float32(-LARGEST))

    def copy(self, operation, precision: Optional[Precision]) -> None:
        """Add ``operation``, reading and giving what ``precision`` says; None: it passes values on as they are."""
        node = self.graph_def.node.add()
        node.CopyFrom(operation.node_def)
        floats = [tensor for tensor in operation.inputs if tensor.dtype == tf.float32]
        for number, tensor in enumerate(operation.inputs):
            rounded = precision is not None and precision.operands == "float16" and _lowered(operation, number)
            node.input[number] = self.source(tensor, rounded)
        for number, tensor in enumerate(operation.outputs):
            if tensor.dtype != tf.float32:
                continue
            if precision is None:
                if floats and all(self._is_half(source) for source in floats):
                    self._halves[tensor.name] = _input_name(tensor)
            elif precision.result == "float16" and _lowered(operation, number):
                self._values[tensor.name] = self._rounded(tensor)

    def source(self, tensor, rounded: bool) -> str:
        """The name of what holds ``tensor``'s value, as float16 has it where that is asked for."""
        if rounded and tensor.dtype == tf.float32:
            return self._rounded(tensor)
        return self._values.get(tensor.name, _input_name(tensor))

    def _is_half(self, tensor) -> bool:
        return self._halves.get(tensor.name) == self.source(tensor, rounded=False)

    def _rounded(self, tensor) -> str:
        if tensor.name not in self._halves:
            name = "emulated_float16/" + tensor.name.replace(":", "_")
            constant = tensor
            while constant.op.type in ("Identity", "StopGradient"):
                constant = constant.op.inputs[0]
            if constant.op.type == "Const":
                value = tf.make_ndarray(constant.op.node_def.attr["value"].tensor)
                self._halves[tensor.name] = self._constant(name, rounded_to_float16(value))
            else:
                self._halves[tensor.name] = self._rounding(name, _input_name(tensor))
        return self._halves[tensor.name]

    def _constant(self, name: str, value: np.ndarray) -> str:
        node = self.graph_def.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        return name

    def _rounding(self, name: str, source: str) -> str:
        """clip, float32 → float16 → float32: TensorFlow's Cast rounds to nearest, ties to even."""
        steps = (
            ("/below", "Minimum", (source, self._largest), dict(T=tf.float32)),
            ("/clipped", "Maximum", (name + "/below", self._lowest), dict(T=tf.float32)),
            ("/half", "Cast", (name + "/clipped",), dict(SrcT=tf.float32, DstT=tf.float16)),
            ("", "Cast", (name + "/half",), dict(SrcT=tf.float16, DstT=tf.float32)),
        )
        for suffix, operator, sources, dtypes in steps:
            node = self.graph_def.node.add(name=name + suffix, op=operator, input=sources)
            for attribute, dtype in dtypes.items():
                node.attr[attribute].type = dtype.as_datatype_enum
        return name


def rounded_to_float16(values: np.ndarray) -> np.ndarray:
    """float32 → the nearest float16, as float32, saturating at ±65504."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16).astype(np.float32)


def _lowered(operation, number: int) -> bool:
    """Whether an input or output can be float16: of a batch norm the pictures only, never scale, mean and variance."""
    return number == 0 or not operation.type.startswith("FusedBatchNorm")


def _input_name(tensor) -> str:
    """As a NodeDef names it: without ``:0``."""
    return tensor.name[:-2] if tensor.name.endswith(":0") else tensor.name

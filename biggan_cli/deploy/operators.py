"""Which TensorFlow operators ``atc`` takes, and what an Ascend310 computes them on.

Sources: CANN 8.1's list of TensorFlow operators (``npu_supported_ops.json``, shipped in ``resources``), and its tables
of AI Core kernels (``aic-ascend310-ops-info.json``) and AI CPU kernels (``aicpu_kernel.json``, ``tf_kernel.json``).
"""

import json
from pathlib import Path
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Tuple

RESOURCES = Path(__file__).parent / "resources"

FLOATS = frozenset(("float16", "float32"))
_CORE = FLOATS | {"int32"}
_ALL = _CORE | {"int8", "uint8", "int64", "bool"}
_INTS_TOO = _CORE | {"int8", "uint8", "int64"}


class Kernels(NamedTuple):
    """What computes an operator on an Ascend310.

    ``core``: dtypes of its AI Core kernel. ``cpu``: dtypes for which it can fall back to the slow AI CPU.
    ``ir``: its name in CANN, which ``--modify-mixlist`` and messages use. ``color``: white, gray or black list of the
    mixed precision modes.
    """

    ir: str
    core: FrozenSet[str]
    cpu: FrozenSet[str] = frozenset()
    color: str = "gray"


GRAPH_ONLY = frozenset(
    ("Placeholder", "PlaceholderWithDefault", "Const", "Identity", "Reshape", "Squeeze", "ExpandDims", "Shape")
) | {"StopGradient"}
"""Operators without a kernel: they describe the graph, or are settled when the model is built."""

MATRIX = frozenset(("MatMul", "BatchMatMul", "BatchMatMulV2", "Conv2D", "Conv2DBackpropInput"))
"""Operators of the cube unit: operands float16, sums float32; there is no float32 multiplication of matrices."""

_HALF = frozenset(("float16",))

ASCEND310: Dict[str, Kernels] = {
    "MatMul": Kernels("MatMulV2", FLOATS, _CORE, "white"),
    "BatchMatMul": Kernels("BatchMatMul", FLOATS, _CORE, "white"),
    "BatchMatMulV2": Kernels("BatchMatMulV2", FLOATS, _CORE, "white"),
    "Conv2D": Kernels("Conv2D", FLOATS, color="white"),
    "Conv2DBackpropInput": Kernels("Conv2DBackpropInputD", FLOATS, color="white"),
    "BiasAdd": Kernels("BiasAdd", _CORE, _INTS_TOO),
    "Add": Kernels("Add", _CORE, _INTS_TOO),
    "AddV2": Kernels("AddV2", _CORE, _INTS_TOO),
    "Sub": Kernels("Sub", _CORE, _INTS_TOO),
    "Mul": Kernels("Mul", _CORE, _INTS_TOO),
    "Square": Kernels("Square", _CORE, _INTS_TOO),
    "SquaredDifference": Kernels("SquaredDifference", _CORE, _INTS_TOO),
    "Maximum": Kernels("Maximum", _CORE | {"int8"}, _CORE | {"int64"}),
    "Minimum": Kernels("Minimum", _CORE | {"int8"}, _CORE | {"int64"}),
    "RealDiv": Kernels("RealDiv", FLOATS, _INTS_TOO),
    "Rsqrt": Kernels("Rsqrt", FLOATS, FLOATS),
    "Sqrt": Kernels("Sqrt", FLOATS, FLOATS),
    "Tanh": Kernels("Tanh", FLOATS, FLOATS),
    "Sigmoid": Kernels("Sigmoid", FLOATS, FLOATS),
    "Exp": Kernels("Exp", _HALF, FLOATS),
    "Relu": Kernels("Relu", _CORE | {"int8"}, _INTS_TOO),
    "Softmax": Kernels("SoftmaxV2", FLOATS, FLOATS),
    "Transpose": Kernels("TransposeD", _ALL, _ALL),
    "ConcatV2": Kernels("ConcatD", _ALL, _ALL),
    "Split": Kernels("SplitD", _ALL, _ALL),
    "SplitV": Kernels("SplitVD", _ALL, _ALL),
    "StridedSlice": Kernels("StridedSlice", _ALL, _ALL),
    "Slice": Kernels("Slice", _ALL, _ALL),
    "OneHot": Kernels("OneHot", _CORE, _INTS_TOO),
    "Gather": Kernels("Gather", _ALL, _ALL),
    "GatherV2": Kernels("GatherV2", _ALL, _ALL),
    "ResizeNearestNeighbor": Kernels("ResizeNearestNeighborV2D", FLOATS, _INTS_TOO),
    "AvgPool": Kernels("AvgPool", _HALF | {"int8"}, FLOATS),
    "MaxPool": Kernels("MaxPool", _HALF, FLOATS),
    "Cast": Kernels("Cast", _CORE | {"int8", "uint8", "bool"}, _ALL),
    "Pack": Kernels("Pack", _ALL, _ALL),
    "Unpack": Kernels("Unpack", _ALL, _ALL),
    "Mean": Kernels("ReduceMeanD", FLOATS, _INTS_TOO, "black"),
    "Sum": Kernels("ReduceSumD", FLOATS, _INTS_TOO),
    "FusedBatchNormV3": Kernels("BatchNorm", FLOATS, FLOATS),
    "DepthToSpace": Kernels("DepthToSpace", _ALL, _ALL),
    "SpaceToDepth": Kernels("SpaceToDepth", _ALL, _ALL),
    "Tile": Kernels("TileD", _CORE | {"bool"}, _ALL),
    "Pad": Kernels("PadD", _CORE | {"int64"}, _ALL),
    "Fill": Kernels("Fill", frozenset(), _ALL),
    "Range": Kernels("Range", frozenset(), _INTS_TOO),
}


class Node(NamedTuple):
    """A node of a graph: its name, its operator and the dtypes that it computes with."""

    name: str
    operator: str
    dtypes: Tuple[str, ...]


def operators_of_atc() -> FrozenSet[str]:
    """Every TensorFlow operator that CANN 8.1 has a parser for."""
    return frozenset(json.loads((RESOURCES / "tf_operators_8.1.json").read_text(encoding="utf-8")))


def unknown_to_atc(nodes: Iterable[Node]) -> List[Node]:
    """The nodes that ``atc`` would refuse (E19010)."""
    known = operators_of_atc()
    return [node for node in nodes if node.operator not in known]


def off_the_ai_core(nodes: Iterable[Node]) -> List[Node]:
    """The nodes that an Ascend310 has no AI Core kernel for, in the default precision mode (float32 as float16).

    They run on the AI CPU where that has a kernel, see :data:`ASCEND310`, and fail to build where it has none.
    """
    found = []
    for node in nodes:
        if node.operator not in GRAPH_ONLY:
            core = ASCEND310[node.operator].core if node.operator in ASCEND310 else frozenset()
            if not {"float16" if dtype == "float32" else dtype for dtype in node.dtypes} <= core:
                found.append(node)
    return found

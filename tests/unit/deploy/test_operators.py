"""The operators that atc knows, and what an Ascend310 has AI Core kernels for."""

import re

import pytest

from biggan_cli.deploy.operators import (
    ASCEND310,
    GRAPH_ONLY,
    MATRIX,
    Node,
    off_the_ai_core,
    operators_of_atc,
    unknown_to_atc,
)

# What the documentation of CANN's list says is in it, and what is not.
LISTED = re.findall(
    r"\w+",
    """
    Placeholder Const Identity MatMul BatchMatMul BatchMatMulV2 Conv2D Conv2DBackpropInput BiasAdd Add AddV2 Sub Mul
    RealDiv Rsqrt Sqrt Square SquaredDifference Maximum Relu Tanh Sigmoid Softmax Reshape Transpose ConcatV2 Split
    SplitV StridedSlice Slice OneHot Gather GatherV2 ResizeNearestNeighbor ResizeBilinear AvgPool MaxPool Cast Pack
    Unpack Shape Mean Sum FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 DepthToSpace SpaceToDepth ExpandDims Squeeze
    Tile Pad Switch Merge Fill Range Exp AddN StopGradient PlaceholderWithDefault
    """,
)
ABSENT = re.findall(
    r"\w+",
    """
    SaveV2 RestoreV2 ScalarSummary ImageSummary HistogramSummary MergeSummary _FusedConv2D _FusedMatMul
    _FusedBatchNormEx RefIdentity PyFunc IteratorV2 IteratorGetNext FakeParam StatelessRandomUniform
    StatelessRandomNormal XlaLaunch Conv2DBackpropInputV2 CudnnRNN
    """,
)


def node(operator, *dtypes):
    return Node("name", operator, dtypes)


def test_the_list_is_that_of_cann_8_1():
    known = operators_of_atc()
    assert len(known) == 966
    assert set(LISTED) - known == set()
    assert set(ABSENT) & known == set()
    assert [name for name in known if name.startswith("_Fused")] == []


def test_what_atc_would_refuse():
    nodes = [node("Conv2D", "float32"), Node("save", "SaveV2", ()), Node("fused", "_FusedConv2D", ("float32",))]
    assert unknown_to_atc(nodes) == nodes[1:]
    assert unknown_to_atc(nodes[:1]) == []


def test_what_has_kernels_is_known_to_atc():
    assert set(ASCEND310) | GRAPH_ONLY | MATRIX <= operators_of_atc()
    assert set(ASCEND310) >= MATRIX and not GRAPH_ONLY & set(ASCEND310)


@pytest.mark.parametrize(
    "found",
    (
        node("Conv2D", "float32"),
        node("OneHot", "float32"),
        node("OneHot", "float32", "int32"),
        node("SplitV", "float32", "int32"),
        node("AvgPool", "float32"),  # computed in float16, as everything is by default
        node("MaxPool", "float32"),
        node("Exp", "float32"),
        node("AvgPool", "float16"),
        node("Transpose", "int64"),
        node("Tile", "bool"),
    ),
    ids=str,
)
def test_what_runs_on_the_ai_core(found):
    assert off_the_ai_core([found]) == []


@pytest.mark.parametrize(
    "found",
    (
        node("OneHot", "int64"),  # labels of int64
        node("OneHot", "float32", "int64"),
        node("MatMul", "int32"),
        node("AddV2", "int64"),
        node("Conv2D", "float64"),
        node("AvgPool", "int32"),
        node("Exp", "int32"),
        node("Fill", "float32"),
        node("Range", "int32"),
        node("Tile", "int64"),
        node("Einsum", "float32"),
        node("SaveV2", "float32"),
    ),
    ids=str,
)
def test_what_falls_to_the_ai_cpu_or_cannot_be_built(found):
    others = [node("Relu", "float32"), node("Tanh", "float32")]
    assert off_the_ai_core([others[0], found, others[1]]) == [found]


@pytest.mark.parametrize("operator", sorted(GRAPH_ONLY))
def test_what_only_describes_the_graph_needs_no_kernel(operator):
    assert off_the_ai_core([node(operator, "int64"), node(operator, "string"), node(operator)]) == []


def test_float16_is_the_only_float_of_three_operators():
    only = {name for name, kernels in ASCEND310.items() if "float16" in kernels.core and "float32" not in kernels.core}
    assert only == {"AvgPool", "MaxPool", "Exp"}


def test_the_colors_of_mixed_precision():
    colors = {color: {name for name, k in ASCEND310.items() if k.color == color} for color in ("white", "black")}
    assert colors == {"white": MATRIX, "black": {"Mean"}}
    assert {kernels.color for kernels in ASCEND310.values()} == {"white", "black", "gray"}


def test_convolutions_have_no_kernel_on_the_ai_cpu():
    assert not ASCEND310["Conv2D"].cpu and not ASCEND310["Conv2DBackpropInput"].cpu
    assert "int64" in ASCEND310["OneHot"].cpu

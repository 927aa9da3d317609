"""The graph that ``atc`` is given: reading it, and the checks of names and operators."""

from typing import Dict, List, NamedTuple, Set, Tuple

from biggan_cli.deploy.operators import Node, unknown_to_atc
from biggan_cli.emulator.flags import Plan
from biggan_cli.emulator.messages import AtcError
from biggan_cli.emulator.shapes import Shapes
from biggan_cli.runtime.tf import tf

_COMPUTES_WITH = ("T", "TI", "SrcT", "DstT", "Tparams", "dtype")
"""Attributes that name a dtype of the values; the others (Tidx, Tperm, Tshape …) are of axes and sizes."""
SHAPES_OF_INPUTS = frozenset(("Shape", "ShapeN", "Size", "Rank"))


class Checked(NamedTuple):
    """The part of a graph that the outputs need, placeholders with their shapes (the largest gear) filled in."""

    graph_def: object
    graph: object
    inputs: List[str]
    outputs: List[Tuple[str, int]]
    folded: Set[str]


def load(path: str):
    """The GraphDef in a file.

    Raises:
        AtcError: E10041, it is none; E12009, an input of a node is missing.
    """
    graph_def = tf.GraphDef()
    try:
        with open(path, "rb") as file:
            graph_def.ParseFromString(file.read())
    except Exception:  # protobuf's DecodeError, which has no door of its own
        raise AtcError("E10041", path) from None
    if not graph_def.node or not all(node.name and node.op for node in graph_def.node):
        raise AtcError("E10041", path)
    names = {node.name for node in graph_def.node}
    for node in graph_def.node:
        for source in node.input:
            if _name_of(source) not in names:
                raise AtcError("E12009", node.name, _name_of(source))
    return graph_def


def check(graph_def, plan: Plan) -> Checked:
    """Names, shapes and operators, in ``atc``'s order.

    Raises:
        AtcError: the first thing that is wrong.
    """
    nodes = {node.name: node for node in graph_def.node}
    _check_inputs(nodes, plan)
    for name, _ in plan.out_nodes:
        if name not in nodes:
            raise AtcError("E10016", name, "out_nodes")
    outputs = plan.out_nodes or [(name, 0) for name in _leaves(graph_def)]
    needed = tf.graph_util.extract_sub_graph(graph_def, [name for name, _ in outputs])
    inputs = _inputs(needed, plan.shapes)
    unknown = unknown_to_atc(Node(node.name, node.op, ()) for node in needed.node)
    if unknown:
        raise AtcError("E19010", unknown[0].name, unknown[0].operator)
    graph = _import(needed, plan.shapes.largest)
    for name, index in outputs:
        count = len(graph.get_operation_by_name(name).outputs)
        if index >= count:
            reason = f"the node has {count} outputs"
            raise AtcError("E10003", f"{name}:{index}", "out_nodes", reason)
    folded = _folded(graph)
    _check_branches(graph, folded)
    return Checked(needed, graph, inputs, outputs, folded)


def with_shapes(graph_def, shapes: Dict[str, List[int]]):
    """A copy whose placeholders have these shapes; -1 is open."""
    copy = tf.GraphDef()
    copy.CopyFrom(graph_def)
    for node in copy.node:
        if node.name in shapes:
            node.attr["shape"].shape.CopyFrom(
                tf.TensorShape([size if size > 0 else None for size in shapes[node.name]]).as_proto()
            )
        for stale in ("_class", "_output_shapes"):
            if stale in node.attr:
                del node.attr[stale]
    return copy


def node_of(operation) -> Node:
    """What the tables of operators want to know of a ``tf.Operation``."""
    dtypes = []
    for attribute in _COMPUTES_WITH:
        if attribute in operation.node_def.attr:
            dtypes.append(tf.as_dtype(operation.node_def.attr[attribute].type).name)
    return Node(operation.name, operation.type, tuple(dtypes))


def _name_of(source: str) -> str:
    return source.lstrip("^").partition(":")[0]


def _check_inputs(nodes, plan: Plan) -> None:
    half = list(filter(None, plan.options.get("input_fp16_nodes", "").split(";")))
    for flag, names in (("input_shape", plan.shapes.shapes), ("input_fp16_nodes", half)):
        for name in names:
            if name not in nodes:
                raise AtcError("E10016", name, flag)
            if nodes[name].op != "Placeholder":
                raise AtcError("E10017", name, flag)


def _leaves(graph_def) -> List[str]:
    read = {_name_of(source) for node in graph_def.node for source in node.input}
    return [node.name for node in graph_def.node if node.name not in read and node.op not in ("Const", "NoOp")]


def _inputs(graph_def, shapes: Shapes) -> List[str]:
    """Names of the placeholders: those of ``--input_shape`` in its order, then the others in the graph's."""
    placeholders = {node.name: node for node in graph_def.node if node.op == "Placeholder"}
    if shapes.gears and set(placeholders) - set(shapes.shapes):
        missing = ";".join(sorted(set(placeholders) - set(shapes.shapes)))
        raise AtcError("E10001", missing, "input_shape", "[--dynamic_batch_size] needs the shape of every input")
    for name, node in placeholders.items():
        shape = node.attr["shape"].shape
        sizes = [dim.size for dim in shape.dim]
        unknown = "shape" not in node.attr or shape.unknown_rank
        if name not in shapes.shapes and (unknown or any(size < 0 for size in sizes)):
            reason = (
                "The shapes of inputs contain -1 in the model. You may need to set input shape to specify its shape."
            )
            raise AtcError("E10001", "-1", f"Inputs {name}", reason)
        if name in shapes.shapes and not unknown and sizes and len(sizes) != len(shapes.shapes[name]):
            raise AtcError("E19999", f"the shape of [{name}] has {len(sizes)} dimensions in the model")
    given = [name for name in shapes.shapes if name in placeholders]
    return given + [name for name in placeholders if name not in shapes.shapes]


def _import(graph_def, shapes: Dict[str, List[int]]):
    graph = tf.Graph()
    with graph.as_default():
        try:
            tf.import_graph_def(with_shapes(graph_def, shapes), name="")
        except ValueError as error:
            raise AtcError("E19999", str(error).splitlines()[0]) from None
    return graph


def _folded(graph) -> Set[str]:
    """Operations that depend on no input: ``atc`` computes them when it builds the model."""
    folded = set()
    for operation in graph.get_operations():
        constant_inputs = operation.inputs and all(tensor.op.name in folded for tensor in operation.inputs)
        of_static_shape = operation.type in SHAPES_OF_INPUTS and operation.inputs[0].shape.is_fully_defined()
        if operation.type == "Const" or constant_inputs or of_static_shape:
            folded.add(operation.name)
    return folded


def _check_branches(graph, folded: Set[str]) -> None:
    """A branch with a constant predicate is settled when the model is built; no other can be."""
    for operation in graph.get_operations():
        if operation.type in ("Switch", "RefSwitch") and operation.inputs[1].op.name not in folded:
            raise AtcError("EZ3003", operation.name, operation.type)

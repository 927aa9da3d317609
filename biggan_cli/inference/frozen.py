"""The generator as a frozen graph: built for inference, constants only, the same bytes whichever TensorFlow writes it.

``z`` float32 [N, z_dim] and ``y`` int32 [N, 1] → ``output`` float32 [N, R, R, 3] in [-1, 1], the reference's contract.
"""

from typing import Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.deploy.operators import Node
from biggan_cli.deploy.spec import GraphSpec
from biggan_cli.errors import StepFailed
from biggan_cli.inference.sampler import filled
from biggan_cli.inference.weights import Moments, with_moments_folded
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf
from biggan_cli.settings import DRAW_BATCH

INPUTS, OUTPUT = ("z", "y"), "output"

_PRODUCER = 134
"""The version of graphs that TensorFlow 1.15 writes; what it does not know is not in ours."""

_ATTRIBUTES = {
    "AddV2": "T",
    "AvgPool": "T data_format ksize padding strides",
    "BatchMatMulV2": "T adj_x adj_y",
    "BiasAdd": "T data_format",
    "ConcatV2": "N T Tidx",
    "Const": "dtype value",
    "Conv2D": "T data_format dilations explicit_paddings padding strides use_cudnn_on_gpu",
    "DepthToSpace": "T block_size data_format",
    "Identity": "T",
    "MatMul": "T transpose_a transpose_b",
    "Mul": "T",
    "OneHot": "T TI axis",
    "Pad": "T Tpaddings",
    "Placeholder": "dtype shape",
    "Relu": "T",
    "Reshape": "T Tshape",
    "ResizeNearestNeighbor": "T align_corners half_pixel_centers",
    "Softmax": "T",
    "SplitV": "T Tlen num_split",
    "Tanh": "T",
}
"""The operators that a frozen generator may have, with the attributes that TensorFlow 1.15 knows of them."""


def frozen_generator(
    folded: Mapping[str, np.ndarray], moments: Moments, model: ModelConfig, batch: Optional[int], fused: bool
):
    """The GraphDef of a generator.

    What depends on neither ``z`` nor ``y``, such as the kernels of the fused resampling, is computed now.

    Args:
        folded: weights with the spectral norm in them, see :func:`folded_generator`.
        moments: batch norm name → (mean, variance).
        batch: fixes N; None leaves it free.
    """
    weights = {**folded, **with_moments_folded(folded, moments)}
    with tf.Graph().as_default() as graph:
        z = tf.placeholder(tf.float32, [batch, model.z_dim], name="z")
        y = tf.placeholder(tf.int32, [batch, 1], name="y")
        constants = {name: tf.constant(value, name=name) for name, value in weights.items()}
        embedding = class_embedding(constants, tf.reshape(y, [-1]), model)
        tf.identity(generator(constants, z, embedding, model, lambda x, name: None, fused), name=OUTPUT)
        with open_session(graph, "cpu") as session:
            return _with_constants_folded(graph, session)


def _with_constants_folded(graph, session):
    """The graph between the placeholders and the output, where everything else has become a constant."""
    needed = _needed_for(graph.get_operation_by_name(OUTPUT))
    varying = set()
    for operation in graph.get_operations():  # in an order in which inputs come first
        if operation.type == "Placeholder" or any(tensor.op in varying for tensor in operation.inputs):
            varying.add(operation)
    kept = [operation for operation in graph.get_operations() if operation in varying and operation in needed]
    fixed = {tensor.name: tensor for operation in kept for tensor in operation.inputs if tensor.op not in varying}
    values = session.run(fixed)
    folded = tf.GraphDef()
    folded.versions.producer = _PRODUCER
    same: Dict[Tuple, str] = {}  # paddings, axes and shapes come again and again
    names = {}
    for name in sorted(values):
        value = values[name]
        names[name] = same.setdefault((value.dtype.str, value.shape, value.tobytes()), _input_name(fixed[name]))
        if names[name] == _input_name(fixed[name]):
            node = folded.node.add(name=names[name], op="Const")
            node.attr["dtype"].type = fixed[name].dtype.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    for operation in kept:
        node = folded.node.add(name=operation.name, op=operation.type)
        node.input.extend(names.get(tensor.name) or _input_name(tensor) for tensor in operation.inputs)
        for attribute in _ATTRIBUTES[operation.type].split():
            if attribute in operation.node_def.attr:
                node.attr[attribute].CopyFrom(operation.node_def.attr[attribute])
    return folded


def _needed_for(output) -> set:
    needed, todo = set(), [output]
    while todo:
        operation = todo.pop()
        if operation not in needed:
            needed.add(operation)
            todo.extend(tensor.op for tensor in operation.inputs)
    return needed


def _input_name(tensor) -> str:
    """``name``, or ``name:1`` for what is not the first output."""
    return tensor.op.name if tensor.value_index == 0 else f"{tensor.op.name}:{tensor.value_index}"


def nodes_of(graph_def) -> List[Node]:
    """Every node with the dtypes that it computes with."""
    nodes = []
    for node in graph_def.node:
        enums = {value.type for name, value in node.attr.items() if name in ("T", "dtype") and value.type}
        nodes.append(Node(node.name, node.op, tuple(sorted(tf.DType(enum).name for enum in enums))))
    return nodes


def read_graph(path):
    """A GraphDef from a file.

    Raises:
        StepFailed: the file is cut off, or is no GraphDef.
    """
    graph_def = tf.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        if not graph_def.node:
            raise ValueError("it has no nodes")
    except Exception as error:  # the class depends on protobuf's version
        raise StepFailed(f"{path} is cut off, or is not a frozen graph", hint="biggan freeze makes one") from error
    return graph_def


class FrozenGenerator:
    """A frozen graph in a session: pictures of latents, a batch at a time. A context manager."""

    def __init__(self, graph_def, spec: GraphSpec, device: str = "cpu"):
        self._batch = spec.batch or DRAW_BATCH
        self._graph = tf.Graph()
        with self._graph.as_default():
            try:
                tf.import_graph_def(graph_def, name="")
                self._tensors = [self._graph.get_tensor_by_name(tensor.name + ":0") for tensor in spec.inputs]
                self._output = self._graph.get_tensor_by_name(spec.output.name + ":0")
            except (KeyError, ValueError, tf.errors.OpError) as error:
                raise StepFailed(f"{spec.graph} does not fit its specification: {error}") from error
        self._session = open_session(self._graph, device)

    def __enter__(self) -> "FrozenGenerator":
        return self

    def __exit__(self, *exception) -> None:
        self._session.close()

    def images(self, z: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
        """Pictures of latents [N, z_dim] and classes [N], batch by batch: float32 [n, R, R, 3] in [-1, 1]."""
        for start in range(0, len(z), self._batch):
            part = slice(start, start + self._batch)
            values = (filled(z[part], self._batch), filled(y[part].reshape(-1, 1), self._batch))
            feed: Dict = dict(zip(self._tensors, values))
            yield self._session.run(self._output, feed)[: len(z[part])]

"""A stand-in for the Inception graph of 2015-12-05, whose 96 MB of weights cannot be fetched where tests run.

The names, operations and topology of ``classify_image_graph_def.pb``, with random weights from a seed: what computes
scores can be shown to be *equal* to another implementation with the same weights. It says nothing about pictures.

The topology was put together from public descriptions of that graph: torch-fidelity's table of its names, and the
shapes, strides and paddings in its and pytorch-fid's network. NumPy alone makes the weights; TensorFlow is loaded for
graphs only.
"""

import hashlib
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from biggan_cli.runtime.tf import tf

FEATURES, CLASSES, SIZE = 2048, 1008, 299
SEED = 2015


class Conv(NamedTuple):
    """Convolution without bias, batch norm, ReLU."""

    name: str
    source: str
    height: int
    width: int
    inputs: int
    outputs: int
    stride: int
    padding: str


class Pool(NamedTuple):
    name: str
    source: str
    kind: str
    size: int
    stride: int
    padding: str


class Join(NamedTuple):
    name: str
    sources: List[str]


Layer = Union[Conv, Pool, Join]

# Block → its branches: folder and steps. 1x7x192: a convolution, 1 high and 7 wide, of 192 channels; max, avg: a pool
# of 3x3; /2: stride 2; v: no padding; a|b: both of the step before, and both joined. Kind and number are their names.
_BLOCKS_35 = {
    name: [
        ("", "1x1x64"),
        ("tower", "1x1x48 5x5x64"),
        ("tower_1", "1x1x64 3x3x96 3x3x96"),
        ("tower_2", f"avg 1x1x{last}"),
    ]
    for name, last in (("mixed", 32), ("mixed_1", 64), ("mixed_2", 64))
}
_BLOCKS_17 = {
    name: [
        ("", "1x1x192"),
        ("tower", f"1x1x{c} 1x7x{c} 7x1x192"),
        ("tower_1", f"1x1x{c} 7x1x{c} 1x7x{c} 7x1x{c} 1x7x192"),
        ("tower_2", "avg 1x1x192"),
    ]
    for name, c in (("mixed_4", 128), ("mixed_5", 160), ("mixed_6", 160), ("mixed_7", 192))
}
_BLOCKS_8 = {
    name: [
        ("", "1x1x320"),
        ("tower", "1x1x384 1x3x384|3x1x384"),
        ("tower_1", "1x1x448 3x3x384 1x3x384|3x1x384"),
        ("tower_2", f"{pool} 1x1x192"),
    ]
    for name, pool in (("mixed_9", "avg"), ("mixed_10", "max"))
}
_BLOCKS = {
    "": [("", "3x3x32/2v 3x3x32v 3x3x64 max/2v 1x1x80v 3x3x192v max/2v")],
    **_BLOCKS_35,
    "mixed_3": [("", "3x3x384/2v"), ("tower", "1x1x64 3x3x96 3x3x96/2v"), ("", "max/2v")],
    **_BLOCKS_17,
    "mixed_8": [("tower", "1x1x192 3x3x320/2v"), ("tower_1", "1x1x192 1x7x192 7x1x192 3x3x192/2v"), ("", "max/2v")],
    **_BLOCKS_8,
}
_STEP = re.compile(r"(?:(?P<height>\d+)x(?P<width>\d+)x(?P<outputs>\d+)|(?P<kind>max|avg))(?P<half>/2)?(?P<valid>v)?")

_LAST = "pool_3"
TINY = [
    Conv("conv", "Mul", 37, 37, 3, 64, 37, "VALID"),
    Conv("conv_1", "conv", 1, 1, 64, FEATURES, 1, "SAME"),
    Pool(_LAST, "conv_1", "avg", 8, 1, "VALID"),
]
"""Instead of ``layers()``: the same interface, about 400 images a second."""


def layers() -> List[Layer]:
    """The whole network, from ``Mul`` to ``pool_3``: 94 convolutions, 14 pools, 11 joins."""
    made: List[Layer] = []
    source, channels = "Mul", {"Mul": 3}
    for block, branches in _BLOCKS.items():
        ends = []
        for folder, steps in branches:
            ends += _branch("/".join(filter(None, (block, folder))), steps, source, channels, made)
        if block:
            made.append(Join(block + "/join", ends))
            channels[made[-1].name] = sum(channels[end] for end in ends)
        source = made[-1].name
    return [*made, Pool(_LAST, source, "avg", 8, 1, "VALID")]


def weights(network: Optional[List[Layer]] = None, seed: int = SEED) -> Dict[str, np.ndarray]:
    """Every float constant of the graph by name, the scaling of the input included; the same floats in every NumPy.

    Filters sum to zero: after 40 layers of ReLU, plain random ones give every picture the same features but for a
    factor. The bias of the logits is large, to be missed or noticed.
    """
    random = np.random.RandomState(seed)
    values = {"Sub/y": np.float32(128), "Mul/y": np.float32(1 / 128)}
    for layer in layers() if network is None else network:
        if isinstance(layer, Conv):
            shape = (layer.height, layer.width, layer.inputs, layer.outputs)
            filters = random.standard_normal(shape)
            filters -= filters.mean(axis=(0, 1, 2), keepdims=True)
            # Var[relu(N(0, 1))] = (1 - 1/π) / 2
            values[layer.name + "/conv2d_params"] = _float32(filters / np.sqrt(0.3408 * np.prod(shape[:-1])))
            norm = layer.name + "/batchnorm/"
            values[norm + "beta"] = _float32(0.2 * random.standard_normal(layer.outputs))
            values[norm + "gamma"] = np.ones(layer.outputs, np.float32)
            values[norm + "moving_mean"] = _float32(0.1 * random.standard_normal(layer.outputs))
            values[norm + "moving_variance"] = _float32(random.uniform(0.5, 1.5, layer.outputs))
    matrix = random.standard_normal((FEATURES, CLASSES))
    matrix -= matrix.mean(axis=0, keepdims=True)
    values["softmax/weights"] = _float32(matrix * 4.0 / np.sqrt(FEATURES))
    values["softmax/biases"] = _float32(2.0 * random.standard_normal(CLASSES))
    return values


def weights_digest(values: Dict[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes and floats: that of a graph's bytes depends on protobuf's version."""
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        digest.update(name.encode() + repr(np.shape(value)).encode() + np.ascontiguousarray(value, "<f4").tobytes())
    return digest.hexdigest()


def full_graph(
    values: Optional[Dict[str, np.ndarray]] = None, *, last_pool: str = "max", epsilon: float = 0.001, **resize: bool
):
    """The whole network as a GraphDef of 96 MB, about 10 images a second.

    What is not the default is a deviation, which a comparison has to notice.

    Args:
        values: of ``weights()``, which is called where they are not given.
        last_pool: max or avg, of ``mixed_10``.
        epsilon: of the batch norms.
        resize: attributes of ``ResizeBilinear``; 2015 had none.
    """
    network = [layer._replace(kind=last_pool) if layer.name == "mixed_10/tower_2/pool" else layer for layer in layers()]
    return _graph(network, weights() if values is None else values, epsilon, resize)


def tiny_graph(bias_seed: Optional[int] = None):
    """``TINY`` as a GraphDef of 10 MB; ``bias_seed`` changes the bias of the logits and nothing else."""
    values = weights(TINY, seed=7)
    if bias_seed is not None:
        values["softmax/biases"] = _float32(2.0 * np.random.RandomState(bias_seed).standard_normal(CLASSES))
    return _graph(TINY, values)


def weights_of(graph) -> Dict[str, np.ndarray]:
    """Every float constant of a GraphDef by name."""
    return {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in graph.node
        if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum
    }


def blobs(count: int, seed: int) -> np.ndarray:
    """uint8 [count, 32, 32, 3]: up to five soft spots and a wave on one colour; more begin with the same ones."""
    random = np.random.RandomState(seed)
    x = (np.arange(32) / 31.0)[None, :, None]
    y = x.transpose(1, 0, 2)
    pictures = np.empty((count, 32, 32, 3))
    for picture in pictures:
        picture[:] = random.uniform(0, 255, 3)
        for _ in range(random.randint(1, 6)):
            left, top = random.uniform(-0.1, 1.1, 2)
            radius, colour = random.uniform(0.03, 0.35), random.uniform(-220, 220, 3)
            picture += np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * radius * radius)) * colour
        across, down = random.uniform(0, 9, 2)
        picture += random.uniform(0, 60) * np.sin(2 * np.pi * (across * x + down * y))
    return np.clip(np.round(pictures), 0, 255).astype(np.uint8)


def _branch(scope: str, steps: str, source: str, channels: Dict[str, int], made: List[Layer]) -> List[str]:
    """Append a branch to ``made``, and to ``channels`` how many each layer has; returns the names of its ends."""
    numbers = {"conv": 0, "pool": 0}
    for step in steps.split():
        ends = []
        for fork in step.split("|"):
            parts = _STEP.fullmatch(fork)
            kind = "pool" if parts["kind"] else "conv"
            folder, number = (scope + "/mixed", len(ends)) if "|" in step else (scope, numbers[kind])
            name = "/".join(filter(None, (folder, f"{kind}_{number}" if number else kind)))
            stride, padding = 2 if parts["half"] else 1, "VALID" if parts["valid"] else "SAME"
            if parts["kind"]:
                made.append(Pool(name, source, parts["kind"], 3, stride, padding))
                channels[name] = channels[source]
            else:
                height, width, channels[name] = (int(parts[size]) for size in ("height", "width", "outputs"))
                made.append(Conv(name, source, height, width, channels[source], channels[name], stride, padding))
            numbers[kind] += 1
            ends.append(name)
        source = ends[-1]
    return ends


def _graph(network: List[Layer], values: Dict[str, np.ndarray], epsilon: float = 0.001, resize=()):
    graph = tf.GraphDef()
    graph.versions.producer = 8  # from 9 on, BatchNormWithGlobalNormalization is refused
    constants = {
        "DecodeJpeg/contents": b"",
        "ExpandDims/dim": np.int32(0),
        "ResizeBilinear/size": np.int32([SIZE, SIZE]),
        "pool_3/_reshape/shape": np.int32([1, FEATURES]),
        **{layer.name + "/concat_dim": np.int32(3) for layer in network if isinstance(layer, Join)},
        **values,
    }
    for operation, name, inputs, attributes in _nodes(network, epsilon, dict(resize)):
        for source in inputs:
            if source in constants:
                tensor = tf.make_tensor_proto(constants[source])
                attr = dict(dtype=tf.AttrValue(type=tensor.dtype), value=tf.AttrValue(tensor=tensor))
                graph.node.add(op="Const", name=source, attr=attr)
        attr = {key: _attribute(value) for key, value in attributes.items()}
        graph.node.add(op=operation, name=name, input=inputs, attr=attr)
    return graph


def _nodes(network: List[Layer], epsilon: float, resize: Dict[str, bool]) -> Iterator[Tuple[str, str, List[str], Dict]]:
    """(operation, name, inputs, attributes) of everything but constants."""
    t = dict(T=tf.float32)
    yield "DecodeJpeg", "DecodeJpeg", ["DecodeJpeg/contents"], dict(channels=3)
    yield "Cast", "Cast", ["DecodeJpeg"], dict(SrcT=tf.uint8, DstT=tf.float32)
    yield "ExpandDims", "ExpandDims", ["Cast", "ExpandDims/dim"], t
    yield "ResizeBilinear", "ResizeBilinear", ["ExpandDims", "ResizeBilinear/size"], dict(t, **resize)
    yield "Sub", "Sub", ["ResizeBilinear", "Sub/y"], t
    yield "Mul", "Mul", ["Sub", "Mul/y"], t
    for layer in network:
        name = layer.name
        if isinstance(layer, Join):
            yield "Concat", name, [name + "/concat_dim", *layer.sources], dict(t, N=len(layer.sources))
            continue
        window = dict(strides=[1, layer.stride, layer.stride, 1], padding=layer.padding)
        if isinstance(layer, Conv):
            norm = name + "/batchnorm"
            statistics = [f"{norm}/{part}" for part in ("moving_mean", "moving_variance", "beta", "gamma")]
            kinds = dict(t, variance_epsilon=epsilon, scale_after_normalization=False)
            yield "Conv2D", name + "/Conv2D", [layer.source, name + "/conv2d_params"], dict(t, **window)
            yield "BatchNormWithGlobalNormalization", norm, [name + "/Conv2D", *statistics], kinds
            yield from _checked(name, norm)
            yield "Relu", name, [name + "/control_dependency"], t
        elif layer.kind == "max":  # in 2015 without T
            yield from _checked(name, layer.source)
            yield "MaxPool", name, [name + "/control_dependency"], dict(window, ksize=[1, layer.size, layer.size, 1])
        else:
            yield "AvgPool", name, [layer.source], dict(t, ksize=[1, layer.size, layer.size, 1], **window)
    yield "Reshape", "pool_3/_reshape", [_LAST, "pool_3/_reshape/shape"], t
    yield "MatMul", "softmax/logits/MatMul", ["pool_3/_reshape", "softmax/weights"], t
    yield "BiasAdd", "softmax/logits", ["softmax/logits/MatMul", "softmax/biases"], t
    yield "Softmax", "softmax", ["softmax/logits"], t


def _checked(scope: str, source: str) -> Iterator[Tuple[str, str, List[str], Dict]]:
    """The check for NaN that the original has before every activation."""
    check = scope + "/CheckNumerics"
    yield "CheckNumerics", check, [source], dict(T=tf.float32, message="stand-in")
    yield "Identity", scope + "/control_dependency", [source, "^" + check], dict(T=tf.float32)


def _attribute(value):
    if isinstance(value, tf.DType):
        return tf.AttrValue(type=value.as_datatype_enum)
    if isinstance(value, list):
        return tf.AttrValue(list=tf.AttrValue.ListValue(i=value))
    if isinstance(value, str):
        return tf.AttrValue(s=value.encode())
    return tf.AttrValue(**{{bool: "b", int: "i", float: "f"}[type(value)]: value})


def _float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32)

"""Features and logits of the Inception network of 2015-12-05, whose numbers Inception Score, FID and KID are.

The graph resizes by itself, as its time's ``ResizeBilinear`` did, and takes any size: pictures go in as they are.
"""

import hashlib
from typing import Any, Dict, Tuple

import numpy as np

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.runtime.device import open_session, release_memory
from biggan_cli.runtime.tf import assign_values, tf

NAME = "inception"
FEATURES = 2048
_INPUT, _FEATURES, _LOGITS = "ExpandDims", "pool_3", "softmax/logits/MatMul"
_PART = 8
"""Pictures at a time: as fast as any on a CPU, and each takes 17 MB."""
_FIX = "--inception with classify_image_graph_def.pb of inception-2015-12-05.tgz"
_LARGE = 1000
"""Bytes from which on a constant is a weight."""


class Inception:
    """The graph in a ``tf.Graph`` and a session of its own. A context manager.

    Of its own, because importing it makes TensorFlow treat the whole ``tf.Graph`` as one of 2015.

    Args:
        graph: the serialized GraphDef.
        label: what errors call it.

    Raises:
        StepFailed: it is cut off, or is no GraphDef.
        UsageError: it is another network.
    """

    name = NAME
    resolution = None
    """The only size of pictures that it takes; None: it takes any."""

    def __init__(self, graph: bytes, label: str, device: str = "cpu"):
        self.sha256 = hashlib.sha256(graph).hexdigest()
        weights, rest = _apart(_parsed(graph, label))
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._images = tf.placeholder(tf.float32, [None, None, None, 3])
            variables = {
                name: tf.get_variable(
                    f"weights/{name}", value.shape, tf.float32, tf.zeros_initializer(), use_resource=True
                )
                for name, value in weights.items()
            }
            replaced = {name + ":0": variable.read_value() for name, variable in variables.items()}
            replaced[_INPUT + ":0"] = self._images  # its own has a batch of 1
            try:
                features, product = tf.import_graph_def(rest, replaced, [_FEATURES + ":0", _LOGITS], name="")
            except (ValueError, tf.errors.OpError) as error:
                raise StepFailed(f"{label} cannot be loaded: {error}") from error
            width = product.inputs[1].shape.as_list()[0]
            if width != FEATURES:
                raise UsageError(f"{label} has {width} features, not {FEATURES}: it is another network", fix=_FIX)
            self._features = tf.squeeze(features, [1, 2])
            self._logits = tf.matmul(self._features, product.inputs[1])  # the score is defined without the bias
        self._session = open_session(self._graph, device, exact=True)
        while weights:  # each is let go of as soon as TensorFlow has it
            assign_values(self._session, variables, dict([weights.popitem()]))

    def __enter__(self) -> "Inception":
        return self

    def __exit__(self, *exception) -> None:
        self._session.close()
        self._session = self._graph = None
        release_memory()

    def features_and_logits(self, images_u8: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """uint8 [N, H, W, 3], RGB → features float32 [N, 2048] and logits float32 [N, 1008]."""
        parts = [
            self._session.run([self._features, self._logits], {self._images: images_u8[start : start + _PART]})
            for start in range(0, len(images_u8), _PART)
        ]
        features, logits = zip(*parts)
        return np.concatenate(features), np.concatenate(logits)


def _apart(definition) -> Tuple[Dict[str, np.ndarray], Any]:
    """The large constants by name, and the graph without them.

    As variables they are in memory once. As constants TensorFlow keeps several copies of them: a gigabyte in all.
    """
    weights: Dict[str, np.ndarray] = {}
    rest = tf.GraphDef()
    rest.versions.CopyFrom(definition.versions)
    for node in definition.node:
        is_float = node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum
        if is_float and node.ByteSize() > _LARGE:
            weights[node.name] = tf.make_ndarray(node.attr["value"].tensor)
        else:
            rest.node.add().CopyFrom(node)
    return weights, rest


def _parsed(graph: bytes, label: str):
    definition = tf.GraphDef()
    try:
        definition.ParseFromString(graph)
        if not definition.node:
            raise ValueError("it has no nodes")
    except Exception as error:  # the class depends on protobuf's version
        raise StepFailed(f"{label} is cut off, or is not a TensorFlow graph") from error
    lacking = [name for name in (_INPUT, _FEATURES, _LOGITS) if name not in {node.name for node in definition.node}]
    if lacking:
        raise UsageError(
            f"{label} has no node {', '.join(lacking)}: it is another network",
            hint="TF-GAN's inceptionv1_for_inception_score.pb is one: its pictures must come resized",
            fix=_FIX,
        )
    return definition

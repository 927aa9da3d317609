"""The digit classifier that is shipped: does a picture show the digit it should?

A small convolutional network trained once on the 4,500 training digits (``make_digit_classifier.py``) and
frozen. Its numbers are its own: never compare them with those of an Inception network.
"""

from pathlib import Path
from typing import Tuple

import numpy as np

from biggan_cli.data.formats.digits import RESOURCES
from biggan_cli.files import sha256
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf

NAME = "digits"
GRAPH = RESOURCES / "digit_classifier.pb"
_BATCH = 250


class DigitClassifier:
    """The network in a session. A context manager."""

    name = NAME
    resolution = 32
    """The only size of pictures that it takes."""

    def __init__(self, graph_file: Path = GRAPH):
        self.sha256 = sha256(graph_file)
        graph = tf.Graph()
        with graph.as_default():
            definition = tf.GraphDef()
            definition.ParseFromString(graph_file.read_bytes())
            tf.import_graph_def(definition, name="")
        self._session = open_session(graph, "cpu")

    def __enter__(self) -> "DigitClassifier":
        return self

    def __exit__(self, *exception) -> None:
        self._session.close()

    def features_and_logits(self, images_u8: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """uint8 [N, 32, 32, 3] → features float32 [N, 64] and logits float32 [N, 10] of the digits 0 to 9.

        Raises:
            ValueError: pictures of another shape or type.
        """
        size = self.resolution
        if images_u8.shape[1:] != (size, size, 3) or images_u8.dtype != np.uint8:
            raise ValueError(
                f"the digit classifier takes uint8 (N, 32, 32, 3), not {images_u8.dtype} {images_u8.shape}"
            )
        parts = [
            self._session.run(["features:0", "logits:0"], {"images:0": images_u8[start : start + _BATCH]})
            for start in range(0, len(images_u8), _BATCH)
        ]
        features, logits = zip(*parts)
        return np.concatenate(features), np.concatenate(logits)


def features_and_logits(images_u8: np.ndarray, graph_file: Path = GRAPH) -> Tuple[np.ndarray, np.ndarray]:
    """:meth:`DigitClassifier.features_and_logits` in a session for this call."""
    with DigitClassifier(graph_file) as classifier:
        return classifier.features_and_logits(images_u8)


def recognized_share(images_u8: np.ndarray, labels: np.ndarray, graph_file: Path = GRAPH) -> float:
    """The share of pictures whose most likely digit is their label."""
    return float(np.mean(features_and_logits(images_u8, graph_file)[1].argmax(axis=1) == labels))

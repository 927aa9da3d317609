"""Trains and freezes ``digit_classifier.pb``: ``python -m biggan_cli.metrics.make_digit_classifier [FILE]``.

About two minutes on two cores. Only the 4,500 training digits are seen, each time moved, turned, scaled and
sheared a little; the 500 held out measure it. Run once; the result is shipped.
"""

import sys
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
from scipy import ndimage

from biggan_cli.data import datasets, images
from biggan_cli.metrics.digit_classifier import GRAPH, recognized_share
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf

SHAPES = dict(conv1=(5, 5, 1, 16), conv2=(3, 3, 16, 32), conv3=(3, 3, 32, 48), dense=(768, 64), digits=(64, 10))
STEPS = 5000
BATCH = 64
KEEP = 0.7
"""Dropout before the last layer keeps this share of the features."""


def network(weights: Dict, pictures, mask) -> Tuple:
    """Features [N, 64] and logits [N, 10] of float pictures [N, 32, 32, 3] in [-1, 1]; the mask drops features."""
    x = tf.reduce_mean(pictures, axis=3, keepdims=True)
    for name in ("conv1", "conv2", "conv3"):
        x = tf.nn.relu(tf.nn.conv2d(x, weights[name + "/w"], [1, 2, 2, 1], "SAME") + weights[name + "/b"])
    x = tf.nn.relu(tf.matmul(tf.reshape(x, [-1, 768]), weights["dense/w"]) + weights["dense/b"])
    features = tf.identity(x, name="features")
    return features, tf.add(tf.matmul(features * mask, weights["digits/w"]), weights["digits/b"], name="logits")


def train(pictures: np.ndarray, labels: np.ndarray, seed: int = 0) -> Dict[str, np.ndarray]:
    """The weights after ``STEPS`` steps of Adam with a rate that falls to zero."""
    random = np.random.RandomState(seed)
    graph = tf.Graph()
    with graph.as_default():
        weights = {name: _variable(name, value) for name, value in _initial(random).items()}
        x = tf.placeholder(tf.float32, [None, 32, 32, 3])
        y = tf.placeholder(tf.int32, [None])
        mask = tf.placeholder(tf.float32, [None, 64])
        rate = tf.placeholder(tf.float32, [])
        logits = network(weights, x, mask)[1]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        update = tf.train.AdamOptimizer(rate).minimize(loss, var_list=list(weights.values()))
        initialize = tf.global_variables_initializer()
    with open_session(graph, "cpu") as session:
        session.run(initialize)
        for step in range(STEPS):
            chosen = random.randint(0, len(labels), BATCH)
            moved = np.stack([_moved(picture, random) for picture in pictures[chosen, :, :, 0]])
            feed = {
                x: np.repeat(moved[..., None], 3, axis=-1),
                y: labels[chosen],
                mask: (random.random_sample((BATCH, 64)) < KEEP) / KEEP,
                rate: 2e-3 * (1 - step / STEPS),
            }
            session.run(update, feed)
        return session.run(weights)


def freeze(weights: Dict[str, np.ndarray], path: Path) -> None:
    """Write the network with constant weights: ``images`` uint8 in, ``features`` and ``logits`` out."""
    graph = tf.Graph()
    with graph.as_default():
        pictures = tf.placeholder(tf.uint8, [None, 32, 32, 3], name="images")
        network(
            {name: tf.constant(value) for name, value in weights.items()},
            tf.cast(pictures, tf.float32) / 127.5 - 1.0,
            1.0,
        )
    path.write_bytes(graph.as_graph_def().SerializeToString())


def _initial(random: np.random.RandomState) -> Dict[str, np.ndarray]:
    values = {}
    for name, shape in SHAPES.items():
        scale = np.sqrt(2.0 / np.prod(shape[:-1]))
        values[name + "/w"] = (random.standard_normal(shape) * scale).astype(np.float32)
        values[name + "/b"] = np.zeros(shape[-1], np.float32)
    return values


def _variable(name: str, value: np.ndarray):
    return tf.get_variable(name, initializer=value, use_resource=True)


def _moved(picture: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """A picture [32, 32] in [-1, 1] turned by up to 12 degrees, scaled and sheared by a tenth, moved by 2 px."""
    angle = np.deg2rad(random.uniform(-12, 12))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, random.uniform(-0.1, 0.1)], [0.0, 1.0]])
    matrix = turn.dot(shear) / random.uniform(0.9, 1.1, 2)
    offset = 15.5 - matrix.dot([15.5, 15.5]) + random.uniform(-2, 2, 2)
    return ndimage.affine_transform(picture, matrix, offset, order=1, mode="constant", cval=-1.0)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else GRAPH
    digits = datasets.load("digits", 32)
    freeze(train(images.from_uint8(digits.images), digits.labels), path)
    print(f"{path}: {path.stat().st_size} bytes")
    print(f"recognized of the held out: {recognized_share(digits.held_out_images, digits.held_out_labels, path):.3f}")


if __name__ == "__main__":
    main()

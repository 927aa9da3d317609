"""The discriminator: image and class to a logit, for every resolution by one table."""

from typing import Mapping

from biggan_cli.config import ModelConfig
from biggan_cli.model import layers
from biggan_cli.model.architecture import DISCRIMINATORS
from biggan_cli.runtime.tf import tf


def discriminator(weights: Mapping, images, y, config: ModelConfig, fused: bool = True, dtype=None):
    """Logits of images being real, with the class by projection (Miyato and Koyama 2018, arXiv:1802.05637).

    Args:
        weights: name → tensor for every name of ``discriminator_weights``, spectral norm already applied.
        images: float32 [N, resolution, resolution, 3] in [-1, 1].
        y: int32 [N] in [0, num_classes).
        fused: resample inside the convolutions.
        dtype: of the pictures between the layers; None: float32.

    Returns:
        float32 [N, 1]; larger means more real.
    """
    table = DISCRIMINATORS[config.resolution]
    x = tf.cast(images, dtype or tf.float32)
    for number, halves in enumerate(table.halves, start=1):
        block = f"discriminator/block{number}"
        h = x if number == 1 and not config.relu_on_image else tf.nn.relu(x)
        h = tf.nn.relu(layers.conv(h, weights[block + "/conv1/w"], weights[block + "/conv1/b"]))
        last = layers.conv if not halves else lambda x, w, b: layers.conv_downsample(x, w, b, fused)
        h = last(h, weights[block + "/conv2/w"], weights[block + "/conv2/b"])
        x = h + _shortcut(x, weights[block + "/shortcut/w"], weights[block + "/shortcut/b"], halves, fused)
        if number == table.attention:
            x = layers.self_attention(x, weights, "discriminator/attention", fused)
    features = tf.reduce_sum(tf.cast(tf.nn.relu(x), tf.float32), axis=[1, 2])
    embedding = tf.matmul(tf.one_hot(y, config.num_classes, dtype=tf.float32), weights["discriminator/projection/w"])
    projection = tf.reduce_sum(embedding * features, axis=1, keepdims=True)
    logit = layers.dense(features, weights["discriminator/dense/w"], weights["discriminator/dense/b"])
    return projection + logit


def _shortcut(x, w, b, halves: bool, fused: bool):
    """A 1x1 convolution and averaging; they commute, and the small side is cheaper."""
    if not halves:
        return layers.conv(x, w, b)
    if fused:
        return layers.conv(layers.downsample(x), w, b)
    return layers.downsample(layers.conv(x, w, b))

"""The layers of both networks as functions of tensors. NHWC.

Weights are float32; a layer computes in the type of its input, which is float32 too but in mixed precision.
"""

from typing import Tuple

from biggan_cli.model.architecture import Weight
from biggan_cli.runtime.tf import tf

BATCH_NORM_EPSILON = 1e-5
NORM_EPSILON = 1e-12


def dense(x, w, b):
    """[N, in] @ [in, out] + [out] → [N, out]."""
    return _biased(tf.matmul(x, tf.cast(w, x.dtype)), b)


def conv(x, w, b):
    """Convolution with stride 1 that keeps height and width: [N, H, W, in], [k, k, in, out] → [N, H, W, out]."""
    return _biased(tf.nn.conv2d(x, tf.cast(w, x.dtype), strides=[1, 1, 1, 1], padding="SAME"), b)


def _biased(x, b):
    return tf.nn.bias_add(x, tf.cast(b, x.dtype))


def upsample(x):
    """Nearest neighbour, twice as high and wide."""
    _, height, width, _ = x.shape.as_list()
    return tf.image.resize_nearest_neighbor(x, [2 * height, 2 * width])


def downsample(x):
    """Average of 2x2 places, half as high and wide."""
    return tf.nn.avg_pool2d(x, ksize=2, strides=2, padding="VALID")


def upsample_conv(x, w, b, fused: bool):
    """``conv(upsample(x), w, b)`` for a 3x3 kernel; fused, four 2x2 convolutions of the small picture.

    The four places of the result that share an input see four of its neighbours each: two rows and two columns of the
    kernel fall on the same one and are summed beforehand. 16 multiplications instead of 36, the same function, borders
    included: zero padding of the upsampled picture is zero padding of the picture.
    """
    if not fused:
        return conv(upsample(x), w, b)
    parts = []
    for lower, rows in enumerate(_halves(w, axis=0)):
        for right, kernel in enumerate(_halves(rows, axis=1)):
            padded = tf.pad(x, [[0, 0], [1 - lower, lower], [1 - right, right], [0, 0]])
            parts.append(tf.nn.conv2d(padded, tf.cast(kernel, x.dtype), strides=[1, 1, 1, 1], padding="VALID"))
    return _biased(tf.nn.depth_to_space(tf.concat(parts, axis=3), 2), b)


def _halves(w, axis: int):
    """The 2 taps of a kernel of 3 along ``axis`` for the first and for the second place under an input."""
    a, b, c = tf.unstack(w, num=3, axis=axis)
    return tf.stack([a, b + c], axis=axis), tf.stack([a + b, c], axis=axis)


def conv_downsample(x, w, b, fused: bool):
    """``downsample(conv(x, w, b))`` for a 3x3 kernel; fused, one 4x4 convolution with stride 2.

    Its kernel is the mean of the four shifted 3x3 kernels: 16 multiplications for a place of the result instead of 36.
    """
    if not fused:
        return downsample(conv(x, w, b))
    kernel = 0.25 * _shifted_sum(_shifted_sum(w, 0), 1)
    return _biased(tf.nn.conv2d(x, tf.cast(kernel, x.dtype), strides=[1, 2, 2, 1], padding="SAME"), b)


def _shifted_sum(w, axis: int):
    """A kernel of 3 taps along ``axis`` plus the same kernel one place further: 4 taps."""
    a, b, c = tf.unstack(w, num=3, axis=axis)
    return tf.stack([a, a + b, b + c, c], axis=axis)


def batch_normalization(x, moments, gain, bias):
    """(x - mean) / sqrt(variance + eps) * gain + bias; gain and bias [C] or, conditional, [N, C]."""
    mean, variance = moments
    scale = gain * tf.rsqrt(variance + BATCH_NORM_EPSILON)
    return affine(x, scale, bias - mean * scale)


def affine(x, scale, shift):
    """x * scale + shift for [N, H, W, C]; scale and shift [C] or, conditional, [N, C]."""
    if scale.shape.ndims == 2:
        channels = scale.shape.as_list()[1]
        scale, shift = tf.reshape(scale, [-1, 1, 1, channels]), tf.reshape(shift, [-1, 1, 1, channels])
    return x * scale + shift


def self_attention(x, weights, name: str, fused: bool):
    """Non-local block (Zhang et al. 2019, arXiv:1805.08318): x + scale * attention(x), [N, H, W, C].

    Queries theta come from each place, keys phi and values g from the average of 2x2 places. ``fused`` takes
    the averages before the 1x1 convolutions, which is the same function at a quarter of the multiplications.
    """
    _, height, width, channels = x.shape.as_list()

    def conv1x1(features, part):
        return conv(features, weights[f"{name}/{part}/w"], weights[f"{name}/{part}/b"])

    def pooled(part):
        return conv1x1(downsample(x), part) if fused else downsample(conv1x1(x, part))

    theta = tf.reshape(conv1x1(x, "theta"), [-1, height * width, channels // 8])
    phi = tf.reshape(pooled("phi"), [-1, height * width // 4, channels // 8])
    g = tf.reshape(pooled("g"), [-1, height * width // 4, channels // 2])
    scores = tf.cast(tf.matmul(theta, phi, transpose_b=True), tf.float32)
    attention = tf.cast(tf.nn.softmax(scores), x.dtype)
    attended = tf.reshape(tf.matmul(attention, g), [-1, height, width, channels // 2])
    return x + tf.cast(weights[name + "/scale"], x.dtype) * conv1x1(attended, "output")


def as_matrix(w, weight: Weight):
    """The weight as [inputs, outputs], the matrix whose largest singular value spectral norm divides by."""
    if weight.output_axis == 0:
        return tf.transpose(w)
    return tf.reshape(w, [-1, weight.shape[-1]])


def power_iteration(w, u, weight: Weight) -> Tuple:
    """One power iteration from ``u`` [1, outputs]: the next u and v [1, inputs], both without gradient.

    Source: Miyato et al. 2018 (arXiv:1802.05957), algorithm 1.
    """
    matrix = as_matrix(w, weight)
    v = tf.nn.l2_normalize(tf.matmul(u, matrix, transpose_b=True), epsilon=NORM_EPSILON)
    next_u = tf.nn.l2_normalize(tf.matmul(v, matrix), epsilon=NORM_EPSILON)
    return tf.stop_gradient(next_u), tf.stop_gradient(v)


def spectral_norm(w, u, v, weight: Weight) -> Tuple:
    """w / sigma and the scalar sigma = v w uᵀ; the gradient flows through w in sigma, not through u and v."""
    sigma = tf.reshape(tf.matmul(tf.matmul(v, as_matrix(w, weight)), u, transpose_b=True), [])
    return w / sigma, sigma

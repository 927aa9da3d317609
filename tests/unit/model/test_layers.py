"""Layers against independent computations in NumPy and SciPy, and the fused resampling against the plain form."""

import numpy as np
import pytest
from scipy import signal

from biggan_cli.model import layers
from biggan_cli.model.architecture import Weight
from biggan_cli.runtime.tf import tf

SIDES = (4, 7, 8)
TOLERANCE = 1e-5


def evaluate(build, *arrays):
    """What ``build`` makes of constants, as arrays."""
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(build(*[tf.constant(array) for array in arrays]))


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def correlated(x, w):
    """'SAME' convolution with stride 1 by SciPy, in float64."""
    out = np.zeros((*x.shape[:3], w.shape[3]))
    for n in range(x.shape[0]):
        for i in range(w.shape[2]):
            for o in range(w.shape[3]):
                out[n, :, :, o] += signal.correlate2d(
                    x[n, :, :, i].astype(np.float64), w[:, :, i, o].astype(np.float64), mode="same"
                )
    return out


def with_gradients(layer, fused):
    """The layer's result and the gradients of a fixed weighted sum of it, to x, w and b."""

    def build(x, w, b):
        y = layer(x, w, b, fused)
        size = y.shape.num_elements()
        weighted = tf.reduce_sum(y * tf.reshape(tf.constant(normal(size, seed=9)), y.shape))
        return [y, *tf.gradients(weighted, [x, w, b])]

    return build


@pytest.mark.parametrize("side", (4, 6, 8))
@pytest.mark.parametrize("layer", (layers.upsample_conv, layers.conv_downsample))
def test_fused_resampling_is_the_plain_form_gradients_too(layer, side):
    arrays = normal(2, side, side, 3), normal(3, 3, 3, 5, seed=1), normal(5, seed=2)
    plain = evaluate(with_gradients(layer, False), *arrays)
    fused = evaluate(with_gradients(layer, True), *arrays)
    for ours, theirs in zip(fused, plain):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize("fused", (True, False))
def test_resampled_convolutions_against_scipy(fused):
    x, w, b = normal(2, 6, 6, 3), normal(3, 3, 3, 4, seed=1), normal(4, seed=2)
    up = evaluate(lambda x, w, b: layers.upsample_conv(x, w, b, fused), x, w, b)
    np.testing.assert_allclose(up, correlated(x.repeat(2, 1).repeat(2, 2), w) + b, atol=1e-4)
    down = evaluate(lambda x, w, b: layers.conv_downsample(x, w, b, fused), x, w, b)
    whole = correlated(x, w) + b
    np.testing.assert_allclose(down, whole.reshape(2, 3, 2, 3, 2, 4).mean((2, 4)), atol=1e-4)


@pytest.mark.parametrize("fused", (True, False))
def test_fused_resampling_takes_any_batch(fused):
    """The batch may be unknown when the graph is built."""
    x, w, b = normal(3, 4, 4, 2), normal(3, 3, 2, 2), normal(2)
    with tf.Graph().as_default(), tf.Session() as session:
        open_x = tf.placeholder(tf.float32, [None, 4, 4, 2])
        y = layers.upsample_conv(open_x, tf.constant(w), tf.constant(b), fused)
        assert y.shape.as_list() == [None, 8, 8, 2]
        assert session.run(y, {open_x: x}).shape == (3, 8, 8, 2)


@pytest.mark.parametrize(
    "weight", (Weight((3, 3, 4, 6), output_axis=3), Weight((9, 5), output_axis=1), Weight((4, 7), output_axis=0))
)
def test_spectral_norm(weight):
    w = normal(*weight.shape)
    matrix = (w.T if weight.output_axis == 0 else w.reshape(-1, weight.shape[-1])).astype(np.float64)
    u = normal(1, weight.shape[weight.output_axis], seed=3)

    def iterate(times):
        def build(w, u):
            for _ in range(times):
                u, v = layers.power_iteration(w, u, weight)
            return layers.spectral_norm(w, u, v, weight)[0], u

        return evaluate(build, w, u)

    v = u @ matrix.T / np.linalg.norm(u @ matrix.T)
    next_u = v @ matrix / np.linalg.norm(v @ matrix)
    one, u_after = iterate(1)
    np.testing.assert_allclose(one, w / (v @ matrix @ next_u.T).item(), rtol=1e-5)
    np.testing.assert_allclose(u_after, next_u, atol=1e-6)
    many, _ = iterate(200)
    np.testing.assert_allclose(many, w / np.linalg.svd(matrix, compute_uv=False)[0], rtol=1e-4)


def test_no_gradient_through_the_power_iteration():
    """d(w / sigma) with u and v held: (g - <g, w / sigma> v uᵀ) / sigma, and nothing to the stored u."""
    weight = Weight((5, 3), output_axis=1)
    w, u, g = normal(5, 3), normal(1, 3, seed=1), normal(5, 3, seed=2)

    def build(w, u, g):
        next_u, v = layers.power_iteration(w, u, weight)
        gradient, to_u = tf.gradients(layers.spectral_norm(w, next_u, v, weight)[0], [w, u], grad_ys=[g])
        assert to_u is None
        return gradient, next_u, v

    gradient, u, v = evaluate(build, w, u, g)
    sigma = (v @ w @ u.T).item()
    np.testing.assert_allclose(gradient, (g - np.sum(g * w) / sigma * (v.T @ u)) / sigma, atol=1e-5)


def test_batch_normalization_plain_and_conditional():
    x = normal(6, 4, 4, 3) * 2 + 1
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    normalized = (x - mean) / np.sqrt(variance + layers.BATCH_NORM_EPSILON)
    for gain, bias in ((normal(3), normal(3, seed=1)), (normal(6, 3), normal(6, 3, seed=1))):
        ours = evaluate(
            lambda x, m, v, g, b: layers.batch_normalization(x, (m, v), g, b), x, mean, variance, gain, bias
        )
        if gain.ndim == 2:
            gain, bias = gain[:, None, None], bias[:, None, None]
        np.testing.assert_allclose(ours, normalized * gain + bias, atol=1e-5)


@pytest.mark.parametrize("fused", (True, False))
def test_self_attention(fused):
    x = normal(2, 4, 4, 16)
    shapes = dict(theta=(1, 1, 16, 2), phi=(1, 1, 16, 2), g=(1, 1, 16, 8), output=(1, 1, 8, 16))
    weights = {f"a/{part}/w": normal(*shape, seed=i) for i, (part, shape) in enumerate(shapes.items())}
    weights.update({f"a/{part}/b": normal(shape[-1], seed=9) for part, shape in shapes.items()})
    weights["a/scale"] = np.float32(0.7)
    names = list(weights)
    ours = evaluate(
        lambda x, *arrays: layers.self_attention(x, dict(zip(names, arrays)), "a", fused),
        x,
        *[weights[name] for name in names],
    )

    def conv1x1(x, part):
        return np.einsum("nhwi,io->nhwo", x, weights[f"a/{part}/w"][0, 0]) + weights[f"a/{part}/b"]

    def pooled(x):
        return x.reshape(2, 2, 2, 2, 2, -1).mean((2, 4)).reshape(2, 4, -1)

    scores = np.einsum("npc,nqc->npq", conv1x1(x, "theta").reshape(2, 16, 2), pooled(conv1x1(x, "phi")))
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    attended = np.einsum("npq,nqc->npc", shares, pooled(conv1x1(x, "g"))).reshape(2, 4, 4, 8)
    # Scores of up to 50 have roundings of 4e-6, which the exponential makes relative ones of shares; outputs reach 10.
    np.testing.assert_allclose(ours, x + 0.7 * conv1x1(attended, "output"), atol=5e-5)

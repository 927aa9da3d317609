"""The Inception network as scores use it, on a small graph with the interface of the one of 2015."""

import numpy as np
import pytest

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.metrics.inception import Inception
from biggan_cli.runtime.tf import tf
from tests.fakes.inception import CLASSES, FEATURES, SIZE, blobs, tiny_graph, weights_of

IMAGES = blobs(100, seed=4)
ROUNDING = 2e-6  # of the largest value: sums are cut differently, depending on the batch


@pytest.fixture(scope="module")
def graph():
    return tiny_graph()


@pytest.fixture(scope="module")
def inception(graph):
    with Inception(graph.SerializeToString(), "tiny.pb") as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(inception):
    """Features and logits of all images, as one batch."""
    return inception.features_and_logits(IMAGES)


def run_plainly(graph, fetch, images):
    """A tensor of the graph with nothing done to it but letting any batch in."""
    with tf.Graph().as_default() as own:
        given = tf.placeholder(tf.float32, [None, None, None, 3])
        tf.import_graph_def(graph, {"ExpandDims:0": given}, name="")
    with tf.Session(graph=own) as session:
        return session.run(fetch, {given: images})


def resized_as_in_2015(images):
    """uint8 [N, H, W, 3] → float32 [N, 299, 299, 3]; a pixel comes from its number times the scale, edges repeated."""

    def weighed(size):
        at = np.arange(SIZE, dtype=np.float32) * np.float32(size / SIZE)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, size - 1), at - low.astype(np.float32)

    top, bottom, down = weighed(images.shape[1])
    left, right, across = weighed(images.shape[2])
    across, down = across[:, None], down[:, None, None]
    x = images.astype(np.float32)
    upper, lower = (
        x[:, row][:, :, left] + (x[:, row][:, :, right] - x[:, row][:, :, left]) * across for row in (top, bottom)
    )
    return upper + (lower - upper) * down


def assert_same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ROUNDING * np.abs(wanted).max())


def without_nodes(graph, *names):
    other = tf.GraphDef()
    other.CopyFrom(graph)
    del other.node[:]
    other.node.extend(node for node in graph.node if node.name not in names)
    return other


def test_pictures_go_in_as_they_are(graph, whole):
    features, logits = whole
    assert features.dtype == logits.dtype == np.float32
    assert features.shape == (100, FEATURES) and logits.shape == (100, CLASSES)
    assert_same(features, run_plainly(graph, "pool_3:0", IMAGES)[:, 0, 0])
    assert features.std(axis=0).mean() > 0.1  # or nothing could be told from them


@pytest.mark.parametrize("batch", (1, 7))
def test_the_batch_does_not_matter(inception, whole, batch):
    """100 is no multiple of 7: the last batch is a smaller one."""
    parts = [inception.features_and_logits(IMAGES[start : start + batch]) for start in range(0, 100, batch)]
    for found, wanted in zip(map(np.concatenate, zip(*parts)), whole):
        assert_same(found, wanted)


def test_floats_are_the_same_pictures(inception, whole):
    for found, wanted in zip(inception.features_and_logits(IMAGES.astype(np.float32)), whole):
        np.testing.assert_array_equal(found, wanted)


def test_other_sizes(inception, graph):
    images = np.random.RandomState(0).randint(0, 256, (3, 48, 40, 3)).astype(np.uint8)
    features, logits = inception.features_and_logits(images)
    assert features.shape == (3, FEATURES) and logits.shape == (3, CLASSES)
    assert_same(features, run_plainly(graph, "pool_3:0", images)[:, 0, 0])


def test_the_logits_have_no_bias(graph, whole):
    other = tiny_graph(bias_seed=1)
    assert not np.array_equal(weights_of(other)["softmax/biases"], weights_of(graph)["softmax/biases"])
    with Inception(other.SerializeToString(), "tiny.pb") as opened:
        np.testing.assert_array_equal(opened.features_and_logits(IMAGES)[1], whole[1])
    assert_same(whole[1], whole[0] @ weights_of(graph)["softmax/weights"])


@pytest.mark.parametrize("height, width", ((32, 32), (48, 40), (299, 299), (640, 301)))
def test_it_resizes_as_in_2015(graph, height, width):
    images = np.random.RandomState(height).randint(0, 256, (2, height, width, 3)).astype(np.uint8)
    found = run_plainly(graph, "ResizeBilinear:0", images)
    np.testing.assert_array_equal(found, resized_as_in_2015(images))


def test_other_graphs_are_left_alone(graph):
    """Importing a graph of 2015 makes TensorFlow treat all of a ``tf.Graph`` as one."""
    with tf.Graph().as_default() as generator:
        tf.zeros([1])
        before = generator.graph_def_versions.producer
        with Inception(graph.SerializeToString(), "tiny.pb") as opened:
            opened.features_and_logits(IMAGES[:1])
        assert generator.graph_def_versions.producer == before > 8
        tf.import_graph_def(graph, name="careless")
        assert generator.graph_def_versions.producer == 8


def test_another_network_is_refused():
    """Such as TF-GAN's, where pictures go in as ``Mul``, already resized, and the logits are called ``logits``."""
    with tf.Graph().as_default() as other:
        images = tf.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="Mul")
        features = tf.reduce_mean(images, axis=[1, 2], keepdims=True, name="pool_3")
        tf.matmul(features[:, 0, 0], tf.zeros([3, 4]), name="logits")
    with pytest.raises(UsageError) as caught:
        Inception(other.as_graph_def().SerializeToString(), "inceptionv1_for_inception_score.pb")
    for part in ("inceptionv1_for_inception_score.pb", "ExpandDims", "softmax/logits/MatMul"):
        assert part in caught.value.message
    assert "pool_3" not in caught.value.message


@pytest.mark.parametrize("name", ("ExpandDims", "pool_3", "softmax/logits/MatMul"))
def test_a_missing_node_is_named(graph, name):
    with pytest.raises(UsageError, match=name):
        Inception(without_nodes(graph, name).SerializeToString(), "tiny.pb")


@pytest.mark.parametrize(
    "damage",
    (lambda data: data[: len(data) // 2], lambda data: data[:-1], lambda data: b"<html>" + data, lambda data: b""),
    ids=("half", "all but one byte", "a web page", "nothing"),
)
def test_damaged_bytes_are_refused(graph, damage):
    with pytest.raises(StepFailed, match=r"tiny\.pb"):
        Inception(damage(graph.SerializeToString()), "tiny.pb")


def test_a_graph_with_a_hole_is_refused(graph):
    with pytest.raises(StepFailed, match=r"tiny\.pb"):
        Inception(without_nodes(graph, "softmax/weights").SerializeToString(), "tiny.pb")

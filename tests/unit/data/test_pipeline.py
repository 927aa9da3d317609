"""The batches: a pure function of (seed, step), every picture equally often, the right shapes."""

import numpy as np
import pytest

from biggan_cli.config import ModelConfig, TrainConfig
from biggan_cli.data.pipeline import Batch, BatchSource, iterator
from biggan_cli.runtime.tf import tf

MODEL = ModelConfig(z_dim=6, num_classes=5)
COUNT = 23


def source(**changes):
    images = np.zeros((COUNT, 32, 32, 3), np.uint8)
    images[:] = np.arange(COUNT)[:, None, None, None]
    train = TrainConfig(**dict(dict(batch=4, d_steps=2, steps=50, seed=1), **changes))
    return BatchSource(images, (np.arange(COUNT) % 5).astype(np.int32), MODEL, train), train


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other))


def test_a_step_is_the_same_whenever_it_is_asked_for():
    in_order, _ = source()
    batches = [in_order(step) for step in range(12)]
    fresh, _ = source()
    for step in (11, 3, 0, 7):
        assert same(fresh(step), batches[step])
    assert not same(batches[0], batches[1])
    assert not same(source(seed=2)[0](0), batches[0])


def test_every_picture_is_seen_once_in_each_pass():
    batches, train = source()
    seen = np.concatenate([batches(step).real_images[:, :, 0, 0, 0].reshape(-1) for step in range(COUNT)])
    for number in range(train.d_steps * train.batch):
        assert sorted(seen[number * COUNT : (number + 1) * COUNT]) == list(range(COUNT))
    assert list(seen[:COUNT]) != list(seen[COUNT : 2 * COUNT])


def test_labels_belong_to_their_pictures():
    batches, _ = source()
    batch = batches(3)
    np.testing.assert_array_equal(batch.real_labels, batch.real_images[:, :, 0, 0, 0] % 5)


def test_shapes_types_and_ranges():
    batches, _ = source(truncation=1.0)
    batch = batches(0)
    assert batch.real_images.shape == (2, 4, 32, 32, 3) and batch.real_images.dtype == np.uint8
    assert batch.real_labels.shape == (2, 4) and batch.real_labels.dtype == np.int32
    assert batch.z.shape == (3, 4, 6) and batch.z.dtype == np.float32 and np.abs(batch.z).max() <= 1
    assert batch.fake_labels.shape == (3, 4) and batch.fake_labels.dtype == np.int32
    labels = np.concatenate([batches(step).fake_labels.reshape(-1) for step in range(200)])
    counts = np.bincount(labels, minlength=5)
    assert len(counts) == 5 and np.abs(counts / counts.sum() - 0.2).max() < 0.03


@pytest.mark.parametrize("start", (0, 3))
def test_the_iterator_gives_the_steps_from_its_start(start):
    batches, train = source(steps=6)
    with tf.Graph().as_default(), tf.Session() as session:
        initializer, tensors = iterator(batches, MODEL, train, start)
        assert [tensor.shape.is_fully_defined() for tensor in tensors] == [True] * 4
        session.run(initializer)
        for step in range(start, 6):
            assert same(Batch(*session.run(tensors)), source(steps=6)[0](step))
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(tensors)

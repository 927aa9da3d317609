"""The batches: a pure function of (seed, step), every picture equally often, the right shapes."""

from dataclasses import replace

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


def test_after_a_rollback_the_same_steps_read_something_else():
    """Each rollback something else again, of everything that is drawn; and a pure function still."""
    changes = dict(flip=True, augment="color", consistency=1.0)
    batches = [source(rollbacks=number, **changes)[0](3) for number in (0, 1, 2)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not [name for name, a, b in zip(Batch._fields, batches[one], batches[other]) if np.array_equal(a, b)]
    again = source(rollbacks=1, **changes)[0]
    again(2)
    assert same(again(3), batches[1])


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


@pytest.mark.parametrize("start, changes", ((0, {}), (3, {}), (1, dict(augment="color", consistency=1.0))))
def test_the_iterator_gives_the_steps_from_its_start(start, changes):
    batches, train = source(steps=6, **changes)
    with tf.Graph().as_default(), tf.Session() as session:
        initializer, batch = iterator(batches, train, start)
        tensors = batch.given()
        assert [tensor.shape.is_fully_defined() for tensor in tensors.values()] == [True] * len(tensors)
        session.run(initializer)
        for step in range(start, 6):
            assert same(Batch(**session.run(tensors)), source(steps=6, **changes)[0](step))
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(tensors)


def test_half_of_the_pictures_are_mirrored_and_nothing_else_changes():
    """A gradient from left to right tells; what is drawn besides is the same with and without."""
    images = np.zeros((COUNT, 32, 32, 3), np.uint8)
    images[:] = np.arange(32)[:, None]
    labels = (np.arange(COUNT) % 5).astype(np.int32)
    train = TrainConfig(batch=50, d_steps=2, steps=50)
    straight, flipped = (BatchSource(images, labels, MODEL, replace(train, flip=flip)) for flip in (False, True))
    mirrored = []
    for step in range(8):
        theirs, ours = straight(step), flipped(step)
        ways = ours.real_images[:, :, 0, 0, 0] == 31
        np.testing.assert_array_equal(ours.real_images[ways], theirs.real_images[ways][:, :, ::-1])
        np.testing.assert_array_equal(ours.real_images[~ways], theirs.real_images[~ways])
        assert same(ours._replace(real_images=theirs.real_images), theirs)
        mirrored.append(ways.mean())
    assert abs(np.mean(mirrored) - 0.5) < 0.06  # 800 coins: three standard deviations are 0.053
    assert (images == np.arange(32)[:, None]).all()


def test_what_an_option_draws_changes_nothing_of_another():
    plain, _ = source()
    both, _ = source(augment="color,cutout", consistency=10.0)
    batch = both(4)
    assert batch.changes.shape == (5, 4, 7) and batch.moves.shape == (2, 4, 3)
    assert same(batch._replace(changes=None, moves=None), plain(4))
    assert same(source(augment="translation", consistency=1.0)[0](4), batch)

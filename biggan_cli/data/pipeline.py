"""What a training step reads, as a pure function of (seed, step): a resumed run sees the same numbers."""

from typing import Dict, NamedTuple

import numpy as np

from biggan_cli.config import ModelConfig, TrainConfig
from biggan_cli.model.latents import draw_z
from biggan_cli.runtime.tf import tf

_ORDER, _LATENTS = 1, 2


class Batch(NamedTuple):
    """The input of one training step of D discriminator updates and one generator update of N pictures.

    Attributes:
        real_images: uint8 [D, N, R, R, 3].
        real_labels: int32 [D, N].
        z: float32 [D + 1, N, z_dim]; the last is the generator's own.
        fake_labels: int32 [D + 1, N].
    """

    real_images: object
    real_labels: object
    z: object
    fake_labels: object


class BatchSource:
    """Makes the :class:`Batch` of any step in NumPy.

    Real pictures come in a new random order for each pass over the data; a step takes the next
    ``d_steps * batch`` of that endless sequence, so every picture is seen equally often.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, model: ModelConfig, train: TrainConfig):
        self._images, self._labels = images, labels
        self._model, self._train = model, train
        self._orders: Dict[int, np.ndarray] = {}

    def __call__(self, step) -> Batch:
        step = int(step)
        train = self._train
        random = np.random.RandomState([train.seed, _LATENTS, step])
        chosen = self._places(step).reshape(train.d_steps, train.batch)
        return Batch(
            real_images=self._images[chosen],
            real_labels=self._labels[chosen],
            z=draw_z(random, (train.d_steps + 1, train.batch, self._model.z_dim), train.truncation),
            fake_labels=random.randint(0, self._model.num_classes, (train.d_steps + 1, train.batch)).astype(np.int32),
        )

    def _places(self, step: int) -> np.ndarray:
        """Which pictures step ``step`` reads: a slice of the sequence of all passes, int [d_steps * batch]."""
        count, total = self._train.d_steps * self._train.batch, len(self._labels)
        positions = np.arange(step * count, (step + 1) * count)
        passes, places = positions // total, positions % total
        self._orders = {number: self._order(number) for number in range(passes[0], passes[-1] + 1)}
        return np.array([self._orders[number][place] for number, place in zip(passes, places)])

    def _order(self, number: int) -> np.ndarray:
        if number in self._orders:
            return self._orders[number]
        return np.random.RandomState([self._train.seed, _ORDER, number]).permutation(len(self._labels))


def iterator(source: BatchSource, model: ModelConfig, train: TrainConfig, start: int):
    """A tf.data iterator over the batches of steps ``start`` … ``train.steps`` - 1, prepared ahead on the host.

    Returns:
        (initializer, :class:`Batch` of tensors with static shapes).
    """
    types = Batch(tf.uint8, tf.int32, tf.float32, tf.int32)
    reals, fakes, side = (train.d_steps, train.batch), (train.d_steps + 1, train.batch), model.resolution
    shapes = Batch((*reals, side, side, 3), reals, (*fakes, model.z_dim), fakes)

    def batch_of(step):
        tensors = tf.numpy_function(lambda step: tuple(source(step)), [step], list(types))
        for tensor, shape in zip(tensors, shapes):
            tensor.set_shape(shape)
        return tuple(tensors)

    with tf.name_scope("data"):  # its operations take no name of a variable
        dataset = tf.data.Dataset.range(start, train.steps).map(batch_of).prefetch(2)
        batches = tf.data.make_initializable_iterator(dataset)
        return batches.initializer, Batch(*batches.get_next())

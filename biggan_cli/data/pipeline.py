"""What a training step reads, as a pure function of (seed, rollbacks, step): a resumed run sees the same numbers."""

from typing import Dict, NamedTuple, Optional

import numpy as np

from biggan_cli.config import ModelConfig, TrainConfig, augmentations
from biggan_cli.model import augment
from biggan_cli.model.latents import draw_z
from biggan_cli.runtime.tf import tf

_ORDER, _LATENTS, _FLIPS, _CHANGES, _MOVES = 1, 2, 3, 4, 5


class Batch(NamedTuple):
    """The input of one training step of D discriminator updates and one generator update of N pictures.

    Attributes:
        real_images: uint8 [D, N, R, R, 3].
        real_labels: int32 [D, N].
        z: float32 [D + 1, N, z_dim]; the last is the generator's own.
        fake_labels: int32 [D + 1, N].
        changes: float32 [2 D + 1, N, 7] for what the discriminator sees: of each of its updates the real pictures and
            the fakes; the last is for the generator's own. None without augmentation.
        moves: float32 [D, N, 3] of the real pictures. None without consistency regularisation.
    """

    real_images: object
    real_labels: object
    z: object
    fake_labels: object
    changes: Optional[object] = None
    moves: Optional[object] = None

    def given(self) -> Dict[str, object]:
        """Name → content of those that there are."""
        return {name: content for name, content in self._asdict().items() if content is not None}


class BatchSource:
    """Makes the :class:`Batch` of any step in NumPy.

    Real pictures come in a new random order for each pass over the data; a step takes the next
    ``d_steps * batch`` of that endless sequence, so every picture is seen equally often.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, model: ModelConfig, train: TrainConfig):
        self._images, self._labels = images, labels
        self._model, self._train = model, train
        self._orders: Dict[int, np.ndarray] = {}
        self._others = [train.rollbacks] if train.rollbacks else []
        """After a rollback the same steps read other data and latents."""

    def __call__(self, step) -> Batch:
        step = int(step)
        train, resolution = self._train, self._model.resolution
        random = self._random(_LATENTS, step)
        chosen = self._places(step).reshape(train.d_steps, train.batch)
        fakes = (train.d_steps + 1, train.batch)
        images = self._images[chosen]
        if train.flip:
            mirrored = self._random(_FLIPS, step).random_sample(chosen.shape) < 0.5
            images[mirrored] = images[mirrored][:, :, ::-1]
        changes = moves = None
        if augmentations(train):
            shape = (2 * train.d_steps + 1, train.batch)
            changes = augment.draw_changes(self._random(_CHANGES, step), shape, resolution)
        if train.consistency:
            moves = augment.draw_moves(self._random(_MOVES, step), chosen.shape, resolution)
        return Batch(
            real_images=images,
            real_labels=self._labels[chosen],
            z=draw_z(random, (*fakes, self._model.z_dim), train.truncation),
            fake_labels=random.randint(0, self._model.num_classes, fakes).astype(np.int32),
            changes=changes,
            moves=moves,
        )

    def _random(self, purpose: int, number: int) -> np.random.RandomState:
        """A stream of its own for each purpose: what one option draws changes nothing of another."""
        return np.random.RandomState([self._train.seed, purpose, number, *self._others])

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
        return self._random(_ORDER, number).permutation(len(self._labels))


def iterator(source: BatchSource, train: TrainConfig, start: int):
    """A tf.data iterator over the batches of steps ``start`` … ``train.steps`` - 1, prepared ahead on the host.

    Returns:
        (initializer, :class:`Batch` of tensors with static shapes).
    """
    forms = {name: (tf.as_dtype(array.dtype), array.shape) for name, array in source(start).given().items()}
    types = [dtype for dtype, _ in forms.values()]

    def batch_of(step):
        tensors = tf.numpy_function(lambda step: list(source(step).given().values()), [step], types)
        for tensor, (_, shape) in zip(tensors, forms.values()):
            tensor.set_shape(shape)
        return tuple(tensors)

    with tf.name_scope("data"):  # its operations take no name of a variable
        dataset = tf.data.Dataset.range(start, train.steps).map(batch_of).prefetch(2)
        batches = tf.data.make_initializable_iterator(dataset)
        return batches.initializer, Batch(**dict(zip(forms, batches.get_next())))

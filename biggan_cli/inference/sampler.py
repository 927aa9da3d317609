"""Pictures from a trained generator, with the statistics that its batch norms need."""

from typing import Callable, Dict, Iterator, Mapping, Optional, Tuple

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import batch_norms, generator_weights
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.model.latents import draw_z
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import assign_values, tf

STANDING_IMAGES = 1024
_STANDING_SEED = 1202

Moments = Dict[str, Tuple[np.ndarray, np.ndarray]]


class Sampler:
    """The generator in inference mode, in its own graph and session. A context manager.

    Weights come folded (see :func:`folded_generator`); batch norms use fixed moments, set by
    :meth:`set_moments`. The batch is always filled to the same size, so that what a latent gives does not
    depend on its neighbours.
    """

    def __init__(self, model: ModelConfig, device: str = "cpu", batch: int = 64):
        self._model, self._batch = model, batch
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._z = tf.placeholder(tf.float32, [batch, model.z_dim])
            self._y = tf.placeholder(tf.int32, [batch])
            weights = {name: weight.shape for name, weight in generator_weights(model).items()}
            moments = {
                f"{name}/{moment}": (channels,)
                for name, channels in batch_norms(model).items()
                for moment in ("mean", "variance")
            }
            self._variables = {
                name: tf.get_variable(name, shape, tf.float32, tf.zeros_initializer(), use_resource=True)
                for name, shape in dict(weights, **moments).items()
            }
            values = {name: variable.read_value() for name, variable in self._variables.items()}
            self._inputs: Dict[str, object] = {}

            def fixed_moments(x, name):
                self._inputs[name] = tf.nn.moments(x, axes=[0, 1, 2])
                return values[name + "/mean"], values[name + "/variance"]

            self._embedding = class_embedding(values, self._y, model)
            self._images = generator(values, self._z, self._embedding, model, fixed_moments)
        self._context = open_session(self._graph, device)
        self._session = self._context.__enter__()

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *exception) -> None:
        self._context.__exit__(*exception)

    def load(self, folded_weights: Mapping[str, np.ndarray]) -> None:
        """Use these weights from now on."""
        assign_values(self._session, self._variables, folded_weights)

    def set_moments(self, moments: Moments) -> None:
        """Use these (mean, variance) in the batch norms from now on."""
        values = {}
        for name, (mean, variance) in moments.items():
            values.update({name + "/mean": mean, name + "/variance": variance})
        assign_values(self._session, self._variables, values)

    def standing_moments(
        self,
        truncation: Optional[float],
        count: int = STANDING_IMAGES,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Moments:
        """The moments that one batch of ``count`` latents has at every batch norm; they are also set.

        The batch is too large to run at once, and what reaches a batch norm depends on those before it.
        So they are found in order: each is measured, in parts, with the ones before it already in place,
        which gives the moments of the one large batch. Costs about two passes, for the last layers hold
        most of the work. Latents are fixed, classes are balanced.

        Args:
            progress: told (batch norms done, batch norms in all).

        Returns:
            batch norm name → (mean, variance), float32 [channels].
        """
        batches = max(1, -(-count // self._batch))
        random = np.random.RandomState(_STANDING_SEED)
        z = draw_z(random, (batches, self._batch, self._model.z_dim), truncation)
        y = (np.arange(batches * self._batch) % self._model.num_classes).reshape(batches, self._batch)
        standing: Moments = {}
        norms = batch_norms(self._model)
        for name in norms:
            parts = [
                self._session.run(self._inputs[name], {self._z: z[part], self._y: y[part]}) for part in range(batches)
            ]
            means, variances = np.asarray(parts, np.float64).transpose(1, 0, 2)
            mean = means.mean(axis=0)
            variance = (variances + np.square(means - mean)).mean(axis=0)
            standing[name] = (mean.astype(np.float32), variance.astype(np.float32))
            self.set_moments({name: standing[name]})
            progress(len(standing), len(norms))
        return standing

    def images(self, z: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
        """Pictures of latents [N, z_dim] and classes [N], batch by batch: float32 [n, R, R, 3] in [-1, 1]."""
        return self._run(z, self._y, y)

    def images_of_embedding(self, z: np.ndarray, embedding: np.ndarray) -> Iterator[np.ndarray]:
        """The same from class embeddings [N, shared_dim], such as a mixture of two classes."""
        return self._run(z, self._embedding, embedding)

    def embedding(self, y: np.ndarray) -> np.ndarray:
        """float32 [N, shared_dim] of classes [N]."""
        return self._session.run(self._variables["generator/embed/w"])[y]

    def _run(self, z: np.ndarray, condition, values: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(z), self._batch):
            part_z, part = z[start : start + self._batch], values[start : start + self._batch]
            count = len(part_z)
            feed = {self._z: _filled(part_z, self._batch), condition: _filled(part, self._batch)}
            yield self._session.run(self._images, feed)[:count]


def _filled(rows: np.ndarray, count: int) -> np.ndarray:
    """``rows`` repeated up to ``count`` rows."""
    return np.resize(rows, (count, *rows.shape[1:]))

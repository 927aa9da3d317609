"""Pictures from a trained generator, with the statistics that its batch norms need."""

from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.errors import StepFailed
from biggan_cli.inference.weights import Moments, with_moments_folded
from biggan_cli.model.architecture import batch_norms, generator_weights
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.model.latents import draw_z
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import assign_values, tf
from biggan_cli.settings import DRAW_BATCH

_FEWEST_STANDING = 192
"""Training normalizes with the moments of its batches, a third of this: their noise is what it has learnt to bear."""
STANDING_VERSION = 2
"""Another number where the way of measuring changes: statistics that were kept before are then made anew."""
_STANDING_BATCH = 32
_STANDING_SEED = 1202


def standing_images(num_classes: int) -> int:
    """How many latents standing statistics are measured over: at least one of each class."""
    return _STANDING_BATCH * -(-max(_FEWEST_STANDING, num_classes) // _STANDING_BATCH)


class _Drawing(NamedTuple):
    """The tensors of the generator for one size of batch.

    ``inputs`` are those of the batch norms, and ``moments`` of these inputs, by name.
    """

    z: object
    y: object
    embedding: object
    images: object
    inputs: Dict[str, object]
    moments: Dict[str, object]


class Sampler:
    """The generator in inference mode, in its own graph and session. A context manager.

    Weights come folded (see :func:`folded_generator`); batch norms use fixed moments, set by :meth:`set_moments`, which
    are folded into the weights too. The batch is always filled to the same size, so that what a latent gives does not
    depend on its neighbours.
    """

    def __init__(self, model: ModelConfig, device: str = "cpu", batch: int = DRAW_BATCH, fused: bool = True):
        self.model, self._batch, self._fused = model, batch, fused
        self._drawings: Dict[int, _Drawing] = {}
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._variables = {
                name: tf.get_variable(name, weight.shape, tf.float32, tf.zeros_initializer(), use_resource=True)
                for name, weight in generator_weights(model).items()
            }
        self._folded: Mapping[str, np.ndarray] = {}
        self._session = open_session(self._graph, device)

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *exception) -> None:
        self._session.close()

    def _drawing(self, batch: int) -> _Drawing:
        """The generator for one size of batch, built when it is first used."""
        if batch not in self._drawings:
            inputs: Dict[str, object] = {}
            moments: Dict[str, object] = {}

            with self._graph.as_default():
                values = {name: variable.read_value() for name, variable in self._variables.items()}

                def folded_moments(x, name):
                    inputs[name], moments[name] = x, tf.nn.moments(x, axes=[0, 1, 2])

                z = tf.placeholder(tf.float32, [batch, self.model.z_dim])
                y = tf.placeholder(tf.int32, [batch])
                embedding = class_embedding(values, y, self.model)
                images = generator(values, z, embedding, self.model, folded_moments, self._fused)
            self._drawings[batch] = _Drawing(z, y, embedding, images, inputs, moments)
        return self._drawings[batch]

    def load(self, folded_weights: Mapping[str, np.ndarray]) -> None:
        """Use these weights from now on, with the moments that are set next."""
        self._folded = folded_weights
        assign_values(self._session, self._variables, folded_weights)

    def set_moments(self, moments: Moments) -> None:
        """Use these (mean, variance) in the batch norms from now on."""
        assign_values(self._session, self._variables, with_moments_folded(self._folded, moments))

    def standing_moments(
        self,
        truncation: Optional[float],
        count: Optional[int] = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Moments:
        """The moments that one batch of ``count`` latents has at every batch norm; they are also set.

        The batch is too large to run at once, and what reaches a batch norm depends on those before it.
        So they are found in order: each is measured, in parts, with the ones before it already in place,
        which gives the moments of the one large batch. What enters a block is kept, so that no block is computed
        anew for those after it. Latents are fixed, classes are balanced, and the parts have a size of their own,
        so that the batch of the sampler changes nothing.

        Args:
            count: a multiple of 32; by default as many as :func:`standing_images` says.
            progress: told (batch norms done, batch norms in all).

        Returns:
            batch norm name → (mean, variance), float32 [channels].
        """
        count = count or standing_images(self.model.num_classes)
        drawing, parts = self._drawing(_STANDING_BATCH), count // _STANDING_BATCH
        z = draw_z(np.random.RandomState(_STANDING_SEED), (parts, _STANDING_BATCH, self.model.z_dim), truncation)
        y = (np.arange(count) % self.model.num_classes).reshape(parts, _STANDING_BATCH)
        standing: Dict[str, Tuple[np.ndarray, np.ndarray]] = {}
        norms = batch_norms(self.model)
        latents = [{drawing.z: z[part], drawing.y: y[part]} for part in range(parts)]
        entered: List[Dict] = [{} for _ in range(parts)]
        for name in norms:
            measured = []
            for part in range(parts):
                feed = {**latents[part], **entered[part]}
                moments, x = self._session.run([drawing.moments[name], drawing.inputs[name]], feed)
                measured.append(moments)
                if name.endswith("/cbn1"):
                    entered[part] = {drawing.inputs[name]: x}
            means, variances = np.asarray(measured, np.float64).transpose(1, 0, 2)
            mean = means.mean(axis=0)
            variance = (variances + np.square(means - mean)).mean(axis=0)
            standing[name] = (mean.astype(np.float32), variance.astype(np.float32))
            self.set_moments({name: standing[name]})
            progress(len(standing), len(norms))
        return standing

    def images(self, z: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
        """Pictures of latents [N, z_dim] and classes [N], batch by batch: float32 [n, R, R, 3] in [-1, 1]."""
        return self._run(z, "y", y)

    def images_of_embedding(self, z: np.ndarray, embedding: np.ndarray) -> Iterator[np.ndarray]:
        """The same from class embeddings [N, shared_dim], such as a mixture of two classes."""
        return self._run(z, "embedding", embedding)

    def output(self):
        """The tensor that :meth:`images` fetches for each batch, for those who count its work."""
        return self._drawing(self._batch).images

    def embedding(self, y: np.ndarray) -> np.ndarray:
        """float32 [N, shared_dim] of classes [N]."""
        return self._session.run(self._variables["generator/embed/w"])[y]

    def _run(self, z: np.ndarray, condition: str, values: np.ndarray) -> Iterator[np.ndarray]:
        drawing = self._drawing(self._batch)
        for start in range(0, len(z), self._batch):
            part_z, part = z[start : start + self._batch], values[start : start + self._batch]
            count = len(part_z)
            feed = {drawing.z: filled(part_z, self._batch), getattr(drawing, condition): filled(part, self._batch)}
            images = self._session.run(drawing.images, feed)[:count]
            if not np.isfinite(images).all():
                raise StepFailed(
                    "the generator gives values that are not finite",
                    hint="its weights have diverged, or a latent is beyond what float32 holds",
                )
            yield images


def filled(rows: np.ndarray, count: int) -> np.ndarray:
    """``rows`` repeated up to ``count`` rows."""
    return np.resize(rows, (count, *rows.shape[1:]))

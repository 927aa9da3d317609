"""One training step as one graph: ``d_steps`` discriminator updates, then one generator update.

Everything in a step happens in one ``session.run``. The variables are read once at its start; what follows is a
function of their values, update after update; at its end they are all assigned. So a step is the same whatever
compiles it, and can be left out as a whole. Spectral norm takes one power iteration for each network at the start
of the step; its vectors serve the whole step and are stored at the end, so sampling never changes them.
"""

from typing import Dict, List, Mapping, NamedTuple, Tuple

from biggan_cli.config import RunConfig
from biggan_cli.data.pipeline import Batch
from biggan_cli.model import layers, losses
from biggan_cli.model.architecture import Weights, discriminator_weights, generator_weights, sn_u_name
from biggan_cli.model.discriminator import discriminator
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.runtime.tf import tf
from biggan_cli.training import adam, ema
from biggan_cli.training.loss_scale import scaling_of
from biggan_cli.training.state import adam_start, state_shapes

MOVING_AVERAGE_DECAY = 0.9
METRICS = ("d_loss", "g_loss", "orthogonal_loss", "real_logit", "fake_logit", "d_grad_norm", "g_grad_norm")

Values = Dict[str, object]
"""Variable → its value at some place of the step."""


class TrainingGraph(NamedTuple):
    """The graph's handles.

    Attributes:
        variables: name → variable, everything that a checkpoint holds.
        step: int32, steps done.
        train_op: runs one step.
        metrics: float32 [len(names)] of that step; means over the discriminator updates.
        names: of the metrics: :data:`METRICS`, and with a scaled loss its counts.
        optional: names of variables that a checkpoint of another precision does not have.
    """

    variables: Dict[str, object]
    step: object
    train_op: object
    metrics: object
    names: Tuple[str, ...]
    optional: Tuple[str, ...] = ()


def build(config: RunConfig, batch: Batch) -> TrainingGraph:
    """The training graph on the default graph, reading from ``batch``."""
    return _Builder(config, batch).build()


class _Builder:
    def __init__(self, config: RunConfig, batch: Batch):
        self.model, self.train, self.batch = config.model, config.train, batch
        self.fused = config.train.resample == "fused"
        self.g_specs, self.d_specs = generator_weights(self.model), discriminator_weights(self.model)
        self.variables = _variables(config)
        self.scaling = scaling_of(self.train)
        self.start = {name: variable.read_value() for name, variable in self.variables.items()}
        specs = dict(self.g_specs, **self.d_specs)
        with self.scaling.in_full_precision():
            self.vectors = {
                name: layers.power_iteration(self.start[name], self.start[sn_u_name(name)], spec)
                for name, spec in specs.items()
                if spec.output_axis is not None
            }
        self.g_weights = self._normalized(self.start, self.g_specs)

    def build(self) -> TrainingGraph:
        values, d_metrics = self.start, []
        for number in range(self.train.d_steps):
            changed, metrics = self._updated_discriminator(values, number)
            values = dict(values, **changed)
            d_metrics.append(metrics)
        changed, g_metrics = self._updated_generator(values)
        values = dict(values, **changed)
        values.update({sn_u_name(name): u for name, (u, _) in self.vectors.items()})
        d_loss, real_logit, fake_logit, d_grad_norm = tf.unstack(tf.add_n(d_metrics) / float(self.train.d_steps))
        g_loss, orthogonal_loss, g_grad_norm = g_metrics
        metrics = tf.stack([d_loss, g_loss, orthogonal_loss, real_logit, fake_logit, d_grad_norm, g_grad_norm])
        step = self.variables["step"]
        with tf.control_dependencies([metrics, *values.values()]):  # nothing is read after something is assigned
            counted = step.assign(self.start["step"] + 1)
        new = [(values[name], variable) for name, variable in self.variables.items() if variable is not step]
        with tf.control_dependencies([counted]):
            done, counts = self.scaling.end(new)
        if counts:
            metrics = tf.concat([metrics, tf.stack(counts)], axis=0)
        variables = dict(self.variables, **self.scaling.variables)
        names = METRICS + self.scaling.names
        return TrainingGraph(variables, step, done, metrics, names, tuple(self.scaling.variables))

    def _updated_discriminator(self, values: Values, number: int) -> Tuple[Values, object]:
        """What one update on a fresh real batch and fresh fakes changes, both in one pass; and its metrics."""
        z, real_y, fake_y = self.batch.z[number], self.batch.real_labels[number], self.batch.fake_labels[number]
        real = tf.cast(self.batch.real_images[number], tf.float32) / 127.5 - 1.0
        fake = tf.stop_gradient(self._fake_images(z, fake_y, self._batch_moments))
        logits = self._discriminate(values, tf.concat([real, fake], axis=0), tf.concat([real_y, fake_y], axis=0))
        real_logits, fake_logits = tf.split(logits, 2)
        loss = losses.discriminator_hinge(real_logits, fake_logits)
        changed, grad_norm = self._updated(values, loss, list(self.d_specs), "discriminator", self.train.d_lr)
        return changed, tf.stack([loss, tf.reduce_mean(real_logits), tf.reduce_mean(fake_logits), grad_norm])

    def _updated_generator(self, values: Values) -> Tuple[Values, Tuple]:
        """What the generator's update changes, and all that follows from it: averages and statistics."""
        y = self.batch.fake_labels[self.train.d_steps]
        moments = {}

        def kept_moments(x, name):
            moments[name] = self._batch_moments(x, name)
            return moments[name]

        fakes = self._fake_images(self.batch.z[self.train.d_steps], y, kept_moments)
        loss = losses.generator_hinge(self._discriminate(values, fakes, y))
        kernels = [values[name] for name, spec in self.g_specs.items() if len(spec.shape) == 4]
        orthogonal_loss = self.train.orthogonal * losses.orthogonal_regularization(kernels)
        names = list(self.g_specs)
        changed, grad_norm = self._updated(values, loss + orthogonal_loss, names, "generator", self.train.g_lr)
        with self.scaling.in_full_precision():
            decay = ema.decay_at(self.start["step"], self.train.ema_decay)
            for name in self.g_specs:
                changed[ema.name_of(name)] = ema.average(values[ema.name_of(name)], changed[name], decay)
            for name, value in ema.named_moments(moments).items():
                changed[name] = ema.average(values[name], value, MOVING_AVERAGE_DECAY)
        return changed, (loss, orthogonal_loss, grad_norm)

    def _updated(self, values: Values, loss, names: List[str], network: str, rate: float) -> Tuple[Values, object]:
        """What Adam makes of the weights ``names`` and of its own variables; and the norm of the gradient."""
        gradients = self.scaling.gradients(loss, [values[name] for name in names])
        with self.scaling.in_full_precision():
            changed = adam.updated(
                values, dict(zip(names, gradients)), network, rate, self.train.beta1, self.train.beta2
            )
            return changed, tf.global_norm(gradients)

    def _fake_images(self, z, y, moments):
        embedding = class_embedding(self.g_weights, y, self.model)
        return generator(self.g_weights, z, embedding, self.model, moments, self.fused, self._batch_norm)

    def _batch_moments(self, x, name):
        with self.scaling.in_full_precision():
            return tf.nn.moments(x, axes=[0, 1, 2])

    def _batch_norm(self, *arguments):
        """In float16 its epsilon would be next to nothing."""
        with self.scaling.in_full_precision():
            return layers.batch_normalization(*arguments)

    def _discriminate(self, values: Mapping, images, y):
        return discriminator(self._normalized(values, self.d_specs), images, y, self.model, self.fused)

    def _normalized(self, values: Mapping, specs: Weights) -> Dict:
        normalized = {}
        with self.scaling.in_full_precision():
            for name, spec in specs.items():
                if spec.output_axis is None:
                    normalized[name] = values[name]
                else:
                    u, v = self.vectors[name]
                    normalized[name] = layers.spectral_norm(values[name], u, v, spec)
        return normalized


def _variables(config: RunConfig) -> Dict[str, object]:
    """Everything that a run is made of; only Adam's powers do not start at 0."""
    start = adam_start(config)
    return {
        name: tf.get_variable(
            name,
            shape,
            tf.int32 if name == "step" else tf.float32,
            tf.constant_initializer(start[name]) if name in start and not shape else tf.zeros_initializer(),
            trainable=False,
            use_resource=True,
        )
        for name, shape in state_shapes(config.model).items()
    }

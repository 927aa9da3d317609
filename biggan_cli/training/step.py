"""One training step as one graph: ``d_steps`` discriminator updates, then one generator update.

Everything in a step happens in one ``session.run``. Order is kept by data: each update reads its weights
after the update before it. Spectral norm takes one power iteration for each network at the start of the step;
its vectors serve the whole step and are stored at the end, so sampling never changes them.
"""

from typing import Dict, List, Mapping, NamedTuple

from biggan_cli.config import RunConfig
from biggan_cli.data.pipeline import Batch
from biggan_cli.model import layers, losses
from biggan_cli.model.architecture import (
    Weights,
    discriminator_weights,
    generator_weights,
    sn_u_name,
    sn_u_shapes,
)
from biggan_cli.model.discriminator import discriminator
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.runtime.tf import tf
from biggan_cli.training import ema

MOVING_AVERAGE_DECAY = 0.9
METRICS = ("d_loss", "g_loss", "orthogonal_loss", "real_logit", "fake_logit", "d_grad_norm", "g_grad_norm")


class TrainingGraph(NamedTuple):
    """The graph's handles.

    Attributes:
        variables: name → variable, everything that a checkpoint holds.
        step: int32, generator updates done.
        train_op: runs one step.
        metrics: float32 [len(METRICS)] of that step; means over the discriminator updates.
    """

    variables: Dict[str, object]
    step: object
    train_op: object
    metrics: object


def build(config: RunConfig, batch: Batch) -> TrainingGraph:
    """The training graph on the default graph, reading from ``batch``."""
    return _Builder(config, batch).build()


class _Builder:
    def __init__(self, config: RunConfig, batch: Batch):
        self.model, self.train, self.batch = config.model, config.train, batch
        self.fused = config.train.resample == "fused"
        self.g_specs, self.d_specs = generator_weights(self.model), discriminator_weights(self.model)
        specs = dict(self.g_specs, **self.d_specs)
        self.g_variables = _variables({name: spec.shape for name, spec in self.g_specs.items()})
        self.d_variables = _variables({name: spec.shape for name, spec in self.d_specs.items()})
        self.u_variables = _variables(sn_u_shapes(specs))
        self.moving = _variables(ema.moving_shapes(self.model))
        self.averages = _variables({ema.name_of(name): spec.shape for name, spec in self.g_specs.items()})
        self.step = tf.get_variable("step", [], tf.int32, tf.zeros_initializer(), trainable=False, use_resource=True)
        self.start = _read(dict(self.g_variables, **self.d_variables))
        self.vectors = {
            name: layers.power_iteration(self.start[name], self.u_variables[sn_u_name(name)], spec)
            for name, spec in specs.items()
            if spec.output_axis is not None
        }
        self.g_weights = self._normalized(self.start, self.g_specs)

    def build(self) -> TrainingGraph:
        optimizer = tf.train.AdamOptimizer(self.train.d_lr, self.train.beta1, self.train.beta2)
        updates: List = []
        d_metrics = []
        for number in range(self.train.d_steps):
            update, metrics = self._update_discriminator(number, optimizer, after=updates)
            updates = [update]
            d_metrics.append(metrics)
        update, g_metrics = self._update_generator(after=updates)
        d_loss, real_logit, fake_logit, d_grad_norm = tf.unstack(tf.add_n(d_metrics) / float(self.train.d_steps))
        g_loss, orthogonal_loss, g_grad_norm = g_metrics
        return TrainingGraph(
            variables={variable.op.name: variable for variable in tf.global_variables()},
            step=self.step,
            train_op=update,
            metrics=tf.stack([d_loss, g_loss, orthogonal_loss, real_logit, fake_logit, d_grad_norm, g_grad_norm]),
        )

    def _update_discriminator(self, number: int, optimizer, after: List):
        """One update on a fresh real batch and fresh fakes, both in one pass."""
        with tf.control_dependencies(after):
            raw = _read(self.d_variables)
            z = tf.identity(self.batch.z[number])
        real_y, fake_y = self.batch.real_labels[number], self.batch.fake_labels[number]
        real = tf.cast(self.batch.real_images[number], tf.float32) / 127.5 - 1.0
        fake = tf.stop_gradient(self._fake_images(z, fake_y, _batch_moments))
        logits = self._discriminate(raw, tf.concat([real, fake], axis=0), tf.concat([real_y, fake_y], axis=0))
        real_logits, fake_logits = tf.split(logits, 2)
        loss = losses.discriminator_hinge(real_logits, fake_logits)
        update, grad_norm = _apply(optimizer, loss, raw, self.d_variables, after)
        return update, tf.stack([loss, tf.reduce_mean(real_logits), tf.reduce_mean(fake_logits), grad_norm])

    def _update_generator(self, after: List):
        """The generator's update and all that follows from it: averages, statistics, vectors, the step."""
        with tf.control_dependencies(after):
            d_raw = _read(self.d_variables)
            z = tf.identity(self.batch.z[self.train.d_steps])
        y = self.batch.fake_labels[self.train.d_steps]
        moments = {}

        def kept_moments(x, name):
            moments[name] = _batch_moments(x, name)
            return moments[name]

        loss = losses.generator_hinge(self._discriminate(d_raw, self._fake_images(z, y, kept_moments), y))
        g_raw = {name: self.start[name] for name in self.g_specs}
        kernels = [weight for weight in g_raw.values() if weight.shape.ndims == 4]
        orthogonal_loss = self.train.orthogonal * losses.orthogonal_regularization(kernels)
        optimizer = tf.train.AdamOptimizer(self.train.g_lr, self.train.beta1, self.train.beta2)
        update, grad_norm = _apply(optimizer, loss + orthogonal_loss, g_raw, self.g_variables, after)
        with tf.control_dependencies([update]):
            followers = ema.update(self.averages, self.g_variables, self.step, self.train.ema_decay)
            followers += ema.update_moving(self.moving, moments, MOVING_AVERAGE_DECAY)
            followers += [self.u_variables[sn_u_name(name)].assign(u) for name, (u, _) in self.vectors.items()]
        with tf.control_dependencies(followers):
            done = self.step.assign_add(1).op
        return done, (loss, orthogonal_loss, grad_norm)

    def _fake_images(self, z, y, moments):
        embedding = class_embedding(self.g_weights, y, self.model)
        return generator(self.g_weights, z, embedding, self.model, moments, self.fused)

    def _discriminate(self, raw: Mapping, images, y):
        return discriminator(self._normalized(raw, self.d_specs), images, y, self.model, self.fused)

    def _normalized(self, raw: Mapping, specs: Weights) -> Dict:
        normalized = {}
        for name, spec in specs.items():
            if spec.output_axis is None:
                normalized[name] = raw[name]
            else:
                u, v = self.vectors[name]
                normalized[name] = layers.spectral_norm(raw[name], u, v, spec)
        return normalized


def _variables(shapes: Mapping) -> Dict:
    return {
        name: tf.get_variable(name, shape, tf.float32, tf.zeros_initializer(), trainable=False, use_resource=True)
        for name, shape in shapes.items()
    }


def _read(variables: Mapping) -> Dict:
    """The values now: after whatever the surrounding control dependencies name."""
    return {name: variable.read_value() for name, variable in variables.items()}


def _batch_moments(x, name):
    return tf.nn.moments(x, axes=[0, 1, 2])


def _apply(optimizer, loss, raw: Mapping, variables: Mapping, after: List):
    """One update of ``variables`` by the gradient with respect to the values ``raw`` that were read from them.

    The optimizer reads its own powers of beta, and these too have to be read ``after`` the update before.
    """
    names = list(variables)
    gradients = tf.gradients(loss, [raw[name] for name in names])
    with tf.control_dependencies(after):
        update = optimizer.apply_gradients([(gradient, variables[name]) for gradient, name in zip(gradients, names)])
    return update, tf.global_norm(gradients)

"""One training step as one graph: ``d_steps`` discriminator updates, then one generator update.

Everything in a step happens in one ``session.run``. The variables are read once at its start; what follows is a
function of their values, update after update; at its end they are all assigned. So a step is the same whatever
compiles it, and can be left out as a whole. Spectral norm takes one power iteration for each network at the start
of the step; its vectors serve the whole step and are stored at the end, so sampling never changes them.
"""

from typing import Callable, Dict, List, Mapping, NamedTuple, Tuple

from biggan_cli.config import RunConfig, augmentations, decay_span
from biggan_cli.data.pipeline import Batch
from biggan_cli.model import augment, layers, losses
from biggan_cli.model.architecture import Weights, discriminator_weights, generator_weights, sn_u_name
from biggan_cli.model.discriminator import discriminator
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.runtime.tf import tf
from biggan_cli.training import adam, ema, signs
from biggan_cli.training.precision import precision_of
from biggan_cli.training.state import LECAM, adam_start, state_shapes

MOVING_AVERAGE_DECAY = 0.9
LECAM_DECAY = 0.99
D_SCOPE, G_SCOPE, AVERAGES_SCOPE = "discriminator_update", "generator_update", "averages"
"""Under which names the operations of each part of a step are."""
CLASS_TABLES = ("generator/embed/w", "discriminator/projection/w")
D_METRICS = ("d_loss", "real_logit", "fake_logit", "d_grad_norm")
G_METRICS = ("g_loss", "orthogonal_loss", "g_grad_norm")
METRICS = (
    *("d_loss", "g_loss", "orthogonal_loss", "real_logit", "fake_logit", "d_grad_norm", "g_grad_norm"),
    *(signs.D_SIGNS + signs.SIGMAS),
)

Values = Dict[str, object]
"""Variable → its value at some place of the step."""


class TrainingGraph(NamedTuple):
    """The graph's handles.

    Attributes:
        variables: name → variable, everything that a checkpoint holds.
        step: int32, steps done.
        train_op: runs one step.
        metrics: float32 [len(names)] of that step; means over the discriminator updates.
        names: of the metrics: :data:`METRICS`, the regularisers of the run, and with a scaled loss its counts.
        optional: names of variables that a checkpoint of another precision or recipe does not have.
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
        self.policy, self.decay = augmentations(config.train), decay_span(config.train)
        self.g_specs, self.d_specs = generator_weights(self.model), discriminator_weights(self.model)
        self.variables = _variables(config)
        self.precision = precision_of(self.train)
        self.start = {name: variable.read_value() for name, variable in self.variables.items()}
        self.sigmas: Dict[str, object] = {}
        """Weight → its sigma at the start of the step."""
        specs = dict(self.g_specs, **self.d_specs)
        with self.precision.in_full_precision():
            self.vectors = {
                name: layers.power_iteration(self.start[name], self.start[sn_u_name(name)], spec)
                for name, spec in specs.items()
                if spec.output_axis is not None
            }
        self.g_weights = self._normalized(self.start, self.g_specs)

    def build(self) -> TrainingGraph:
        values, d_metrics = self.start, []
        for number in range(self.train.d_steps):
            with tf.name_scope(D_SCOPE):
                changed, metrics = self._updated_discriminator(values, number)
            values = dict(values, **changed)
            d_metrics.append(metrics)
        with tf.name_scope(G_SCOPE):
            changed, g_metrics, moments = self._updated_generator(values)
        values = dict(values, **changed)
        with tf.name_scope(AVERAGES_SCOPE), self.precision.in_full_precision():
            values.update(self._averages(values, moments))
        values.update({sn_u_name(name): u for name, (u, _) in self.vectors.items()})
        d_means = tf.unstack(tf.add_n(d_metrics) / float(self.train.d_steps))
        named = dict(zip(D_METRICS + self._regularizers() + signs.D_SIGNS, d_means), **dict(zip(G_METRICS, g_metrics)))
        with self.precision.in_full_precision():
            for name, specs in zip(signs.SIGMAS, (self.g_specs, self.d_specs)):
                named[name] = signs.largest(self.sigmas[weight] for weight in specs if weight in self.sigmas)
        names = METRICS + self._regularizers()
        metrics = tf.stack([named[name] for name in names])
        step = self.variables["step"]
        with tf.control_dependencies([metrics, *values.values()]):  # nothing is read after something is assigned
            counted = step.assign(self.start["step"] + 1)
        new = [(values[name], variable) for name, variable in self.variables.items() if variable is not step]
        with tf.control_dependencies([counted]):
            done, counts = self.precision.end(new)
        if counts:
            metrics = tf.concat([metrics, tf.stack(counts)], axis=0)
        variables = dict(self.variables, **self.precision.variables)
        return TrainingGraph(
            *(variables, step, done, metrics, names + self.precision.names),
            optional=(*self.precision.variables, *(LECAM if self.train.lecam else ())),
        )

    def _regularizers(self) -> Tuple[str, ...]:
        """Names of what this run adds to the discriminator's loss, in the order of its numbers."""
        return tuple(name for name in ("lecam", "consistency") if getattr(self.train, name))

    def _updated_discriminator(self, values: Values, number: int) -> Tuple[Values, object]:
        """What one update on a fresh real batch and fresh fakes changes, both in one pass; and its numbers."""
        train, batch = self.train, self.batch
        lecam_on = tf.cast(self.start["step"] >= train.lecam_start, tf.float32)

        def loss_of(part):
            z, real_y, fake_y = (part(numbers[number]) for numbers in (batch.z, batch.real_labels, batch.fake_labels))
            real = tf.cast(part(batch.real_images[number]), tf.float32) / 127.5 - 1.0
            fake = tf.stop_gradient(self._fake_images(z, fake_y, self._batch_moments))
            pictures, classes = [real, fake], [real_y, fake_y]
            if train.consistency:
                pictures.append(augment.moved(real, part(batch.moves[number])))
                classes.append(real_y)
            if self.policy:
                real_changes, fake_changes = (part(batch.changes[2 * number + kind]) for kind in (0, 1))
                drawn = (real_changes, fake_changes, real_changes)  # the moved one differs by its move alone
                pictures = [augment.augmented(*pair, self.policy) for pair in zip(pictures, drawn)]
            logits = self._discriminate(values, tf.concat(pictures, axis=0), tf.concat(classes, axis=0))
            real_logits, fake_logits, *moved_logits = tf.split(logits, len(pictures))
            loss = hinge = losses.discriminator_hinge(real_logits, fake_logits)
            measured = [hinge, tf.reduce_mean(real_logits), tf.reduce_mean(fake_logits)]
            if train.lecam:
                averages = (values[name] for name in LECAM)
                measured.append(lecam_on * losses.lecam(real_logits, fake_logits, *averages))
                loss += train.lecam * measured[-1]
            if train.consistency:
                measured.append(losses.consistency(real_logits, moved_logits[0]))
                loss += train.consistency * measured[-1]
            with self.precision.in_full_precision():
                sides = (real_logits, fake_logits, real, fake, real_y, fake_y)
                measured += signs.of_update(*sides, self.model.num_classes)
            return loss, measured

        gradients, measured = self._mean_gradients(values, list(self.d_specs), loss_of)
        hinge, real_logit, fake_logit, *others = measured
        changed, norm = self._updated(values, gradients, "discriminator", train.d_lr * train.eased)
        if train.lecam:
            for name, logit in zip(LECAM, (real_logit, fake_logit)):
                changed[name] = ema.average(values[name], tf.stop_gradient(logit), LECAM_DECAY * lecam_on)
        return changed, tf.stack([hinge, real_logit, fake_logit, norm, *others])

    def _updated_generator(self, values: Values) -> Tuple[Values, Tuple, Dict[str, object]]:
        """What the generator's update changes, its numbers, and the moments of its batch norms by their names."""
        last, batch = self.train.d_steps, self.batch
        kernels = [values[name] for name, spec in self.g_specs.items() if len(spec.shape) == 4]
        orthogonal_loss = self.train.orthogonal * losses.orthogonal_regularization(kernels)
        norms: List[str] = []

        def loss_of(part):
            moments = {}

            def kept_moments(x, name):
                moments[name] = self._batch_moments(x, name)
                return moments[name]

            y = part(batch.fake_labels[last])
            fakes = self._fake_images(part(batch.z[last]), y, kept_moments)
            if self.policy:
                fakes = augment.augmented(fakes, part(batch.changes[2 * last]), self.policy)
            loss = losses.generator_hinge(self._discriminate(values, fakes, y))
            named = ema.named_moments(moments)
            norms[:] = named
            return loss, [loss, *named.values()]

        gradients, (loss, *moments) = self._mean_gradients(values, list(self.g_specs), loss_of, orthogonal_loss)
        changed, norm = self._updated(values, gradients, "generator", self.train.g_lr * self.train.eased)
        return changed, (loss, orthogonal_loss, norm), dict(zip(norms, moments))

    def _averages(self, values: Values, moments: Mapping) -> Values:
        """The averaged weights and the moving statistics after both networks' updates."""
        decay = ema.decay_at(self.start["step"], self.train.ema_decay, self.train.ema_start)
        averages = {
            ema.name_of(name): ema.average(values[ema.name_of(name)], values[name], decay) for name in self.g_specs
        }
        for name, value in moments.items():
            averages[name] = ema.average(values[name], value, MOVING_AVERAGE_DECAY)
        return averages

    def _mean_gradients(self, values: Values, names: List[str], loss_of: Callable, penalty=None) -> Tuple[Values, List]:
        """Name → gradient of the weights that learn, and what was measured: the means over the parts of the batch.

        Args:
            loss_of: gets a function that cuts its part out of a tensor [N, …]; gives a loss and what it measured.
            penalty: a loss of the weights alone, which has no parts.
        """
        if self.train.freeze_classes:
            names = [name for name in names if name not in CLASS_TABLES]
        size = self.train.batch_device or self.train.batch
        count, sums = self.train.batch // size, []

        def cut(number):
            if count == 1:
                return lambda numbers: numbers
            before = list(sums)  # one part after the other: else the device would hold all at the same time

            def part(numbers):
                chosen = numbers[number * size : (number + 1) * size]
                with tf.control_dependencies(before):
                    return tf.identity(chosen)

            return part

        for number in range(count):
            loss, measured = loss_of(cut(number))
            if penalty is not None and number == 0:
                loss += count * penalty if count > 1 else penalty
            found = [*self.precision.gradients(loss, [values[name] for name in names]), *measured]
            sums = [a + b for a, b in zip(sums, found)] if sums else found
        means = [total / count for total in sums] if count > 1 else sums
        return dict(zip(names, means)), means[len(names) :]

    def _updated(self, values: Values, gradients: Values, network: str, rate: float) -> Tuple[Values, object]:
        """What Adam makes of weights with gradients and of its own variables; and the norm of the gradient."""
        with self.precision.in_full_precision():
            if self.decay:
                first, last = self.decay
                left = (float(last) - tf.cast(self.start["step"], tf.float32)) / float(last - first)
                rate = rate * tf.minimum(1.0, tf.maximum(0.0, left))
            changed = adam.updated(values, gradients, network, rate, self.train.beta1, self.train.beta2)
            return changed, tf.global_norm(list(gradients.values()))

    def _fake_images(self, z, y, moments):
        embedding = class_embedding(self.g_weights, y, self.model)
        return generator(
            *(self.g_weights, z, embedding, self.model, moments),
            fused=self.fused,
            batch_norm=self._batch_norm,
            dtype=self.precision.dtype,
        )

    def _batch_moments(self, x, name):
        with self.precision.in_full_precision():
            return tf.nn.moments(tf.cast(x, tf.float32), axes=[0, 1, 2])

    def _batch_norm(self, x, *arguments):
        """In float16 its epsilon would be next to nothing."""
        with self.precision.in_full_precision():
            return tf.cast(layers.batch_normalization(tf.cast(x, tf.float32), *arguments), x.dtype)

    def _discriminate(self, values: Mapping, images, y):
        weights = self._normalized(values, self.d_specs)
        return discriminator(weights, images, y, self.model, self.fused, self.precision.dtype)

    def _normalized(self, values: Mapping, specs: Weights) -> Dict:
        normalized = {}
        with self.precision.in_full_precision():
            for name, spec in specs.items():
                if spec.output_axis is None:
                    normalized[name] = values[name]
                else:
                    normalized[name], sigma = layers.spectral_norm(values[name], *self.vectors[name], spec)
                    self.sigmas.setdefault(name, sigma)
        return normalized


def _variables(config: RunConfig) -> Dict[str, object]:
    """Everything that a run is made of; only Adam's powers do not start at 0."""
    start = adam_start(config)
    shapes = state_shapes(config.model)
    if config.train.lecam:
        shapes.update({name: () for name in LECAM})
    return {
        name: tf.get_variable(
            name,
            shape,
            tf.int32 if name == "step" else tf.float32,
            tf.constant_initializer(start[name]) if name in start and not shape else tf.zeros_initializer(),
            trainable=False,
            use_resource=True,
        )
        for name, shape in shapes.items()
    }

"""A training graph that is fed by hand, for tests of what a step changes."""

import numpy as np

from biggan_cli.data.pipeline import Batch
from biggan_cli.model import augment
from biggan_cli.model.architecture import discriminator_weights, generator_weights
from biggan_cli.model.initial import initial_values
from biggan_cli.runtime.tf import assign_values, tf
from biggan_cli.training.step import build


class Training:
    """A training graph with fed batches, its values before and after each step."""

    def __init__(self, config, seed=0):
        self.config = config
        model, train = config.model, config.train
        d, n = train.d_steps, train.batch
        random = np.random.RandomState(seed)
        weights = dict(generator_weights(model), **discriminator_weights(model))
        start = initial_values(weights, random)
        self.data = dict(
            real_images=random.randint(0, 256, [d, n, 32, 32, 3]).astype(np.uint8),
            real_labels=random.randint(0, 10, [d, n]).astype(np.int32),
            z=random.standard_normal([d + 1, n, model.z_dim]).astype(np.float32),
            fake_labels=random.randint(0, 10, [d + 1, n]).astype(np.int32),
        )
        if train.augment != "none":
            self.data["changes"] = augment.draw_changes(random, (2 * d + 1, n), 32)
        if train.consistency:
            self.data["moves"] = augment.draw_moves(random, (d, n), 32)
        with tf.Graph().as_default():
            feeds = {name: tf.placeholder(array.dtype, array.shape) for name, array in self.data.items()}
            self.batch = Batch(**feeds)
            self.handles = build(config, self.batch)
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())
        self.start = dict(self.values(), **start)

    def reset(self):
        assign_values(self.session, self.handles.variables, self.start)
        return self

    def values(self):
        return self.session.run(self.handles.variables)

    def step(self, **changes):
        data = dict(self.data, **changes)
        feed = {getattr(self.batch, name): array for name, array in data.items()}
        return dict(zip(self.handles.names, self.session.run([self.handles.metrics, self.handles.train_op], feed)[0]))
